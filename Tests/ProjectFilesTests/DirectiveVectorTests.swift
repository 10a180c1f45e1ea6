// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import ProjectFiles
import Testing

/// `Protocol/vectors/directive`; what is expected there was found out with BuildKit's own reader.
struct DirectiveVectorTests {
    /// A text, given as a whole or in parts.
    private enum Text: Decodable {
        struct Repetition: Decodable {
            let `repeat`: String
            let count: Int
        }

        case whole(String)
        case parts([Text])
        case repetition(Repetition)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
                self = .whole(text)
            } else if let parts = try? container.decode([Text].self) {
                self = .parts(parts)
            } else {
                self = .repetition(try container.decode(Repetition.self))
            }
        }

        var text: String {
            switch self {
            case .whole(let text): text
            case .parts(let parts): parts.map(\.text).joined()
            case .repetition(let repetition): String(repeating: repetition.repeat, count: repetition.count)
            }
        }
    }

    private struct Entry: Decodable {
        struct Directive: Decodable {
            let reference: String
            let commandLine: Text
            let line: Int
        }

        let name: String
        let text: String?
        let hex: String?
        let parts: Text?
        let directive: Directive?

        var bytes: [UInt8] {
            if let hex {
                let digits = Array(hex)
                return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
                    UInt8(String(digits[$0...$0 + 1]), radix: 16)
                }
            }
            return Array((text ?? parts?.text ?? "").utf8)
        }
    }

    @Test func `directives are found as BuildKit finds them`() throws {
        for entry in try Vectors.json("directive/files.json", as: [Entry].self) {
            let found = SyntaxDirective.detect(entry.bytes)
            #expect(found?.reference == entry.directive?.reference, "\(entry.name)")
            #expect(found?.commandLine == entry.directive?.commandLine.text, "\(entry.name)")
            #expect(found?.line == entry.directive?.line, "\(entry.name)")
        }
    }
}

/// The vectors of `Protocol/vectors/treehash`.
struct TreeHashVectorTests {
    private struct Tree: Decodable {
        struct File: Decodable {
            let path: String
            let mode: String?
            let content: String?
            let hex: String?
            let target: String?
        }

        let name: String
        let files: [File]
        let tree: String?
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func `trees have their digests, in whatever order the files come`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for entry in try Vectors.json("treehash/trees.json", as: [Tree].self) {
            var lines = TreeDigest.Lines()
            var failure: ProjectError?
            for file in entry.files.shuffled(using: &generator) {
                do {
                    try add(file, to: &lines)
                } catch let error as ProjectError {
                    failure = error
                }
            }
            if let tree = entry.tree {
                #expect(failure == nil, "\(entry.name)")
                #expect(lines.finish().description == tree, "\(entry.name)")
            } else {
                #expect(failure != nil, "\(entry.name)")
            }
        }
    }

    private func add(_ file: Tree.File, to lines: inout TreeDigest.Lines) throws {
        if let target = file.target {
            try lines.add(linkTo: target, path: file.path)
            return
        }
        let bytes = file.hex.map(bytes(hex:)) ?? Array((file.content ?? "").utf8)
        let permissions = UInt32(file.mode ?? "644", radix: 8) ?? 0
        try lines.add(
            mode: TreeDigest.Lines.Mode(permissions: permissions),
            size: Int64(bytes.count),
            sha256: Digest.of(bytes),
            path: file.path
        )
    }

    private func bytes(hex: String) -> [UInt8] {
        let digits = Array(hex)
        return stride(from: 0, to: digits.count - 1, by: 2).compactMap {
            UInt8(String(digits[$0...$0 + 1]), radix: 16)
        }
    }
}
