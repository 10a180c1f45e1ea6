// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
internal import FrontendProtocol

/// Reads a spec with all that it includes.
package struct SpecLoader {
    /// Files included by files.
    static let depthMax = 8
    /// Files of one spec.
    static let fileCountMax = 64

    /// Reads a file of the context; `nil` when there is none.
    ///
    /// Asked only for cleaned relative paths that stay inside.
    package typealias ReadFile = (_ path: String) async throws -> [UInt8]?

    private let read: ReadFile
    private let reader = SpecReader(scope: VariableScope(values: [:], declared: []))
    private var problems: [SourceProblem] = []
    private var document = SpecDocument()
    private var loaded: Set<String> = []

    private init(read: @escaping ReadFile) { self.read = read }

    /// Reads a build file and what it includes.
    ///
    /// - Throws: ``SourceProblems`` with all that is wrong in any of the files; what `read` throws.
    package static func load(_ main: SourceText, read: @escaping ReadFile) async throws -> SpecDocument {
        var loader = SpecLoader(read: read)
        loader.document.sources = [main]
        guard let root = try readYAML(main) else {
            throw SourceProblems([SourceProblem("the spec is empty: it needs images:", in: main)])
        }
        try await loader.add(root, isMain: true, path: [])
        let problems = loader.problems + loader.reader.problems
        guard problems.isEmpty else { throw SourceProblems(problems) }
        return loader.document
    }

    private mutating func add(_ root: YAMLNode, isMain: Bool, path: [String]) async throws {
        // What is included comes first, so that a list of targets reads from the ground up.
        for (text, place) in SpecDocument.includes(of: root, reader) { try await include(text, place, path) }
        document.add(root, isMain: isMain, reader)
    }

    private mutating func include(_ text: String, _ place: Place, _ path: [String]) async throws {
        guard let file = Self.contained(text) else {
            reader.report(
                "cannot include \"\(shortened(text))\": it is not inside of the context",
                at: place,
                notes: ["paths begin at the root of the context and cannot leave it"]
            )
            return
        }
        guard !path.contains(file) else {
            reader.report("files include each other: " + (path + [file]).joined(separator: " → "), at: place)
            return
        }
        guard path.count < Self.depthMax else {
            reader.report("cannot include \(file): files are included more than \(Self.depthMax) deep", at: place)
            return
        }
        // A file that several others include counts once.
        guard loaded.insert(file).inserted else { return }
        guard document.sources.count < Self.fileCountMax else {
            reader.report("cannot include \(file): a spec has at most \(Self.fileCountMax) files", at: place)
            return
        }
        guard let bytes = try await read(file) else {
            reader.report("cannot include \(file): there is no such file in the context", at: place)
            return
        }
        let source = SourceText(name: file, bytes: bytes)
        document.sources.append(source)
        let root: YAMLNode?
        do throws(SourceProblems) {
            root = try readYAML(source)
        } catch {
            problems += error.problems
            return
        }
        guard let root else { return }
        try await add(root, isMain: false, path: path + [file])
    }

    /// A path below the root of the context, without leading slash; `nil` when it leads out.
    static func contained(_ text: String) -> String? {
        guard !text.hasPrefix("/"), !text.isEmpty, text.utf8.count < 4096, !text.utf8.contains(0),
            !text.contains("\\")
        else { return nil }
        var parts: [Substring] = []
        for part in text.split(separator: "/") {
            switch part {
            case ".": continue
            case "..":
                guard parts.popLast() != nil else { return nil }
            default: parts.append(part)
            }
        }
        return parts.isEmpty ? nil : parts.joined(separator: "/")
    }
}
