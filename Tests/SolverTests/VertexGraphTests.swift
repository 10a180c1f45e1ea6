// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@testable import Solver

@Suite struct VertexGraphTests {
    @Test func `orders vertices that come in any order`() throws {
        var maker = GraphMaker()
        maker.add("c", ["b", "a"])
        maker.add("b", ["a"])
        maker.add("a")
        let graph = try maker.graph()
        #expect(graph.vertices.map(\.name) == ["a", "b", "c"])
        #expect(graph[Digest.of("b")]?.name == "b")
        #expect(graph[Digest.of("x")] == nil)
    }

    @Test func `counts a digest that comes twice once`() throws {
        var maker = GraphMaker()
        maker.add("a")
        maker.add("a")
        #expect(try maker.graph().vertices.count == 1)
    }

    @Test func `refuses an input that is not there`() throws {
        var maker = GraphMaker()
        maker.add("a", ["missing"])
        let error = #expect(throws: SolverError.self) { _ = try maker.graph() }
        #expect(error?.code == .invalidGraph)
        #expect(error?.message.hasPrefix("cannot use input 0 of sha256:") == true)
    }

    @Test func `refuses an output below zero`() {
        let vertices = [
            Vertex(digest: Digest.of("a"), operation: FakeOperation(name: "a", log: CallLog())),
            Vertex(
                digest: Digest.of("b"),
                operation: FakeOperation(name: "b", log: CallLog()),
                inputs: [edge("a", -1)]
            ),
        ]
        #expect(throws: SolverError.self) { try VertexGraph(vertices) }
    }

    @Test func `refuses a circle`() {
        var maker = GraphMaker()
        maker.add("a", ["b"])
        maker.add("b", ["a"])
        let error = #expect(throws: SolverError.self) { _ = try maker.graph() }
        #expect(error?.message.contains("depends on itself") == true)
    }

    @Test func `reaches only what an edge is made from`() throws {
        var maker = GraphMaker()
        maker.add("a")
        maker.add("b", ["a"])
        maker.add("c", ["a"])
        let graph = try maker.graph()
        let root = try #require(graph.position(of: Digest.of("c")))
        #expect(graph.reachable(from: root).map { graph.vertices[$0].name } == ["a", "c"])
    }
}
