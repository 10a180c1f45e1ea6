// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import GRDB
internal import LinuxSystem
internal import OCI
internal import Snapshots
internal import Solver
internal import Synchronization

// Making results durable, in groups.
extension BuildCache {
    /// Makes durable all that was saved so far.
    ///
    /// - Throws: ``BuildCacheError`` when results since the last call could not be kept; they are built anew next time.
    package func flush() async throws {
        await commitAll()
        let failure = memory.withLock { memory in
            defer { memory.failure = nil }
            return memory.failure
        }
        if let failure { throw failure }
    }

    func commitSoon() {
        let isFirst = memory.withLock { memory in
            defer { memory.isTimerSet = true }
            return !memory.isTimerSet
        }
        guard isFirst else { return }
        // Owned by nobody on purpose: it holds nothing but a weak reference, and ends after one delay.
        Task { [weak self] in
            try? await Task.sleep(for: Self.commitDelay)
            guard let self else { return }
            memory.withLock { $0.isTimerSet = false }
            await commitAll()
        }
    }

    /// Commits without delay, for another process waits.
    func commitNow() {
        Task { [weak self] in await self?.commitAll() }
    }

    private func commitAll() async {
        while let batch = await nextBatch() { await commit(batch) }
    }

    /// Takes the changes to commit, when it is this caller's turn.
    ///
    /// - Returns: `nil` when nothing is left.
    private func nextBatch() async -> Memory.Batch? {
        while true {
            enum Turn { case wait, take(Memory.Batch), done }
            let turn: Turn = memory.withLock { memory in
                if memory.isCommitting { return .wait }
                if memory.batch.isEmpty { return .done }
                memory.isCommitting = true
                defer { memory.batch = Memory.Batch() }
                return .take(memory.batch)
            }
            switch turn {
            case .take(let batch): return batch
            case .done: return nil
            case .wait:
                await withCheckedContinuation { continuation in
                    let goesOn = memory.withLock { memory in
                        if memory.isCommitting { memory.waiting.append(continuation) }
                        return !memory.isCommitting
                    }
                    if goesOn { continuation.resume() }
                }
            }
        }
    }

    private func commit(_ batch: Memory.Batch) async {
        var failure: (any Error)?
        do {
            try await write(batch)
        } catch {
            failure = error
        }
        let (released, waiting) = memory.withLock { memory in
            if let failure { memory.failure = failure }
            memory.isCommitting = false
            defer { memory.waiting = [] }
            return (memory.settle(batch), memory.waiting)
        }
        releaseLocks(released)
        for continuation in waiting { continuation.resume() }
    }

    /// Syncs the layers of a batch, then writes its rows.
    private func write(_ batch: Memory.Batch) async throws {
        let durable = memory.withLock { $0.durableLayers }
        let fresh = try await blocking { [snapshots] in
            var seen: Set<LayerID> = []
            var fresh: [Layer] = []
            for record in batch.records {
                for layer in record.tree.layers
                where !durable.contains(layer.id) && seen.insert(layer.id).inserted {
                    if snapshots.contains(layer.id) { fresh.append(layer) }
                }
            }
            return fresh
        }
        if !fresh.isEmpty { try await snapshots.persist(fresh) }
        let onDisk = durable.union(fresh.map(\.id))
        try await blocking { [self] in
            var nodes = memory.withLock { $0.stackNodes }
            try database.write("save results in the build cache") { database in
                var writer = BatchWriter(
                    database: database,
                    owner: state.owner,
                    now: now(),
                    onDisk: onDisk,
                    durable: durable,
                    nodes: nodes
                )
                try writer.write(batch)
                nodes = writer.nodes
            }
            memory.withLock { memory in
                memory.stackNodes = nodes
                // Names that follow from content may be collected and come back: their rows are checked each time.
                memory.durableLayers.formUnion(
                    fresh.map(\.id).filter { !Layer.isNamedByContent($0) }
                )
                for record in batch.records { memory.lease(record.id, record.tree) }
            }
        }
    }
}

/// Writes one batch inside one transaction.
private struct BatchWriter {
    let database: Database
    let owner: String
    let now: Int64
    /// Layers whose bytes are synced.
    let onDisk: Set<LayerID>
    /// Layers that have a row already.
    let durable: Set<LayerID>
    var nodes: [Memory.StackStep: Int64]

    mutating func write(_ batch: Memory.Batch) throws {
        for (question, answer) in batch.answers {
            try database.setAnswer(answer.answer, for: question, now: answer.asked)
        }
        for id in batch.drops { try database.removeRecord(id) }
        for (derivation, target) in batch.aliases {
            try database.lead(
                derivation.key.digest,
                to: target,
                KeyCoding.encode(derivation),
                now: now
            )
        }
        for key in batch.primaries { try database.lead(key, to: key, nil, now: now) }
        for record in batch.records where record.tree.layers.allSatisfy(canBeKept) {
            for layer in record.tree.layers where !durable.contains(layer.id) {
                try database.addLayer(
                    LayerRow(id: layer.id, diffID: layer.diffID, blob: layer.blob),
                    kind: record.kind,
                    description: record.description,
                    now: record.created
                )
            }
            let stack = try stack(of: record.tree)
            try database.addRecord(
                record.id,
                record.slot,
                stack: stack,
                vertex: record.vertex,
                name: record.name,
                now: record.created
            )
            if !record.tree.layers.isEmpty { try database.lease("record:\(record.id)", owner) }
        }
    }

    /// On disk, or a layer of an image that can be had again.
    private func canBeKept(_ layer: Layer) -> Bool {
        onDisk.contains(layer.id)
            || (layer.isFromImage && layer.blob != nil && layer.diffID != nil)
    }

    private mutating func stack(of tree: FileTree) throws -> Int64 {
        var node: Int64 = 0
        var last: (step: Memory.StackStep, node: Int64)?
        var depth = 0
        while depth < tree.layers.count {
            let step = Memory.StackStep(below: node, layer: tree.layers[depth].id)
            guard let known = nodes[step] else { break }
            last = (step, known)
            node = known
            depth += 1
        }
        // Nodes go from the top down, so when the last one stands, all below it do.
        if let last, try !database.isStackNode(last.node, last.step.below, last.step.layer) {
            nodes = [:]
            node = 0
            depth = 0
        }
        for layer in tree.layers[depth...] {
            let step = Memory.StackStep(below: node, layer: layer.id)
            node = try database.stackNode(step.below, step.layer)
            nodes[step] = node
        }
        return node
    }
}
