// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Solves graphs of build operations: runs what must run, once, and takes the rest from the cache.
///
/// One solver serves many jobs at once. Vertices with the same digest, and work with the same cache key, are shared
/// between them.
package final class Solver: Sendable {
    let store: any CacheStore
    let limits: SolverLimits
    private let nextJob = Mutex(0)

    package init(store: any CacheStore, limits: SolverLimits) {
        self.store = store
        self.limits = limits
    }

    /// Opens a job.
    ///
    /// - Parameter onEvent: Called in order, one event at a time, while the solver holds a lock: it must return soon
    ///   and not call the solver.
    package func open(
        attachment: (any Sendable)? = nil,
        onEvent: @escaping @Sendable (SolveEvent) -> Void = { _ in }
    ) -> Job {
        let number = nextJob.withLock { next in
            next += 1
            return next
        }
        return Job(number: number, attachment: attachment, onEvent: onEvent)
    }

    /// Ends all solves of a job with `cancelled(by: cause)`; later ones fail at once.
    package func cancel(_ job: Job, by cause: CancellationCause) {}

    /// Ends a job: cancels its solves, waits until their work has ended, and lets its results go.
    package func close(_ job: Job) async {}

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
        throw SolverError(.contractBroken, "cannot solve: the scheduler is on its way")
    }

    /// Every look into the cache that was made for the vertices of a job so far, inputs first.
    package func probes(of job: Job) -> [ProbeReport] { [] }
}

/// A result and where it came from.
package struct SolveOutcome: Sendable {
    package let value: any Sendable
    /// The primary key of the vertex, with the output.
    package let key: EdgeKey
    /// Whether it came from the cache.
    package let isCached: Bool
}
