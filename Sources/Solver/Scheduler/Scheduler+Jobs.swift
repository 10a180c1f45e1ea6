// SPDX-License-Identifier: Apache-2.0

internal import Digests

/// What the scheduler keeps of an open job.
struct JobState {
    let job: Job
    /// Vertices the job uses, inputs first.
    var vertices: [Int] = []
    /// Vertices whose end the job was told.
    var ended: Set<Int> = []
    var waiters: [Int] = []
    var cancellation: CancellationCause?
    var isClosing = false
}

// Jobs, the vertices they use, and the callers that wait.
extension Scheduler {
    mutating func open(_ job: Job) { jobs[job.number] = JobState(job: job) }

    // MARK: Solving

    /// Puts the part of a graph that an edge is made from into a job, and asks for the edge.
    ///
    /// - Returns: The number of the waiter.
    mutating func request(_ graph: VertexGraph, _ edge: Edge, job: Job) throws(SolverError) -> Int {
        guard let state = jobs[job.number], !state.isClosing else {
            throw SolverError(.contractBroken, "cannot solve for a job that is closed")
        }
        if let cause = state.cancellation { throw SolverError.cancelled(by: cause) }
        guard let root = graph.position(of: edge.vertex), edge.output >= 0 else {
            throw SolverError(
                .invalidGraph,
                "cannot solve output \(edge.output) of \(edge.vertex): it is not in the graph"
            )
        }
        let active = load(graph, root: root, into: job.number)
        let number = nextNumber()
        waiters[number] = Waiter(
            number: number,
            job: job.number,
            edge: (active.number, edge.output)
        )
        jobs[job.number]?.waiters.append(number)
        active.waiters.append(number)
        want(active, edge.output)
        if active.outputs[edge.output] != nil { deliver(active) }
        return number
    }

    private mutating func load(_ graph: VertexGraph, root: Int, into job: Int) -> ActiveVertex {
        var loaded = [ActiveVertex?](repeating: nil, count: root + 1)
        var last: ActiveVertex?
        for position in graph.reachable(from: root) {
            let vertex = graph.vertices[position]
            var links: [ActiveVertex.Link] = []
            links.reserveCapacity(vertex.inputs.count)
            var variants: [Digest?] = []
            for input in vertex.inputs {
                guard let index = graph.position(of: input.vertex), let source = loaded[index]
                else { preconditionFailure("inputs stand before the vertices that use them") }
                links.append(ActiveVertex.Link(source: source.number, output: input.output))
                variants.append(source.identity.variant)
            }
            let identity = self.identity(vertex, variants, job)
            let active: ActiveVertex
            if let number = identities[identity], let known = vertices[number] {
                active = known
            } else {
                active = add(identity, vertex, links: links)
                for (index, link) in links.enumerated() {
                    vertices[link.source]?.dependants.append(
                        ActiveVertex.Dependant(vertex: active.number, link: index)
                    )
                }
            }
            if !active.jobs.contains(job) { join(active, job) }
            loaded[position] = active
            last = active
        }
        guard let last else { preconditionFailure("a root reaches itself") }
        return last
    }

    private func identity(
        _ vertex: Vertex,
        _ variants: [Digest?],
        _ job: Int
    )
        -> ActiveIdentity
    {
        let isPlain =
            !vertex.ignoresCache && !vertex.isPrivate && variants.allSatisfy { $0 == nil }
        if isPlain { return ActiveIdentity(digest: vertex.digest, variant: nil) }
        let text =
            "\(vertex.ignoresCache) \(vertex.isPrivate ? job : 0) "
            + variants.map { $0?.hex ?? "-" }.joined(separator: " ")
        return ActiveIdentity(digest: vertex.digest, variant: hash.digest(Array(text.utf8)))
    }

    // MARK: Waiting

    /// Sets a waiter's continuation.
    ///
    /// - Returns: The outcome, when it is there already; the continuation is then the caller's to resume.
    mutating func await(
        _ number: Int,
        _ continuation: CheckedContinuation<Waiter.Outcome, Never>
    )
        -> Waiter.Outcome?
    {
        guard let waiter = waiters[number] else { return .closed }
        if let outcome = waiter.outcome, waiter.unfinishedWork.isEmpty {
            forget(number)
            return outcome
        }
        waiters[number]?.continuation = continuation
        return nil
    }

    mutating func finishWaiter(_ number: Int, _ outcome: Waiter.Outcome) {
        guard let waiter = waiters[number], waiter.outcome == nil else { return }
        waiters[number]?.outcome = outcome
        finishedWaiters.append(number)
        if let edge = waiter.edge, let active = vertices[edge.vertex] {
            active.waiters.removeAll { $0 == number }
            unwant(active)
        }
    }

    /// Ends a wait before its result is there.
    mutating func leave(_ number: Int, by cause: CancellationCause) {
        finishWaiter(number, .failed(.cancelled(by: cause)))
    }

    /// Lets the waiters go whose outcome was set, once the work that was cancelled with it has ended.
    mutating func releaseFinishedWaiters() {
        for number in finishedWaiters {
            guard let job = waiters[number]?.job else { continue }
            for (work, vertex) in stoppingWork where vertices[vertex]?.jobs.contains(job) == true {
                waiters[number]?.unfinishedWork.insert(work)
            }
            releaseWhenDone(number)
        }
        finishedWaiters.removeAll()
    }

    mutating func releaseWhenDone(_ number: Int) {
        guard let waiter = waiters[number], let outcome = waiter.outcome,
            let continuation = waiter.continuation, waiter.unfinishedWork.isEmpty
        else { return }
        forget(number)
        actions.append(
            .resume(Waiter.Resumption(continuation: continuation, outcome: outcome))
        )
    }

    private mutating func forget(_ number: Int) {
        guard let waiter = waiters.removeValue(forKey: number) else { return }
        jobs[waiter.job]?.waiters.removeAll { $0 == number }
    }

    // MARK: Ending

    mutating func cancel(_ job: Job, by cause: CancellationCause) {
        guard let state = jobs[job.number], state.cancellation == nil else { return }
        jobs[job.number]?.cancellation = cause
        for number in state.waiters { leave(number, by: cause) }
    }

    /// Cancels a job and makes a waiter for the end of its work.
    mutating func beginClosing(_ job: Job) -> Int? {
        guard let state = jobs[job.number], !state.isClosing else { return nil }
        cancel(job, by: .client)
        jobs[job.number]?.isClosing = true
        let number = nextNumber()
        waiters[number] = Waiter(number: number, job: job.number, edge: nil)
        finishWaiter(number, .closed)
        return number
    }

    /// Lets go of a job whose work has ended, and of all that no other job uses.
    mutating func finishClosing(_ job: Job) {
        guard let state = jobs[job.number] else { return }
        var removed: Set<Int> = []
        for number in state.vertices {
            guard let active = vertices[number] else { continue }
            part(active, job.number)
            if active.jobs.isEmpty { removed.insert(number) }
        }
        jobs[job.number] = nil
        // One pass over each source that stays, however many of its dependants go.
        var touched: Set<Int> = []
        for number in removed {
            guard let active = vertices[number] else { continue }
            for link in active.links where !removed.contains(link.source) {
                touched.insert(link.source)
            }
        }
        for number in touched {
            vertices[number]?.dependants.removeAll { removed.contains($0.vertex) }
        }
        for number in removed {
            guard let active = vertices[number] else { continue }
            active.dependants = []
            if active.work == nil { remove(active) }
        }
    }

    func jobs(of ticket: WorkTicket) -> [Job] {
        guard let active = vertices[ticket.vertex], active.work?.number == ticket.work else {
            return []
        }
        return active.jobs.compactMap { jobs[$0]?.job }
    }

    func probes(of job: Job) -> [ProbeReport] {
        guard let state = jobs[job.number] else { return [] }
        return state.vertices.flatMap { vertices[$0]?.probes ?? [] }
    }
}
