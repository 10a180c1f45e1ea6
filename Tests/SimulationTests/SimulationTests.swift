// SPDX-License-Identifier: Apache-2.0

import OCI
import Synchronization
import Testing

@testable import Solver

/// The real solver over fake operations, under thousands of seeds.
///
/// A failure prints its seed; `seeds: seed...seed` in the test that failed runs it alone.
@Suite(.timeLimit(.minutes(2))) struct SimulationTests {
    @Test func `shares work between jobs and gives right results`() {
        simulate(Settings(), seeds: 1...800)
    }

    @Test func `survives cancelled jobs`() {
        simulate(Settings(cancelPercent: 60), seeds: 10_001...10_800)
    }

    @Test func `survives failing operations and lost results`() {
        simulate(
            Settings(operationFaultPercent: 7, loadFaultPercent: 20, cancelPercent: 20),
            seeds: 20_001...20_800
        )
    }

    @Test func `runs what ignores the cache in every build`() {
        simulate(Settings(cancelPercent: 10, forcedPercent: 25), seeds: 30_001...30_600)
    }

    @Test func `runs each key once for several processes on one store`() {
        simulate(Settings(cancelPercent: 20, solverCount: 3), seeds: 40_001...40_800)
    }

    private func simulate(_ settings: Settings, seeds: ClosedRange<UInt64>) {
        for seed in seeds {
            var simulation = Simulation(seed: seed, settings)
            let problems = simulation.run()
            if !problems.isEmpty {
                Issue.record("seed \(seed): \(problems.joined(separator: "; "))")
                return
            }
        }
    }
}

/// One run: some jobs at once, then each edge again in a later build.
struct Simulation {
    private var random: SeededGenerator
    private let settings: Settings
    let world: World
    private let store: SimulatedStore
    private let executor = SimulatedExecutor()
    private let openCount = Counter()

    init(seed: UInt64, _ settings: Settings) {
        random = SeededGenerator(seed: seed)
        self.settings = settings
        world = World(&random, settings)
        store = SimulatedStore(world)
    }

    /// - Returns: What went against the promises.
    mutating func run() -> [String] {
        let solvers = (0..<settings.solverCount).map { _ in makeSolver() }
        var sessions: [Session] = []
        for number in 0..<Int.random(in: 1...4, using: &random) {
            let solver = solvers[number % solvers.count]
            sessions.append(session(solver, number: UInt64(number)))
        }
        drive(sessions)
        checkEnd(solvers)
        checkCounts()
        checkLaterBuild()
        return world.summary.problems
    }

    private mutating func makeSolver() -> Solver {
        let seed = random.next()
        let numbers = Counter()
        return Solver(
            store: store,
            limits: SolverLimits(
                processorCount: Int.random(in: 1...2, using: &random),
                networkCount: 1
            ),
            hash: KeyHash { Digest.of($0) },
            executor: executor,
            generation: { Digest.of("\(seed) \(numbers.add(1))") }
        )
    }

    // MARK: Jobs

    struct Session {
        let solver: Solver
        let job: Job
        let task: Task<Void, Never>
        let isDone: Counter
    }

    private mutating func session(_ solver: Solver, number: UInt64) -> Session {
        let world = world
        let settings = settings
        let observer = EventObserver(world)
        let job = solver.open(onEvent: observer.observe)
        let isDone = Counter()
        let delay = Int.random(in: 0...6, using: &random)
        var targets: [(index: Int, output: Int)] = []
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let index = Int.random(in: 0..<world.blueprints.count, using: &random)
            let outputs = world.blueprints[index].outputCount
            targets.append((index, Int.random(in: 0..<outputs, using: &random)))
        }
        let areParallel = random.chance(50)
        let openCount = openCount
        _ = openCount.add(1)
        let task = Task(executorPreference: executor) { [targets] in
            for _ in 0..<delay { await Task.yield() }
            let solveOne: @Sendable (Int, Int) async -> Void = { index, output in
                do {
                    let graph = try world.graph(session: number)
                    let edge = Edge(vertex: World.digest(index), output: output)
                    let value = try await solver.solve(graph, edge, job: job)
                    let truth = world.value(index, session: number).output(output)
                    if value as? Value != truth { world.problem("wrong result") }
                } catch let error as SolverError {
                    if !Self.isAllowed(error, settings) { world.problem("failed: \(error)") }
                } catch {
                    world.problem("failed with an error of another kind: \(error)")
                }
            }
            if areParallel {
                await withTaskGroup(of: Void.self) { group in
                    for (index, output) in targets {
                        group.addTask { await solveOne(index, output) }
                    }
                }
            } else {
                for (index, output) in targets { await solveOne(index, output) }
            }
            await solver.close(job)
            observer.close()
            if openCount.add(-1) == 0 && world.summary.runningCount > 0 {
                world.problem("work goes on though every job is closed")
            }
            _ = isDone.add(1)
        }
        return Session(solver: solver, job: job, task: task, isDone: isDone)
    }

    private static func isAllowed(_ error: SolverError, _ settings: Settings) -> Bool {
        switch error.code {
        case .cancelled: settings.cancelPercent > 0
        case .operationFailed: error.cause is SimulatedFault && error.vertex != nil
        default: false
        }
    }

    /// Runs tasks in random order, cancelling some, until none is left.
    private mutating func drive(_ sessions: [Session]) {
        var stepsLeft = 200_000
        while executor.runOne(&random), stepsLeft > 0 {
            stepsLeft -= 1
            if settings.cancelPercent > 0, random.chance(settings.cancelPercent / 10),
                let session = sessions.randomElement(using: &random)
            {
                if random.chance(50) {
                    session.task.cancel()
                } else {
                    session.solver.cancel(session.job, by: .deadline)
                }
            }
        }
        if stepsLeft == 0 { world.problem("it never ends") }
        for session in sessions where session.isDone.value == 0 {
            world.problem("a job hangs")
        }
    }

    // MARK: Promises

    private func checkEnd(_ solvers: [Solver]) {
        for solver in solvers {
            let census = solver.census
            if census != (0, 0, 0, 0, 0) { world.problem("left behind: \(census)") }
        }
        if world.summary.runningCount != 0 { world.problem("work was left running") }
    }

    private func checkCounts() {
        if settings.loadFaultPercent > 0 || settings.forcedPercent > 0 { return }
        if world.summary.completed.values.contains(where: { $0 > 1 }) {
            world.problem("the same was made twice: \(world.summary.completed)")
        }
    }

    /// A later build, with a new solver, of one edge twice: the second time nothing may run.
    private mutating func checkLaterBuild() {
        let calm =
            settings.operationFaultPercent == 0 && settings.loadFaultPercent == 0
        let index = Int.random(in: 0..<world.blueprints.count, using: &random)
        if !calm || world.isForced(index) || world.isPrivate(index) { return }
        for round in 0..<2 {
            let before = world.summary.completed
            let session = later(index)
            while executor.runOne(&random) {}
            if session.isDone.value == 0 { world.problem("a later build hangs") }
            checkEnd([session.solver])
            if round == 1 && world.summary.completed != before {
                world.problem("a full hit ran something")
            }
        }
    }

    private mutating func later(_ index: Int) -> Session {
        let world = world
        let solver = makeSolver()
        let job = solver.open()
        let isDone = Counter()
        let task = Task(executorPreference: executor) {
            do {
                let graph = try world.graph(session: 0)
                let edge = Edge(vertex: World.digest(index), output: 0)
                let value = try await solver.solve(graph, edge, job: job)
                if value as? Value != world.value(index, session: 0) {
                    world.problem("wrong result in a later build")
                }
            } catch {
                world.problem("a later build failed: \(error)")
            }
            await solver.close(job)
            _ = isDone.add(1)
        }
        return Session(solver: solver, job: job, task: task, isDone: isDone)
    }
}

/// Checks the order of what one job is told.
final class EventObserver: Sendable {
    private struct State {
        var started: Set<Digest> = []
        var isClosed = false
    }

    private let state = Mutex(State())
    let world: World

    init(_ world: World) { self.world = world }

    func observe(_ event: SolveEvent) {
        state.withLock { state in
            if state.isClosed { world.problem("an event came after the job was closed") }
            switch event {
            case .vertex(let update) where update.completed != nil:
                state.started.remove(update.vertex)
            case .vertex(let update) where update.started != nil:
                if !state.started.insert(update.vertex).inserted {
                    world.problem("a vertex started twice without an end")
                }
            case .log(let log):
                if !state.started.contains(log.vertex) {
                    world.problem("a log came from a vertex that does not run")
                }
            default: break
            }
        }
    }

    func close() {
        state.withLock { state in
            state.isClosed = true
            if !state.started.isEmpty { world.problem("a vertex started and never ended") }
        }
    }
}

final class Counter: Sendable {
    private let number = Mutex(0)
    var value: Int { number.withLock { $0 } }

    func add(_ difference: Int) -> Int {
        number.withLock { number in
            number += difference
            return number
        }
    }
}
