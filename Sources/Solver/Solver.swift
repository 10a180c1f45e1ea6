// SPDX-License-Identifier: Apache-2.0

package import Digests
internal import Synchronization

/// Solves graphs of build operations: runs what must run, once, and takes the rest from the cache.
///
/// One solver serves many jobs at once. Vertices with the same digest, and work with the same cache key, are shared
/// between them; a vertex is cancelled when the last job that waits for it leaves.
package final class Solver: Sendable {
    let store: any CacheStore
    let gate: ResourceGate
    private let scheduler: Mutex<Scheduler>
    private let lastJob = Mutex(0)
    private let executor: (any TaskExecutor)?

    /// - Parameters:
    ///   - store: Where results are kept between builds.
    ///   - limits: How much runs at once.
    ///   - hash: Makes keys; every solver over one store must have the same.
    ///   - executor: Where operations run; `nil` = the concurrency pool.
    ///   - generation: Makes the keys of forced runs; it must not give a value twice.
    package init(
        store: any CacheStore,
        limits: SolverLimits,
        hash: KeyHash,
        executor: (any TaskExecutor)? = nil,
        generation: @escaping @Sendable () -> Digest = Solver.randomGeneration
    ) {
        self.store = store
        self.gate = ResourceGate(limits: limits)
        self.executor = executor
        scheduler = Mutex(Scheduler(hash: hash, generation: generation))
    }

    /// A digest that nobody made before.
    package static func randomGeneration() -> Digest {
        func word() -> UInt64 { UInt64.random(in: .min ... .max) }
        return Digest(words: (word(), word(), word(), word()))
    }

    // MARK: Jobs

    /// Opens a job.
    ///
    /// - Parameters:
    ///   - attachment: What operations find in the job, such as the client session.
    ///   - onEvent: Called in order, one event at a time, while the solver holds a lock: it must return soon and not
    ///     call the solver.
    /// - Returns: The job, to be given to ``close(_:)``.
    package func open(
        attachment: (any Sendable)? = nil,
        onEvent: @escaping @Sendable (SolveEvent) -> Void = { _ in }
    ) -> Job {
        let number = lastJob.withLock { last in
            last += 1
            return last
        }
        let job = Job(number: number, attachment: attachment, onEvent: onEvent)
        scheduler.withLock { $0.open(job) }
        return job
    }

    /// Ends all solves of a job with `cancelled(by: cause)`; later ones fail at once.
    ///
    /// The first cause counts.
    package func cancel(_ job: Job, by cause: CancellationCause) {
        perform { $0.cancel(job, by: cause) }
    }

    /// Ends a job: cancels its solves, waits until their work has ended, and lets its results go.
    package func close(_ job: Job) async {
        let number = perform { $0.beginClosing(job) }
        guard let number else { return }
        _ = await ending(of: number)
        perform { $0.finishClosing(job) }
    }

    /// Runs a body with a job that is closed behind it.
    package func withJob<Value>(
        attachment: (any Sendable)? = nil,
        onEvent: @escaping @Sendable (SolveEvent) -> Void = { _ in },
        _ body: (Job) async throws -> Value
    ) async rethrows -> Value {
        let job = open(attachment: attachment, onEvent: onEvent)
        do {
            let value = try await body(job)
            await close(job)
            return value
        } catch {
            await close(job)
            throw error
        }
    }

    /// Every look into the cache that was made for the vertices of a job so far, inputs first.
    package func probes(of job: Job) -> [ProbeReport] {
        scheduler.withLock { $0.probes(of: job) }
    }

    // MARK: Solving

    /// Gives the result of an edge.
    ///
    /// When this returns or throws, all work that only this call wanted has ended.
    ///
    /// - Throws: ``SolverError``. `operationFailed` carries the vertex and the operation's error.
    package func solve(
        _ graph: VertexGraph,
        _ edge: Edge,
        job: Job
    ) async throws -> any Sendable {
        try await outcome(graph, edge, job: job).value
    }

    /// Gives the result of an edge and the key under which it stands.
    package func outcome(
        _ graph: VertexGraph,
        _ edge: Edge,
        job: Job
    ) async throws -> SolveOutcome {
        let number = try perform { (scheduler: inout Scheduler) throws(SolverError) -> Int in
            try scheduler.request(graph, edge, job: job)
        }
        let outcome = await withTaskCancellationHandler {
            await ending(of: number)
        } onCancel: {
            perform { $0.leave(number, by: .task) }
        }
        switch outcome {
        case .solved(let value): return value
        case .failed(let error): throw error
        case .closed: throw SolverError.cancelled(by: .client)
        }
    }

    private func ending(of waiter: Int) async -> Waiter.Outcome {
        await withCheckedContinuation { continuation in
            let outcome = scheduler.withLock { $0.await(waiter, continuation) }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }

    // MARK: Performing

    /// Changes the scheduler and does what it then wants done.
    @discardableResult
    func perform<Value: Sendable, Failure: Error>(
        _ change: (inout Scheduler) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let (result, actions) = scheduler.withLock { scheduler in
            let result: Result<Value, Failure>
            do throws(Failure) {
                result = .success(try change(&scheduler))
            } catch {
                result = .failure(error)
            }
            return (result, scheduler.takeActions())
        }
        perform(actions)
        return try result.get()
    }

    /// Does what the scheduler wants done, and what it wants done next, until only tasks are left.
    private func perform(_ actions: [Action]) {
        var pending = actions
        var next = 0
        while next < pending.count {
            if let (ticket, outcome) = perform(pending[next]) {
                pending.append(
                    contentsOf: scheduler.withLock { scheduler in
                        scheduler.finish(ticket, outcome)
                        return scheduler.takeActions()
                    }
                )
            }
            next += 1
            if next > 1024 {
                pending.removeFirst(next)
                next = 0
            }
        }
    }

    /// Does one thing: at once, giving its outcome, or in a task.
    private func perform(_ action: Action) -> (WorkTicket, WorkOutcome)? {
        switch action {
        case .map(let ticket, let operation):
            do {
                if let map = try operation.immediateCacheMap() { return (ticket, .mapped(map)) }
            } catch {
                return (ticket, .failed(.failed(operation.name, ticket.digest, error)))
            }
            start(ticket, operation.name) { .mapped(try await self.map(ticket, operation)) }
        case .probe(let ticket, let keys):
            return (ticket, cacheOutcome(ticket) { .probed(try firstKnown(keys)) })
        case .askAlternatives(let ticket, let ask):
            start(ticket, "a source") { .alternatives(try await ask()) }
        case .digest(let ticket, let requests):
            start(ticket, "the content digest of an input") {
                .digested(try await Self.digests(requests))
            }
        case .load(let ticket, let key, let outputs):
            let found: [CacheRecord]?
            do {
                found = try records(key, outputs)
            } catch {
                return (ticket, .failed(.cacheFailed(ticket.digest, error)))
            }
            guard let found else { return (ticket, .loaded(nil)) }
            start(ticket, "the cache") { .loaded(try await self.load(found)) }
        case .execute(let ticket, let execution):
            start(ticket, execution.vertex.name) {
                .executed(try await self.execute(ticket, execution))
            }
        case .alias(let derivations, let primary):
            // An alias spares work later; what is wrong with the store shows where it matters.
            try? store.alias(derivations, to: primary)
        case .cancel(let task):
            task.cancel()
        case .resume(let resumption):
            resumption.continuation.resume(returning: resumption.outcome)
        }
        return nil
    }

    private func start(
        _ ticket: WorkTicket,
        _ name: String,
        _ body: @escaping @Sendable () async throws -> WorkOutcome
    ) {
        let task = Task(executorPreference: executor) {
            var outcome: WorkOutcome
            do {
                outcome = try await body()
            } catch let error as SolverError {
                outcome = .failed(error)
            } catch {
                outcome = .failed(.failed(name, ticket.digest, error))
            }
            self.perform { $0.finish(ticket, outcome) }
        }
        let isWanted = scheduler.withLock { $0.attach(task, to: ticket) }
        if !isWanted { task.cancel() }
    }

    func context(_ ticket: WorkTicket) -> OperationContext {
        OperationContext(
            vertex: ticket.digest,
            reporter: TicketReporter(solver: self, ticket: ticket)
        )
    }

    func report(_ event: SolveEvent, from ticket: WorkTicket) {
        scheduler.withLock { $0.report(event, from: ticket) }
    }

    func reportStarted(_ ticket: WorkTicket) {
        scheduler.withLock { $0.reportStarted(ticket) }
    }

    /// How much is active, for tests.
    var census: (jobs: Int, vertices: Int, waiters: Int, twins: Int, stoppingWork: Int) {
        scheduler.withLock { scheduler in
            (
                scheduler.jobs.count, scheduler.identities.count, scheduler.waiters.count,
                scheduler.twins.count, scheduler.stoppingWork.count
            )
        }
    }

    func jobs(of ticket: WorkTicket) -> [Job] { scheduler.withLock { $0.jobs(of: ticket) } }
}

/// A result and where it came from.
package struct SolveOutcome: Sendable {
    package let value: any Sendable
    /// The primary key of the vertex, with the output.
    package let key: EdgeKey
    /// Whether it came from the cache.
    package let isCached: Bool
}

private struct TicketReporter: OperationReporter {
    let solver: Solver
    let ticket: WorkTicket

    var jobs: [Job] { solver.jobs(of: ticket) }

    func report(_ event: SolveEvent) { solver.report(event, from: ticket) }
}
