// SPDX-License-Identifier: Apache-2.0

internal import Digests

/// What makes two vertices one while jobs run.
struct ActiveIdentity: Hashable {
    let digest: Digest
    /// Set when the vertex, or one that it depends on, ignores the cache or belongs to one job: the digest alone then
    /// says too little.
    let variant: Digest?
}

/// What makes the work of two vertices one.
struct TwinKey: Hashable {
    let key: CacheKey
    /// A key that is bound to a session says too little between jobs, so the vertex's own identity is added.
    let variant: Digest?

    init(_ key: CacheKey, of identity: ActiveIdentity) {
        self.key = key
        variant = key.isPersistable ? nil : identity.variant
    }
}

/// A vertex that some open job uses.
///
/// Guarded by the solver's lock.
///
/// Vertices name each other by number, never by reference: releasing a chain of any length then needs no stack.
final class ActiveVertex {
    /// One input.
    struct Link {
        let source: Int
        let output: Int
        /// Whether this vertex asked the source for its key and has not given the hold back.
        var holdsKey = false
        /// Whether the source's key arrived; meaningful while `holdsKey`.
        var isKeyReady = false
        /// Whether this vertex asked the source for its result and has not given the hold back.
        var holdsResult = false
        /// Whether the source's result arrived; meaningful while `holdsResult`.
        var isResultReady = false
    }

    struct Dependant {
        let vertex: Int
        let link: Int
    }

    /// Something that runs for this vertex outside of the lock.
    ///
    /// There is at most one at a time.
    struct Work {
        enum Kind {
            case key, load, execution
        }

        let number: Int
        let kind: Kind
        var task: Task<Void, Never>?
        /// Nobody wants its outcome any more; the vertex stands still until it has ended.
        var isStopping = false
    }

    /// The primary key.
    struct Key {
        var primary: CacheKey
        /// Whether the store has seen it.
        ///
        /// When not, what depends on it cannot be known either.
        var isKnown: Bool
    }

    let number: Int
    let identity: ActiveIdentity
    let vertex: Vertex
    /// Numbers of the open jobs that use it.
    var jobs: [Int] = []
    var links: [Link]
    var dependants: [Dependant] = []
    var isQueued = false

    // MARK: Demand

    /// How many dependants want the key.
    var keyHolds = 0
    /// How many dependants, followers and waiters want an output.
    var resultHolds = 0
    /// Outputs that are wanted; kept while `resultHolds` is above 0.
    var wantedOutputs: [Int] = []
    var waiters: [Int] = []

    // MARK: Key

    var keyPhase = KeyPhase.idle
    var map: CacheMap?
    /// Links that hold a key which did not arrive.
    var pendingKeyCount = 0
    /// Links whose content can be digested, that hold a result which did not arrive.
    var pendingContentCount = 0
    /// Keys that lead here, in the order in which they were found.
    var derivations: [KeyDerivation] = []
    var key: Key?
    /// Some input is new and cannot be replaced by its content, so this vertex is new too.
    ///
    /// A hint to start inputs early.
    var isSurelyNew = false
    var probes: [ProbeReport] = []

    // MARK: Result

    var resultPhase = ResultPhase.idle
    /// Links that hold a result which did not arrive.
    var pendingResultCount = 0
    var hasRequestedInputs = false
    var outputs: [Int: any Sendable] = [:]
    var isCached = false
    /// Vertices of the same key that wait for this one's execution.
    var followers: [Int] = []
    var work: Work?

    // MARK: Progress

    var started: ContinuousClock.Instant?
    var completed: ContinuousClock.Instant?
    var failure: SolverError?
    /// Logs, statuses and warnings so far, for jobs that join later.
    var replay: [SolveEvent] = []
    var replayByteCount = 0

    init(number: Int, identity: ActiveIdentity, vertex: Vertex, links: [Link]) {
        self.number = number
        self.identity = identity
        self.vertex = vertex
        self.links = links
    }

    /// Wanted outputs that are not there.
    var missingOutputs: [Int] { wantedOutputs.filter { outputs[$0] == nil } }

    var twinKey: TwinKey? { key.map { TwinKey($0.primary, of: identity) } }

    func isDigestible(_ link: Int) -> Bool { map?.inputs[link].contentDigest != nil }
}
