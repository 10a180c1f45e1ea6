// SPDX-License-Identifier: Apache-2.0

internal import Digests

/// Names one piece of work of one vertex.
struct WorkTicket: Hashable, Sendable {
    let vertex: Int
    let work: Int
    let digest: Digest
}

/// What the scheduler wants done outside of its lock.
///
/// Each one with a ticket is answered with a ``WorkOutcome``.
enum Action: Sendable {
    case map(WorkTicket, any VertexOperation)
    /// Ask the store for the first known of some keys.
    case probe(WorkTicket, [CacheKey])
    case askAlternatives(WorkTicket, @Sendable () async throws -> [Digest])
    case digest(WorkTicket, [ContentRequest])
    /// Load some outputs of a key, all or none.
    case load(WorkTicket, CacheKey, outputs: [Int])
    case execute(WorkTicket, Execution)
    case alias([KeyDerivation], CacheKey)
    case cancel(Task<Void, Never>)
    case resume(Waiter.Resumption)
}

/// One input to digest.
struct ContentRequest: Sendable {
    let link: Int
    let digest: @Sendable (any Sendable) async throws -> Digest
    let value: any Sendable
}

/// All that an execution needs to know.
struct Execution: Sendable {
    let vertex: Vertex
    let inputs: [any Sendable]
    let inputKeys: [EdgeKey]
    let primary: CacheKey
    let derivations: [KeyDerivation]
    let wantedOutputs: [Int]
}

enum WorkOutcome: Sendable {
    case mapped(CacheMap)
    /// The first known key's position and what it leads to.
    case probed((position: Int, primary: CacheKey)?)
    case alternatives([Digest])
    /// By link.
    case digested([Int: Digest])
    /// `nil`: there is no usable record.
    case loaded([Int: any Sendable]?)
    case executed(Executed)
    case failed(SolverError)
}

struct Executed: Sendable {
    /// By output; all of them, unless another process was faster.
    let outputs: [Int: any Sendable]
    let primary: CacheKey
    /// Whether another process had the result when the lock was taken.
    let isCached: Bool
}

/// Somebody who waits for an edge, or for the end of work.
struct Waiter {
    enum Outcome: Sendable {
        case solved(SolveOutcome)
        case failed(SolverError)
        case closed
    }

    struct Resumption: Sendable {
        let continuation: CheckedContinuation<Outcome, Never>
        let outcome: Outcome
    }

    let number: Int
    let job: Int
    /// `nil`: only waits for the end of work.
    let edge: (vertex: Int, output: Int)?
    var continuation: CheckedContinuation<Outcome, Never>?
    var outcome: Outcome?
    /// Work that was cancelled and must end before the waiter goes on.
    var unfinishedWork: Set<Int> = []
}
