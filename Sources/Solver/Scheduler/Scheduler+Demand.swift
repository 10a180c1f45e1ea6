// SPDX-License-Identifier: Apache-2.0

internal import Digests

// Who wants what of whom. A vertex works only while somebody holds its key or its result.
extension Scheduler {
    // MARK: Holding

    mutating func holdKey(_ active: ActiveVertex, _ index: Int) {
        if active.links[index].holdsKey { return }
        guard let source = vertices[active.links[index].source] else { return }
        active.links[index].holdsKey = true
        source.keyHolds += 1
        active.links[index].isKeyReady = source.key != nil
        if source.key == nil {
            active.pendingKeyCount += 1
            enqueue(source)
        }
    }

    mutating func releaseKey(_ active: ActiveVertex, _ index: Int) {
        guard active.links[index].holdsKey else { return }
        active.links[index].holdsKey = false
        if !active.links[index].isKeyReady { active.pendingKeyCount -= 1 }
        guard let source = vertices[active.links[index].source] else { return }
        source.keyHolds -= 1
        if source.keyHolds == 0 { enqueue(source) }
    }

    mutating func holdResult(_ active: ActiveVertex, _ index: Int) {
        let link = active.links[index]
        guard !link.holdsResult, let source = vertices[link.source] else { return }
        active.links[index].holdsResult = true
        let isReady = source.outputs[link.output] != nil
        active.links[index].isResultReady = isReady
        if !isReady {
            active.pendingResultCount += 1
            if active.isDigestible(index) { active.pendingContentCount += 1 }
        }
        want(source, link.output)
    }

    mutating func releaseResult(_ active: ActiveVertex, _ index: Int) {
        let link = active.links[index]
        guard link.holdsResult else { return }
        active.links[index].holdsResult = false
        if !link.isResultReady {
            active.pendingResultCount -= 1
            if active.isDigestible(index) { active.pendingContentCount -= 1 }
        }
        if let source = vertices[link.source] { unwant(source) }
    }

    mutating func want(_ active: ActiveVertex, _ output: Int) {
        active.resultHolds += 1
        if !active.wantedOutputs.contains(output) { active.wantedOutputs.append(output) }
        if active.outputs[output] == nil { enqueue(active) }
    }

    mutating func unwant(_ active: ActiveVertex) {
        active.resultHolds -= 1
        if active.resultHolds == 0 { enqueue(active) }
    }

    // MARK: Giving up

    /// Nobody wants the result: ends what was done for it.
    mutating func stopResult(_ active: ActiveVertex) {
        active.wantedOutputs = []
        if active.work?.kind == .load || active.work?.kind == .execution { stopWork(active) }
        if case .following(let number) = active.resultPhase, let twin = vertices[number] {
            twin.followers.removeAll { $0 == active.number }
            unwant(twin)
        }
        if active.resultPhase != .idle && active.resultPhase != .executed {
            active.resultPhase.enter(.idle)
        }
        if active.hasRequestedInputs {
            active.hasRequestedInputs = false
            let keepsContent = active.keyPhase == .awaitingContent || active.keyPhase == .digesting
            for index in active.links.indices
            where !(keepsContent && active.isDigestible(index)) {
                releaseResult(active, index)
            }
        }
    }

    /// Nobody wants the key either.
    mutating func stopKey(_ active: ActiveVertex) {
        if active.work?.kind == .key { stopWork(active) }
        if active.keyPhase != .keyed {
            active.isSurelyNew = false
            if active.keyPhase != .idle { active.keyPhase.enter(.idle) }
        }
        for index in active.links.indices {
            releaseKey(active, index)
            releaseResult(active, index)
        }
    }

    // MARK: Failing

    /// Ends a vertex with an error, and all that wait for it with the same one.
    ///
    /// Nothing remembers the failure: who asks next tries again.
    mutating func fail(_ origin: ActiveVertex, _ error: SolverError) {
        reportEnded(origin, error: error)
        var pending = [origin]
        while let active = pending.popLast() {
            for dependant in active.dependants {
                guard let other = vertices[dependant.vertex] else { continue }
                let link = other.links[dependant.link]
                let lacksKey = link.holdsKey && !link.isKeyReady
                let lacksResult = link.holdsResult && !link.isResultReady
                if lacksKey || lacksResult { pending.append(other) }
            }
            for number in active.followers {
                guard let follower = vertices[number] else { continue }
                reportEnded(follower, error: error)
                pending.append(follower)
            }
            for number in active.waiters
            where waiters[number]?.edge.map({ active.outputs[$0.output] == nil }) == true {
                finishWaiter(number, .failed(error))
            }
            stopResult(active)
            stopKey(active)
            enqueue(active)
        }
    }
}
