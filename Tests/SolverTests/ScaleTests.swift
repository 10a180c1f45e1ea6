// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Testing

/// Sizes at which recursion or a quadratic walk would show.
@Suite(.timeLimit(.minutes(1))) struct ScaleTests {
    @Test func `solves a chain that is far deeper than any stack`() async throws {
        let count = 30_000
        let log = CallLog()
        var vertices: [Vertex] = []
        vertices.reserveCapacity(count)
        for index in 0..<count {
            var operation = FakeOperation(name: "v", log: log)
            operation.result = "x"
            operation.inputCount = index == 0 ? 0 : 1
            vertices.append(
                Vertex(
                    digest: Digest.of("\(index)"),
                    operation: operation,
                    inputs: index == 0 ? [] : [edge("\(index - 1)")]
                )
            )
        }
        let graph = try VertexGraph(vertices)
        let solver = Solver()
        #expect(try await solver.text(graph, edge("\(count - 1)")) == "x")
        #expect(log.runs.count == count)
        log.clear()
        #expect(try await solver.text(graph, edge("\(count - 1)")) == "x")
        #expect(log.runs.isEmpty)
    }

    @Test func `solves a vertex of five thousand inputs`() async throws {
        var maker = GraphMaker()
        let names = (0..<5_000).map { "\($0)" }
        maker.add("base")
        for name in names { maker.add(name, ["base"]) { $0.result = "x" } }
        let top = maker.add("top", names) { $0.result = "y" }
        #expect(try await Solver().text(try maker.graph(), top) == "y")
        #expect(maker.log.runs.count == 5_002)
    }

    @Test func `fails a wide and deep graph of diamonds at once`() async throws {
        // Every vertex is reached by 2^n ways; walking ways instead of links would never end.
        var maker = GraphMaker()
        maker.add("0 0") { $0.onRun = { _ in throw FakeError(description: "no") } }
        maker.add("0 1")
        for level in 1..<200 {
            for side in 0..<2 {
                maker.add("\(level) \(side)", ["\(level - 1) 0", "\(level - 1) 1"])
            }
        }
        let graph = try maker.graph()
        let error = await #expect(throws: SolverError.self) {
            try await Solver().text(graph, edge("199 0"))
        }
        #expect(error?.vertex == Digest.of("0 0"))
    }
}
