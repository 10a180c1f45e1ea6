// SPDX-License-Identifier: Apache-2.0

import LLB
import LLBMessages
import OCI
import SwiftProtobuf
import Testing

@Suite struct RewritingTests {
    private func definition() throws -> Definition {
        let file = SourceFile(filename: "F", language: "L", data: [])
        let location = SourceLocation(file: file, ranges: [SourceRange(startLine: 1, endLine: 1)])
        let base = try State.image(
            "a",
            constraints: Constraints(name: "base", locations: [location])
        )
        var actions = FileActions()
        actions.copy(from: try .image("b"), "/x", to: "/y")
        return try base.run(RunOptions(arguments: ["r"])).root.file(actions).definition()
    }

    @Test func `keeps a definition nothing was replaced in`() throws {
        let definition = try definition()
        #expect(try definition.replacingSources { _ in } == definition)
        #expect(try Definition.scratch.replacingSources { $0.identifier = "x" } == .scratch)
    }

    @Test func `renames what is built upon a replaced source and nothing else`() throws {
        let before = try definition()
        let after = try before.replacingSources { source in
            if source.identifier.hasSuffix("/a:latest") {
                source.identifier += "@\(Digest.of("a"))"
            }
        }
        let graph = try after.graph()
        #expect(graph.vertices.count == 4)
        #expect(graph.vertices[0].operation.source.identifier.hasSuffix("@\(Digest.of("a"))"))
        #expect(graph.vertices[0].name == "base")
        #expect(after.locations(of: graph.vertices[0].digest).count == 1)
        let kept = Set(before.operations).intersection(after.operations)
        #expect(kept.count == 1)
        #expect(
            try Pb_Op(serializedBytes: try #require(kept.first).bytes).source.identifier.hasSuffix(
                "/b:latest"
            )
        )
        #expect(try after.head() != before.head())
    }

    @Test func `joins sources that become the same`() throws {
        let after = try definition().replacingSources {
            $0.identifier = "docker-image://docker.io/library/c:1"
        }
        #expect(try after.graph().vertices.count == 3)
    }

    @Test func `hands on what a policy says`() throws {
        struct Denied: Error {}
        #expect(throws: Denied.self) { try definition().replacingSources { _ in throw Denied() } }
    }
}
