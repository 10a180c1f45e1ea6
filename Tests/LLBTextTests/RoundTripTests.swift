// SPDX-License-Identifier: Apache-2.0

import Foundation
import LLB
import LLBText
import OCI
import Testing

private let vectors = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appending(path: "Protocol/vectors")

private let names = [
    "exec", "file-actions", "image", "order", "overlay", "second-output", "sources", "steps",
    "two-names-one-operation",
]

/// The definition behind a text of any form; a friendly one's main outcome.
func definition(of text: String) throws -> Definition {
    switch try LLBText(parsing: Array(text.utf8)) {
    case .definition(let definition): return definition
    case .friendly(let document): return try document.definition(of: document.outcome(target: nil))
    }
}

func friendly(_ definition: Definition) throws -> String {
    try FriendlyWriter(definition).json(keepsLines: true).readable()
}

@Suite struct RoundTripTests {
    @Test(arguments: 0..<20)
    func `random graphs survive the friendly form`(group: UInt64) throws {
        for seed in group * 25..<(group + 1) * 25 {
            let first = try RandomGraph.definition(seed: seed)
            let text = try friendly(first)
            let second = try definition(of: text)
            #expect(second.operations == first.operations, "seed \(seed)\n\(text)")
            #expect(second.metadata == first.metadata, "seed \(seed)\n\(text)")
        }
    }

    @Test(arguments: 0..<20)
    func `random graphs survive dump lines`(group: UInt64) throws {
        for seed in group * 25..<(group + 1) * 25 {
            let first = try RandomGraph.definition(seed: seed)
            let text = try DumpLines.text(first)
            let second = try definition(of: text)
            #expect(second.operations == first.operations, "seed \(seed)\n\(text)")
            #expect(second.metadata == first.metadata, "seed \(seed)\n\(text)")
        }
    }

    @Test(arguments: names)
    func `vectors survive every form`(name: String) throws {
        let first = try Definition(serialized: Array(Data(contentsOf: vectors.appending(path: "llb/\(name).pb"))))
        #expect(try definition(of: friendly(first)).operations == first.operations)
        #expect(try definition(of: DumpLines.text(first)).operations == first.operations)
        #expect(try definition(of: first.json().encodedText).operations == first.operations)
    }

    @Test(arguments: names)
    func `the friendly text of a vector gives its message`(name: String) throws {
        let text = try String(contentsOf: vectors.appending(path: "llb-text/\(name).json"), encoding: .utf8)
        let wanted = try Array(Data(contentsOf: vectors.appending(path: "llb/\(name).pb")))
        #expect(try definition(of: text).serialized() == wanted)
        let written = try FriendlyWriter(Definition(serialized: wanted)).json(keepsLines: true).readable()
        #expect(written == text)
    }

    @Test(arguments: names)
    func `the lines of a vector are those of buildctl`(name: String) throws {
        let wanted = try String(contentsOf: vectors.appending(path: "llb-text/\(name).lines"), encoding: .utf8)
        let definition = try Definition(serialized: Array(Data(contentsOf: vectors.appending(path: "llb/\(name).pb"))))
        #expect(try DumpLines.text(definition) == wanted)
    }

    @Test func `lines of build files survive where they are asked for`() throws {
        var options = State.LocalOptions()
        options.followPaths = ["a"]
        let file = SourceFile(filename: "F", language: "L", data: [0, 1, 255])
        let state = State.local(
            "context",
            options: options,
            constraints: Constraints(
                name: "n",
                locations: [SourceLocation(file: file, ranges: [.init(startLine: 3, endLine: 4)])]
            )
        )
        let first = try state.definition()
        #expect(try definition(of: friendly(first)) == first)
    }

    @Test func `writing is the same every time`() throws {
        let first = try RandomGraph.definition(seed: 7)
        #expect(try friendly(first) == friendly(first))
    }
}
