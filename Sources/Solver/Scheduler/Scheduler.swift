// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
internal import Digests

/// What is active, who wants it, and what to do next: the solver's state, without any I/O of its own.
///
/// A vertex is moved by ``advance(_:)``, which looks at demand and phases and goes as far as it can; whatever changes
/// for a vertex puts it into the queue, and ``settle()`` works the queue off. Nothing recurses along the graph. What
/// must happen outside of the lock is left in ``actions``.
struct Scheduler {
    var vertices: [ActiveVertex?] = []
    private var freeNumbers: [Int] = []
    var identities: [ActiveIdentity: Int] = [:]
    var jobs: [Int: JobState] = [:]
    var waiters: [Int: Waiter] = [:]
    /// The vertex that executes, or has executed, a key.
    var twins: [TwinKey: Int] = [:]
    /// Cancelled work that has not ended, and its vertex.
    var stoppingWork: [Int: Int] = [:]
    /// Waiters whose outcome was set since the last ``takeActions()``.
    var finishedWaiters: [Int] = []
    var actions: [Action] = []
    private var queue: Deque<Int> = []
    private var lastNumber = 0
    let hash: KeyHash
    /// Makes the keys of forced runs.
    let generation: @Sendable () -> Digest

    init(hash: KeyHash, generation: @escaping @Sendable () -> Digest) {
        self.hash = hash
        self.generation = generation
    }

    /// What the caller must do now, in order.
    mutating func takeActions() -> [Action] {
        settle()
        releaseFinishedWaiters()
        defer { actions.removeAll() }
        return actions
    }

    mutating func nextNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    // MARK: Vertices

    mutating func add(
        _ identity: ActiveIdentity,
        _ vertex: Vertex,
        links: [ActiveVertex.Link]
    )
        -> ActiveVertex
    {
        let number = freeNumbers.popLast() ?? vertices.count
        if number == vertices.count { vertices.append(nil) }
        let active = ActiveVertex(number: number, identity: identity, vertex: vertex, links: links)
        vertices[number] = active
        identities[identity] = number
        return active
    }

    mutating func remove(_ active: ActiveVertex) {
        vertices[active.number] = nil
        freeNumbers.append(active.number)
        identities[active.identity] = nil
        if let key = active.twinKey, twins[key] == active.number { twins[key] = nil }
    }

    mutating func enqueue(_ active: ActiveVertex) {
        if active.isQueued { return }
        active.isQueued = true
        queue.append(active.number)
    }

    private mutating func settle() {
        while let number = queue.popFirst() {
            guard let active = vertices[number] else { continue }
            active.isQueued = false
            advance(active)
        }
    }

    /// Goes as far as demand and what is known allow.
    private mutating func advance(_ active: ActiveVertex) {
        if active.resultHolds == 0 { stopResult(active) }
        if active.keyHolds == 0 && active.resultHolds == 0 {
            stopKey(active)
            return
        }
        if active.resultHolds > 0 && active.isSurelyNew && !active.missingOutputs.isEmpty {
            // No lookup can succeed any more: get the inputs going while the key is still found out.
            requestInputs(active)
        }
        if active.work != nil { return }
        advanceKey(active)
        if active.work == nil && active.keyPhase == .keyed && active.resultHolds > 0 {
            advanceResult(active)
        }
    }

    // MARK: Work

    mutating func begin(_ kind: ActiveVertex.Work.Kind, _ active: ActiveVertex) -> WorkTicket {
        precondition(active.work == nil, "a vertex does one thing at a time")
        let work = nextNumber()
        active.work = ActiveVertex.Work(number: work, kind: kind, task: nil)
        return WorkTicket(vertex: active.number, work: work, digest: active.vertex.digest)
    }

    /// Remembers the task that does some work, so that it can be cancelled.
    ///
    /// - Returns: `false` when the work was given up already: the caller cancels the task.
    mutating func attach(_ task: Task<Void, Never>, to ticket: WorkTicket) -> Bool {
        guard let active = vertices[ticket.vertex], active.work?.number == ticket.work else {
            return true
        }
        active.work?.task = task
        return active.work?.isStopping == false
    }

    /// Gives up what runs for a vertex; its outcome will be ignored, and the vertex stands still until then.
    mutating func stopWork(_ active: ActiveVertex) {
        guard let work = active.work, !work.isStopping else { return }
        active.work?.isStopping = true
        stoppingWork[work.number] = active.number
        if let task = work.task { actions.append(.cancel(task)) }
    }

    /// Takes the outcome of some work.
    mutating func finish(_ ticket: WorkTicket, _ outcome: WorkOutcome) {
        guard let active = vertices[ticket.vertex], let work = active.work,
            work.number == ticket.work
        else { return }
        active.work = nil
        if work.isStopping {
            finishStopped(active, work, outcome)
        } else {
            apply(outcome, to: active)
        }
        if active.jobs.isEmpty && active.work == nil {
            remove(active)
        } else {
            enqueue(active)
        }
    }

    private mutating func finishStopped(
        _ active: ActiveVertex,
        _ work: ActiveVertex.Work,
        _ outcome: WorkOutcome
    ) {
        stoppingWork[work.number] = nil
        for number in Array(waiters.keys)
        where waiters[number]?.unfinishedWork.remove(work.number) != nil {
            releaseWhenDone(number)
        }
        switch outcome {
        case .mapped(let map):
            if active.map == nil, map.inputs.count == active.links.count { active.map = map }
        case .executed(let executed) where active.resultPhase == .idle:
            // Given up too late: the result is good, and the next to ask has it at once.
            applyExecuted(executed, to: active)
        default:
            break
        }
        if active.started != nil && active.completed == nil {
            reportEnded(active, error: .cancelled(by: .task))
        }
    }

    private mutating func apply(_ outcome: WorkOutcome, to active: ActiveVertex) {
        switch outcome {
        case .mapped(let map): applyMap(map, to: active)
        case .probed(let found): applyProbe(found, to: active)
        case .alternatives(let digests): applyAlternatives(digests, to: active)
        case .digested(let digests): applyDigests(digests, to: active)
        case .loaded(let outputs): applyLoaded(outputs, to: active)
        case .executed(let executed): applyExecuted(executed, to: active)
        case .failed(let error): fail(active, error)
        }
    }
}
