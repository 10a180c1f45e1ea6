// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Synchronization
import Testing

/// Work that several jobs want: shared, cancelled, failed.
@Suite(.timeLimit(.minutes(1))) struct SharingTests {
    @Test func `runs a vertex once for two jobs at once`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        let top = maker.add("a") { $0.onRun = { _ in try await barrier.pass() } }
        let graph = try maker.graph()
        let solver = Solver()
        async let first = solver.text(graph, top)
        async let second = solver.text(graph, top)
        await barrier.arrivals(1)
        barrier.open()
        #expect(try await first == "a()")
        #expect(try await second == "a()")
        #expect(maker.log.runs == ["a"])
    }

    @Test func `runs equal work under different definitions once`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        for name in ["one", "two"] {
            maker.add("same", digest: name) { $0.onRun = { _ in try await barrier.pass() } }
        }
        let top = maker.add("top", ["one", "two"])
        let graph = try maker.graph()
        let solver = Solver()
        async let text = solver.text(graph, top)
        await barrier.arrivals(1)
        barrier.open()
        #expect(try await text == "top(same(),same())")
        #expect(maker.log.runs == ["same", "top"])
    }

    @Test func `keeps private vertices of two jobs apart`() async throws {
        var maker = GraphMaker()
        maker.add("context", isPrivate: true) { $0.isPersistable = false }
        let top = maker.add("step", ["context"])
        let graph = try maker.graph()
        let solver = Solver()
        try await solver.withJob { first in
            try await solver.withJob { second in
                _ = try await solver.solve(graph, top, job: first)
                _ = try await solver.solve(graph, top, job: second)
                _ = try await solver.solve(graph, top, job: second)
            }
        }
        #expect(maker.log.runs.filter { $0 == "context" }.count == 2)
    }

    @Test func `keeps a result as long as the job is open`() async throws {
        var maker = GraphMaker()
        let top = maker.add("a") { $0.isPersistable = false }
        let graph = try maker.graph()
        let solver = Solver()
        try await solver.withJob { job in
            _ = try await solver.solve(graph, top, job: job)
            _ = try await solver.solve(graph, top, job: job)
        }
        #expect(maker.log.runs == ["a"])
        _ = try await solver.text(graph, top)
        #expect(maker.log.runs == ["a", "a"])
    }

    // MARK: Cancelling

    @Test func `cancels work when its last waiter leaves`() async throws {
        let barrier = Barrier()
        let ended = CallLog()
        var maker = GraphMaker()
        let top = maker.add("a") {
            $0.onRun = { _ in
                defer { ended.add("ended") }
                try await barrier.pass()
            }
        }
        let graph = try maker.graph()
        let solver = Solver()
        let first = Task { try await solver.text(graph, top) }
        await barrier.arrivals(1)
        first.cancel()
        let error = await #expect(throws: SolverError.self) { try await first.value }
        #expect(error?.code == .cancelled(by: .task))
        #expect(ended.all == ["ended"])
    }

    @Test func `goes on while another waiter stays`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        let top = maker.add("a") { $0.onRun = { _ in try await barrier.pass() } }
        let graph = try maker.graph()
        let solver = Solver()
        let first = Task { try await solver.text(graph, top) }
        let second = Task { try await solver.text(graph, top) }
        await barrier.arrivals(1)
        first.cancel()
        await #expect(throws: SolverError.self) { try await first.value }
        barrier.open()
        #expect(try await second.value == "a()")
        #expect(maker.log.runs == ["a"])
    }

    @Test func `carries the cause of a cancellation`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        let top = maker.add("a") { $0.onRun = { _ in try await barrier.pass() } }
        let graph = try maker.graph()
        let solver = Solver()
        let job = solver.open()
        let solve = Task { try await solver.solve(graph, top, job: job) }
        await barrier.arrivals(1)
        solver.cancel(job, by: .deadline)
        solver.cancel(job, by: .client)
        let error = await #expect(throws: SolverError.self) { try await solve.value }
        #expect(error?.message == "cannot finish the build: cancelled by its deadline")
        let late = await #expect(throws: SolverError.self) {
            try await solver.solve(graph, top, job: job)
        }
        #expect(late?.code == .cancelled(by: .deadline))
        await solver.close(job)
    }

    @Test func `starts anew what was cancelled and is wanted again`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        let top = maker.add("a") { $0.onRun = { _ in try await barrier.pass() } }
        let graph = try maker.graph()
        let solver = Solver()
        let first = Task { try await solver.text(graph, top) }
        await barrier.arrivals(1)
        first.cancel()
        let second = Task { try await solver.text(graph, top) }
        await #expect(throws: SolverError.self) { try await first.value }
        barrier.open()
        #expect(try await second.value == "a()")
    }

    @Test func `closing a job ends its solves`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        maker.add("a") { $0.onRun = { _ in try await barrier.pass() } }
        let top = maker.add("b", ["a"])
        let graph = try maker.graph()
        let solver = Solver()
        let job = solver.open()
        let solve = Task { try await solver.solve(graph, top, job: job) }
        await barrier.arrivals(1)
        await solver.close(job)
        await #expect(throws: SolverError.self) { try await solve.value }
        await #expect(throws: SolverError.self) { try await solver.solve(graph, top, job: job) }
    }

    // MARK: Failing

    @Test func `fails all waiters with the error of the vertex`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        maker.add("bad") {
            $0.onRun = { _ in
                try await barrier.pass()
                throw FakeError(description: "exit status 2")
            }
        }
        let one = maker.add("one", ["bad"])
        let two = maker.add("two", ["bad"])
        let graph = try maker.graph()
        let solver = Solver()
        let first = Task { try await solver.text(graph, one) }
        let second = Task { try await solver.text(graph, two) }
        await barrier.arrivals(1)
        barrier.open()
        for task in [first, second] {
            let error = await #expect(throws: SolverError.self) { try await task.value }
            #expect(error?.vertex == Digest.of("bad"))
            #expect(error?.message == "cannot run bad: exit status 2")
            #expect(error?.cause is FakeError)
        }
    }

    @Test func `does not remember a failure`() async throws {
        let attempts = CallLog()
        var maker = GraphMaker()
        let top = maker.add("flaky") {
            $0.onRun = { _ in
                attempts.add("x")
                if attempts.all.count == 1 { throw FakeError(description: "no") }
            }
        }
        let graph = try maker.graph()
        let solver = Solver()
        try await solver.withJob { job in
            await #expect(throws: SolverError.self) {
                try await solver.solve(graph, top, job: job)
            }
            let again = try await solver.solve(graph, top, job: job)
            #expect("\(again)" == "flaky()")
        }
    }

    @Test func `cancels what a failure makes useless`() async throws {
        let barrier = Barrier()
        let ended = CallLog()
        var maker = GraphMaker()
        maker.add("slow") {
            $0.onRun = { _ in
                defer { ended.add("ended") }
                try await barrier.pass()
            }
        }
        maker.add("bad") {
            $0.onRun = { _ in
                await barrier.arrivals(1)
                throw FakeError(description: "no")
            }
        }
        let top = maker.add("top", ["slow", "bad"])
        let graph = try maker.graph()
        await #expect(throws: SolverError.self) { try await Solver().text(graph, top) }
        #expect(ended.all == ["ended"])
    }

    @Test func `fails a vertex whose cache map fails or does not fit`() async throws {
        var maker = GraphMaker()
        let bad = maker.add("bad") {
            $0.isImmediate = false
            $0.onMap = { throw FakeError(description: "no such image") }
        }
        maker.add("a")
        let odd = maker.add("odd", ["a"]) { $0.inputCount = 2 }
        let graph = try maker.graph()
        let first = await #expect(throws: SolverError.self) { try await Solver().text(graph, bad) }
        #expect(first?.message == "cannot run bad: no such image")
        let second = await #expect(throws: SolverError.self) { try await Solver().text(graph, odd) }
        #expect(second?.code == .contractBroken)
    }

    // MARK: Running side by side

    @Test func `runs as many processor steps at once as allowed and no more`() async throws {
        let running = Mutex((now: 0, most: 0))
        var maker = GraphMaker()
        let names = (0..<12).map { "step \($0)" }
        for name in names {
            maker.add(name) {
                $0.resources = .processor
                $0.onRun = { _ in
                    running.withLock {
                        $0.now += 1
                        $0.most = max($0.most, $0.now)
                    }
                    for _ in 0..<20 { await Task.yield() }
                    running.withLock { $0.now -= 1 }
                }
            }
        }
        let top = maker.add("top", names)
        _ = try await Solver(processors: 3).text(try maker.graph(), top)
        #expect(running.withLock { $0.most } <= 3)
        #expect(running.withLock { $0.now } == 0)
    }

    @Test func `does not hold a base back until a build stage that is copied from has run`()
        async throws
    {
        // Only when "base" runs while "stage" is held back can this end.
        let barrier = Barrier()
        var maker = GraphMaker()
        maker.add("stage") { $0.onRun = { _ in try await barrier.pass() } }
        maker.add("base") { $0.onRun = { _ in barrier.open() } }
        maker.add("copy", ["base", "stage"]) { $0.digestible = [1] }
        let top = maker.add("top", ["copy"])
        #expect(try await Solver().text(try maker.graph(), top) == "top(copy(base(),stage()))")
    }

    @Test(.timeLimit(.minutes(1)))
    func `runs stages that two copies in a row take from side by side`() async throws {
        // Only when both stages run at the same time can this end.
        let barrier = Barrier()
        var maker = GraphMaker()
        for name in ["a", "b"] { maker.add(name) { $0.onRun = { _ in try await barrier.pass() } } }
        maker.add("first", ["a"]) { $0.digestible = [0] }
        let top = maker.add("second", ["first", "b"]) { $0.digestible = [1] }
        let graph = try maker.graph()
        async let text = Solver().text(graph, top)
        await barrier.arrivals(2)
        barrier.open()
        #expect(try await text == "second(first(a()),b())")
    }

    @Test func `asks sources for their cache maps side by side`() async throws {
        let barrier = Barrier()
        var maker = GraphMaker()
        for name in ["a", "b"] {
            maker.add(name) {
                $0.isImmediate = false
                $0.onMap = { try await barrier.pass() }
            }
        }
        let top = maker.add("top", ["a", "b"])
        let graph = try maker.graph()
        async let text = Solver().text(graph, top)
        await barrier.arrivals(2)
        barrier.open()
        #expect(try await text == "top(a(),b())")
    }

    @Test func `an operation may solve another graph for the same job`() async throws {
        var inner = GraphMaker()
        let innerTop = inner.add("inner")
        let innerGraph = try inner.graph()
        let solver = Solver()
        var maker = GraphMaker()
        let top = maker.add("outer") {
            $0.onRun = { context in
                let job = try #require(context.jobs.first)
                _ = try await solver.solve(innerGraph, innerTop, job: job)
            }
        }
        #expect(try await solver.text(try maker.graph(), top) == "outer()")
        #expect(inner.log.runs == ["inner"])
    }
}
