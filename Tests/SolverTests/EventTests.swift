// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Synchronization
import Testing

/// What a job is told.
@Suite(.timeLimit(.minutes(1))) struct EventTests {
    final class Events: Sendable {
        private let entries = Mutex<[String]>([])
        var all: [String] { entries.withLock { $0 } }

        func add(_ event: SolveEvent) {
            let text: String
            switch event {
            case .vertex(let update):
                let state =
                    if update.completed != nil {
                        update.error != nil ? "failed" : update.isCached ? "cached" : "done"
                    } else {
                        update.started != nil ? "started" : "joined"
                    }
                text = "\(state) \(update.name)"
            case .log(let log): text = "log \(String(decoding: log.bytes, as: UTF8.self))"
            case .status(let status): text = "status \(status.id) \(status.current)"
            case .warning(let warning): text = "warning \(warning.message)"
            }
            entries.withLock { $0.append(text) }
        }
    }

    private func solve(_ solver: Solver, _ graph: VertexGraph, _ edge: Edge) async -> [String] {
        let events = Events()
        await solver.withJob(onEvent: events.add) { job in
            _ = try? await solver.solve(graph, edge, job: job)
        }
        return events.all
    }

    @Test func `tells of a run from joining to its end`() async throws {
        var maker = GraphMaker()
        maker.add("a") {
            $0.onRun = { context in
                context.log(.output, Array("hello".utf8))
                context.status(id: "layer", current: 3)
                context.warn("careful")
            }
        }
        let top = maker.add("b", ["a"])
        #expect(
            await solve(Solver(), try maker.graph(), top) == [
                "joined a", "joined b", "started a", "log hello", "status layer 3",
                "warning careful", "done a", "started b", "done b",
            ]
        )
    }

    @Test func `shows a hit, and what it spared, as cached`() async throws {
        let solver = Solver()
        var maker = GraphMaker()
        maker.add("a")
        maker.add("b", ["a"])
        let top = maker.add("c", ["b"])
        let graph = try maker.graph()
        _ = await solve(solver, graph, top)
        #expect(
            await solve(solver, graph, top) == [
                "joined a", "joined b", "joined c", "cached c", "cached b", "cached a",
            ]
        )
    }

    @Test func `shows a source that looks for its map as working`() async throws {
        var maker = GraphMaker()
        let top = maker.add("image") { $0.isImmediate = false }
        #expect(
            await solve(Solver(), try maker.graph(), top) == [
                "joined image", "started image", "done image", "started image", "done image",
            ]
        )
    }

    @Test func `tells of a failure`() async throws {
        var maker = GraphMaker()
        maker.add("bad") { $0.onRun = { _ in throw FakeError(description: "no") } }
        let top = maker.add("b", ["bad"])
        #expect(
            await solve(Solver(), try maker.graph(), top) == [
                "joined bad", "joined b", "started bad", "failed bad",
            ]
        )
    }

    @Test func `tells a job that joins late what came so far`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        let top = maker.add("a") {
            $0.onRun = { context in
                context.log(.output, Array("early".utf8))
                try await barrier.pass()
                context.log(.output, Array("late".utf8))
            }
        }
        let graph = try maker.graph()
        let solver = Solver()
        async let first = solve(solver, graph, top)
        await barrier.arrivals(1)
        let events = Events()
        try await solver.withJob(onEvent: events.add) { job in
            async let result = solver.solve(graph, top, job: job)
            while events.all.isEmpty { await Task.yield() }
            barrier.open()
            _ = try await result
        }
        #expect(events.all == ["started a", "log early", "log late", "done a"])
        #expect(await first.last == "done a")
    }

    @Test func `ends what was cancelled with an error`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        let top = maker.add("a") { $0.onRun = { _ in try await barrier.pass() } }
        let graph = try maker.graph()
        let solver = Solver()
        let events = Events()
        let job = solver.open(onEvent: events.add)
        let task = Task { try await solver.solve(graph, top, job: job) }
        await barrier.arrivals(1)
        await solver.close(job)
        _ = await task.result
        #expect(events.all == ["joined a", "started a", "failed a"])
    }
}
