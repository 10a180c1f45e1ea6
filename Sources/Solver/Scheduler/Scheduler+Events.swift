// SPDX-License-Identifier: Apache-2.0

internal import Digests

/// Bytes of logs kept of one vertex for jobs that join later; what goes beyond is passed on and not kept.
let replayByteLimit = 4 << 20

// What jobs are told. Callbacks are called under the solver's lock, so each job sees one order.
extension Scheduler {
    /// Tells a job all there is to know about a vertex that it begins to use.
    mutating func join(_ active: ActiveVertex, _ job: Int) {
        active.jobs.append(job)
        jobs[job]?.vertices.append(active.number)
        let now = update(active)
        var start = now
        start.completed = nil
        start.isCached = false
        start.error = nil
        send(.vertex(start), to: job)
        for event in active.replay { send(event, to: job) }
        if now.completed != nil {
            send(.vertex(now), to: job)
            jobs[job]?.ended.insert(active.number)
        }
    }

    /// Tells a job that leaves that a vertex which still works did not end for it.
    mutating func part(_ active: ActiveVertex, _ job: Int) {
        active.jobs.removeAll { $0 == job }
        if active.started == nil || active.completed != nil { return }
        var event = update(active)
        event.completed = .now
        event.error = SolverError.cancelled(by: jobs[job]?.cancellation ?? .client)
        send(.vertex(event), to: job)
    }

    /// A vertex begins to work: its operation runs, or a source looks for its cache map.
    mutating func reportStarted(_ ticket: WorkTicket) {
        guard let active = vertices[ticket.vertex], active.work?.number == ticket.work,
            active.work?.isStopping == false
        else { return }
        if active.failure != nil {
            active.replay = []
            active.replayByteCount = 0
        }
        active.started = .now
        active.completed = nil
        active.failure = nil
        active.isCached = false
        for job in active.jobs {
            send(.vertex(update(active)), to: job)
            reportUnused(active, to: job)
        }
    }

    /// A vertex that had started ends; one that had not only when it failed.
    mutating func reportEnded(_ active: ActiveVertex, error: SolverError?) {
        if active.started == nil || active.completed != nil {
            if error == nil { return }
            active.started = .now
        }
        active.completed = .now
        active.failure = error
        tellEnd(active)
    }

    /// The result of a vertex comes from the cache.
    mutating func reportCached(_ active: ActiveVertex) {
        let now = ContinuousClock.now
        active.started = now
        active.completed = now
        active.failure = nil
        tellEnd(active)
        for job in active.jobs { reportUnused(active, to: job) }
    }

    private mutating func tellEnd(_ active: ActiveVertex) {
        for job in active.jobs {
            send(.vertex(update(active)), to: job)
            jobs[job]?.ended.insert(active.number)
        }
    }

    /// Tells a job that what a vertex is made from was not needed: a progress display shows it as cached.
    private mutating func reportUnused(_ active: ActiveVertex, to job: Int) {
        guard let time = active.started else { return }
        var pending = active.links.map(\.source)
        while let number = pending.popLast() {
            guard let source = vertices[number],
                source.started == nil || source.completed != nil,
                jobs[job]?.ended.insert(number).inserted == true
            else { continue }
            var event = update(source)
            event.started = time
            event.completed = time
            event.isCached = true
            event.error = nil
            send(.vertex(event), to: job)
            pending.append(contentsOf: source.links.map(\.source))
        }
    }

    /// Passes on what an operation reports.
    mutating func report(_ event: SolveEvent, from ticket: WorkTicket) {
        guard let active = vertices[ticket.vertex], active.work?.number == ticket.work,
            active.started != nil, active.completed == nil
        else { return }
        if case .log(let log) = event { active.replayByteCount += log.bytes.count }
        if active.replayByteCount <= replayByteLimit { active.replay.append(event) }
        for job in active.jobs { send(event, to: job) }
    }

    private func update(_ active: ActiveVertex) -> VertexUpdate {
        VertexUpdate(
            vertex: active.vertex.digest,
            inputs: active.vertex.inputs.map(\.vertex),
            name: active.vertex.name,
            progressGroup: active.vertex.progressGroup,
            started: active.started,
            completed: active.completed,
            isCached: active.isCached && active.completed != nil,
            error: active.failure
        )
    }

    private func send(_ event: SolveEvent, to job: Int) { jobs[job]?.job.onEvent(event) }
}
