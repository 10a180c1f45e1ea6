// SPDX-License-Identifier: Apache-2.0

internal import Digests

// Getting the result of a vertex whose key is known: load it, wait for a twin, or execute.
extension Scheduler {
    mutating func advanceResult(_ active: ActiveVertex) {
        guard let key = active.key else { return }
        let missing = active.missingOutputs
        if missing.isEmpty { return }
        switch active.resultPhase {
        case .executed:
            fail(
                active,
                SolverError(
                    .invalidGraph,
                    "cannot use output \(missing[0]) of \(active.vertex.name): "
                        + "it has \(active.outputs.count)",
                    vertex: active.vertex.digest
                )
            )
        case .idle:
            if takeFromTwin(active) { return }
            if key.isKnown && !active.vertex.ignoresCache {
                load(active, key.primary, missing)
            } else {
                awaitInputs(active)
            }
        case .awaitingInputs where active.pendingResultCount == 0:
            if !takeFromTwin(active) { execute(active, key.primary) }
        case .loading, .awaitingInputs, .following, .executing:
            break
        }
    }

    // MARK: Loading

    private mutating func load(_ active: ActiveVertex, _ key: CacheKey, _ outputs: [Int]) {
        active.resultPhase.enter(.loading)
        actions.append(.load(begin(.load, active), key, outputs: outputs))
    }

    mutating func applyLoaded(_ outputs: [Int: any Sendable]?, to active: ActiveVertex) {
        guard active.resultPhase == .loading else { return }
        guard let outputs else {
            awaitInputs(active)
            return
        }
        active.resultPhase.enter(.idle)
        active.outputs.merge(outputs) { old, _ in old }
        active.isCached = true
        reportCached(active)
        deliver(active)
    }

    // MARK: Executing

    private mutating func awaitInputs(_ active: ActiveVertex) {
        active.resultPhase.enter(.awaitingInputs)
        requestInputs(active)
        enqueue(active)
    }

    /// Asks for the results of all inputs.
    mutating func requestInputs(_ active: ActiveVertex) {
        if active.hasRequestedInputs { return }
        active.hasRequestedInputs = true
        for index in active.links.indices { holdResult(active, index) }
    }

    private mutating func execute(_ active: ActiveVertex, _ key: CacheKey) {
        active.resultPhase.enter(.executing)
        twins[TwinKey(key, of: active.identity)] = active.number
        let inputs = active.links.compactMap { vertices[$0.source]?.outputs[$0.output] }
        precondition(inputs.count == active.links.count, "all inputs are there")
        let execution = Execution(
            vertex: active.vertex,
            inputs: inputs,
            inputKeys: active.links.map(inputKey),
            primary: key,
            derivations: active.derivations.filter(\.key.isPersistable),
            wantedOutputs: active.missingOutputs
        )
        actions.append(.execute(begin(.execution, active), execution))
    }

    mutating func applyExecuted(_ executed: Executed, to active: ActiveVertex) {
        noteStored(active, under: executed.primary)
        active.outputs.merge(executed.outputs) { old, _ in old }
        active.isCached = executed.isCached
        if executed.isCached {
            if active.resultPhase != .idle { active.resultPhase.enter(.idle) }
            releaseInputs(active)
            reportCached(active)
        } else {
            active.resultPhase.enter(.executed)
            reportEnded(active, error: nil)
        }
        for number in active.followers {
            guard let follower = vertices[number] else { continue }
            active.resultHolds -= 1
            take(follower, from: active)
        }
        active.followers = []
        deliver(active)
    }

    // MARK: Twins

    /// Uses the execution of another vertex with the same key, when there is one.
    private mutating func takeFromTwin(_ active: ActiveVertex) -> Bool {
        guard let key = active.twinKey, let number = twins[key], number != active.number,
            let twin = vertices[number]
        else {
            return false
        }
        switch twin.resultPhase {
        case .executing:
            active.resultPhase.enter(.following(number))
            twin.followers.append(active.number)
            twin.resultHolds += 1
            return true
        case .executed where !active.vertex.ignoresCache:
            take(active, from: twin)
            return true
        default:
            return false
        }
    }

    private mutating func take(_ active: ActiveVertex, from twin: ActiveVertex) {
        active.key = twin.key
        active.outputs.merge(twin.outputs) { old, _ in old }
        active.isCached = true
        active.resultPhase.enter(twin.resultPhase)
        reportCached(active)
        deliver(active)
    }

    // MARK: Handing on

    /// Gives outputs to all that wait for them, and lets the inputs go.
    mutating func deliver(_ active: ActiveVertex) {
        if active.missingOutputs.isEmpty { releaseInputs(active) }
        for dependant in active.dependants {
            guard let other = vertices[dependant.vertex] else { continue }
            let link = other.links[dependant.link]
            guard link.holdsResult, !link.isResultReady, active.outputs[link.output] != nil else {
                continue
            }
            other.links[dependant.link].isResultReady = true
            other.pendingResultCount -= 1
            if other.isDigestible(dependant.link) { other.pendingContentCount -= 1 }
            enqueue(other)
        }
        for number in active.waiters {
            guard let edge = waiters[number]?.edge, let value = active.outputs[edge.output],
                let key = active.key
            else { continue }
            let outcome = SolveOutcome(
                value: value,
                key: EdgeKey(key: key.primary, output: edge.output),
                isCached: active.isCached
            )
            finishWaiter(number, .solved(outcome))
        }
        enqueue(active)
    }

    private mutating func releaseInputs(_ active: ActiveVertex) {
        active.hasRequestedInputs = false
        for index in active.links.indices { releaseResult(active, index) }
    }
}
