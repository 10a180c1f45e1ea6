// SPDX-License-Identifier: Apache-2.0

internal import Digests

// Finding the primary key of a vertex.
//
// definition key (operation, keys of inputs) → known? done
//   → some inputs can be digested: get their results, content key → known? done, and the definition leads there
//   → a source has further digests: → known? done, and the definition leads there
//   → nobody knows: the strongest key found is the primary key of what will be made
extension Scheduler {
    mutating func advanceKey(_ active: ActiveVertex) {
        switch active.keyPhase {
        case .idle: beginKey(active)
        case .awaitingKeys where active.pendingKeyCount == 0: define(active)
        case .awaitingContent where active.pendingContentCount == 0: requestDigests(active)
        default: break
        }
    }

    private mutating func beginKey(_ active: ActiveVertex) {
        active.derivations = []
        for index in active.links.indices { holdKey(active, index) }
        if let map = active.map {
            active.keyPhase.enter(.awaitingKeys)
            noteNewInputs(active, map)
            if active.pendingKeyCount == 0 { define(active) }
        } else {
            active.keyPhase.enter(.mapping)
            actions.append(.map(begin(.key, active), active.vertex.operation))
        }
    }

    mutating func applyMap(_ map: CacheMap, to active: ActiveVertex) {
        let count = active.links.count
        guard map.inputs.count == count, map.alternatives == nil || count == 0 else {
            fail(
                active,
                SolverError(
                    .contractBroken,
                    "cannot use the cache map of \(active.vertex.name): it has rules for "
                        + "\(map.inputs.count) inputs, the vertex has \(count)",
                    vertex: active.vertex.digest
                )
            )
            return
        }
        active.map = map
        if active.started != nil && active.completed == nil { reportEnded(active, error: nil) }
        active.keyPhase.enter(.awaitingKeys)
        noteNewInputs(active, map)
    }

    private mutating func define(_ active: ActiveVertex) {
        guard let map = active.map else { return }
        let definition = derive(active, map, contents: [:])
        active.derivations = [definition]
        probe(active, .definition, [definition])
    }

    /// The derivation with digests for some inputs and primary keys for the others.
    private func derive(
        _ active: ActiveVertex,
        _ map: CacheMap,
        contents: [Int: Digest]
    )
        -> KeyDerivation
    {
        let inputs = active.links.indices.map { index in
            if let content = contents[index] {
                return KeyDerivation.Input(origin: .content(content), selector: nil)
            }
            return KeyDerivation.Input(
                origin: .key(inputKey(active.links[index])),
                selector: map.inputs[index].selector
            )
        }
        return KeyDerivation(
            operation: map.digest,
            isPersistable: map.isPersistable,
            inputs: inputs,
            hash: hash
        )
    }

    /// The key of a link whose source is keyed.
    func inputKey(_ link: ActiveVertex.Link) -> EdgeKey {
        guard let key = vertices[link.source]?.key else {
            preconditionFailure("a key is used after it was found")
        }
        return EdgeKey(key: key.primary, output: link.output)
    }

    /// Whether this run gives a result that no earlier key may stand for.
    private func isForced(_ active: ActiveVertex) -> Bool {
        active.vertex.ignoresCache && active.map?.isDeterministic == false
    }

    // MARK: Asking the store

    private mutating func probe(
        _ active: ActiveVertex,
        _ kind: ProbeReport.Kind,
        _ derivations: [KeyDerivation]
    ) {
        if isForced(active) || !derivations.contains(where: \.key.isPersistable) {
            report(active, kind, derivations, .skipped)
            missed(active, kind)
            return
        }
        active.keyPhase.enter(.probing(kind))
        actions.append(.probe(begin(.key, active), derivations.map(\.key)))
    }

    mutating func applyProbe(_ found: (position: Int, primary: CacheKey)?, to active: ActiveVertex) {
        guard case .probing(let kind) = active.keyPhase else { return }
        let probed =
            kind == .alternative
            ? Array(active.derivations.dropFirst()) : Array(active.derivations.suffix(1))
        guard let found, probed.indices.contains(found.position) else {
            report(active, kind, probed, .unknown)
            missed(active, kind)
            return
        }
        let hit = probed[found.position]
        report(active, kind, [hit], .known(found.primary))
        let others = active.derivations.filter {
            $0.key.isPersistable && $0.key != found.primary && $0.key != hit.key
        }
        if !others.isEmpty { actions.append(.alias(others, found.primary)) }
        keyed(active, ActiveVertex.Key(primary: found.primary, isKnown: true))
    }

    private func report(
        _ active: ActiveVertex,
        _ kind: ProbeReport.Kind,
        _ derivations: [KeyDerivation],
        _ outcome: ProbeReport.Outcome
    ) {
        for derivation in derivations {
            active.probes.append(
                ProbeReport(
                    vertex: active.vertex.digest,
                    name: active.vertex.name,
                    kind: kind,
                    derivation: derivation,
                    outcome: outcome
                )
            )
        }
    }

    private mutating func missed(_ active: ActiveVertex, _ kind: ProbeReport.Kind) {
        guard let map = active.map else { return }
        if kind == .definition {
            if map.inputs.contains(where: { $0.contentDigest != nil }) {
                active.keyPhase.enter(.awaitingContent)
                for index in active.links.indices where active.isDigestible(index) {
                    holdResult(active, index)
                }
                if active.pendingContentCount == 0 { requestDigests(active) }
                return
            }
            if let alternatives = map.alternatives, !isForced(active) {
                active.keyPhase.enter(.askingAlternatives)
                actions.append(.askAlternatives(begin(.key, active), alternatives))
                return
            }
        }
        becomeNew(active)
    }

    private mutating func requestDigests(_ active: ActiveVertex) {
        guard let map = active.map else { return }
        active.keyPhase.enter(.digesting)
        var requests: [ContentRequest] = []
        for (index, link) in active.links.enumerated() {
            guard let digest = map.inputs[index].contentDigest,
                let value = vertices[link.source]?.outputs[link.output]
            else { continue }
            requests.append(ContentRequest(link: index, digest: digest, value: value))
        }
        actions.append(.digest(begin(.key, active), requests))
    }

    mutating func applyDigests(_ digests: [Int: Digest], to active: ActiveVertex) {
        guard active.keyPhase == .digesting, let map = active.map else { return }
        let content = derive(active, map, contents: digests)
        active.derivations.append(content)
        probe(active, .content, [content])
    }

    mutating func applyAlternatives(_ digests: [Digest], to active: ActiveVertex) {
        guard active.keyPhase == .askingAlternatives, let map = active.map else { return }
        let derivations = digests.map {
            KeyDerivation(operation: $0, isPersistable: map.isPersistable, inputs: [], hash: hash)
        }
        active.derivations.append(contentsOf: derivations)
        if derivations.isEmpty {
            becomeNew(active)
        } else {
            probe(active, .alternative, derivations)
        }
    }

    /// Nobody knows a key that leads here: choose the one under which the result will stand.
    private mutating func becomeNew(_ active: ActiveVertex) {
        // Keys are found in the order of their strength: the last one is met by the most ways.
        guard var primary = active.derivations.last else { return }
        if isForced(active) {
            primary = primary.with(generation: generation(), hash: hash)
            active.derivations.append(primary)
        }
        keyed(active, ActiveVertex.Key(primary: primary.key, isKnown: false))
    }

    private mutating func keyed(_ active: ActiveVertex, _ key: ActiveVertex.Key) {
        active.keyPhase.enter(.keyed)
        active.key = key
        for index in active.links.indices { releaseKey(active, index) }
        if key.isKnown || active.resultHolds == 0 {
            // Content was only needed for the key, unless all inputs are wanted anyway.
            active.isSurelyNew = false
            if !active.hasRequestedInputs {
                for index in active.links.indices { releaseResult(active, index) }
            }
        }
        for dependant in active.dependants {
            guard let other = vertices[dependant.vertex] else { continue }
            if other.links[dependant.link].holdsKey && !other.links[dependant.link].isKeyReady {
                other.links[dependant.link].isKeyReady = true
                other.pendingKeyCount -= 1
                if other.pendingKeyCount == 0 { enqueue(other) }
            }
            if !key.isKnown { startContent(other, dependant.link) }
        }
        if !key.isKnown { spreadNewness(from: active) }
        enqueue(active)
    }

    /// The key a vertex has after its execution may be another than the one it was sought by.
    mutating func noteStored(_ active: ActiveVertex, under primary: CacheKey) {
        let old = active.twinKey
        active.key = ActiveVertex.Key(primary: primary, isKnown: primary.isPersistable)
        if let old, let new = active.twinKey, old != new, twins[old] == active.number {
            twins[old] = nil
            twins[new] = active.number
        }
    }

    // MARK: Surely new

    /// Begins to make a new input that can only be found by its content.
    ///
    /// Without it the key cannot be known, so waiting for the other keys first would only make independent inputs run one
    /// after the other.
    private mutating func startContent(_ active: ActiveVertex, _ index: Int) {
        if active.keyPhase == .awaitingKeys, active.isDigestible(index) { holdResult(active, index) }
    }

    /// Looks for an input that makes any lookup useless, once the rules are known.
    private mutating func noteNewInputs(_ active: ActiveVertex, _ map: CacheMap) {
        for index in active.links.indices where isNew(active.links[index].source) {
            startContent(active, index)
        }
        let hasNewInput = active.links.indices.contains { index in
            map.inputs[index].contentDigest == nil && isNew(active.links[index].source)
        }
        if hasNewInput || isForced(active) {
            active.isSurelyNew = true
            enqueue(active)
            spreadNewness(from: active)
        }
    }

    private func isNew(_ number: Int) -> Bool {
        guard let active = vertices[number] else { return false }
        return active.isSurelyNew || active.key?.isKnown == false
    }

    private mutating func spreadNewness(from first: ActiveVertex) {
        var pending = [first]
        while let active = pending.popLast() {
            for dependant in active.dependants {
                guard let other = vertices[dependant.vertex] else { continue }
                startContent(other, dependant.link)
                guard !other.isSurelyNew,
                    other.keyPhase != .idle, other.keyPhase != .keyed,
                    let map = other.map, map.inputs[dependant.link].contentDigest == nil
                else { continue }
                other.isSurelyNew = true
                enqueue(other)
                pending.append(other)
            }
        }
    }
}
