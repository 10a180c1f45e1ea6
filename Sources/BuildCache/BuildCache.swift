// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
package import OCI
package import Snapshots
package import Solver
internal import Synchronization

/// Brings a blob that is known by its descriptor into the content store.
package protocol BlobFetcher: Sendable {
    /// - Parameters:
    ///   - blob: What to fetch; its bytes must match it.
    ///   - origin: What ``BuildCache/noteOrigin(of:_:description:)`` said, `nil` when nobody did.
    /// - Throws: Any error; who looks into the layer gets it.
    func fetch(_ blob: OCI.Descriptor, origin: String?) async throws
}

/// Results of builds, kept in `kiln.db` and the snapshot store; many processes may use one at the same time.
///
/// What a build saves is found by the next look-up at once and becomes durable in groups: one sync of the disk, then one
/// transaction, at the latest ``commitDelay`` after the first of a group and always in ``flush()``. A row names only
/// what is on disk, so a process that is killed leaves layers that no row names; the next one to open the cache sweeps
/// them. Whoever loads or saves a record leases it: no other process collects it while the lease lasts.
///
/// Results are ``FileTree`` values; others live in the solver alone.
package final class BuildCache: CacheStore {
    let state: StateDirectory
    let content: ContentStore
    let snapshots: SnapshotStore
    let database: CacheDatabase
    let memory = Mutex(Memory())
    let now: @Sendable () -> Int64
    private let locks: BuildLocks
    private let fetcher: any BlobFetcher

    /// What the user should know about how the cache was opened, as one sentence.
    package var notice: String? { database.notice }

    /// How long a result waits for others before it is made durable with them.
    package static let commitDelay = Duration.seconds(2)

    /// Opens the cache of a state directory.
    ///
    /// Blocks.
    ///
    /// - Parameters:
    ///   - state: The directory; this process owns it as ``StateDirectory/owner``.
    ///   - content: Blobs of the same directory.
    ///   - snapshots: Layers of the same directory.
    ///   - fetcher: Brings blobs of image layers that are not on disk.
    ///   - now: Milliseconds since 1970.
    /// - Throws: ``BuildCacheError``, `newerDatabase` when a later Kiln wrote it.
    package init(
        state: StateDirectory,
        content: ContentStore,
        snapshots: SnapshotStore,
        fetcher: any BlobFetcher,
        now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
    ) throws {
        self.state = state
        self.content = content
        self.snapshots = snapshots
        self.fetcher = fetcher
        self.now = now
        database = try CacheDatabase(state: state)
        locks = try BuildLocks(state: state)
        try arrive()
    }

    // MARK: Looking up

    package func primary(of key: CacheKey) throws -> CacheKey? {
        if let found = memory.withLock({ $0.primary(of: key.digest) }) {
            return CacheKey(digest: found, isPersistable: true)
        }
        guard let found = try database.look({ try $0.target(of: key.digest) }) else { return nil }
        // What is not yet in the database may lead further.
        let last = memory.withLock { $0.primary(of: found) } ?? found
        return CacheKey(digest: last, isPersistable: true)
    }

    package func record(for edge: EdgeKey) throws -> CacheRecord? {
        let slot = Memory.Slot(key: edge.key.digest, output: edge.output)
        if let unsaved = memory.withLock({ $0.records[slot] }) {
            return CacheRecord(edge: edge, id: unsaved.id)
        }
        guard
            let id = try database.look({ try $0.recordID(slot.key, slot.output) }),
            memory.withLock({ !$0.dropped.contains(id) })
        else { return nil }
        return CacheRecord(edge: edge, id: id)
    }

    // MARK: Changing

    package func drop(_ record: CacheRecord) {
        memory.withLock { memory in
            let slot = Memory.Slot(key: record.edge.key.digest, output: record.edge.output)
            if memory.records[slot]?.id == record.id { memory.records[slot] = nil }
            memory.dropped.insert(record.id)
            memory.batch.drops.append(record.id)
        }
        commitSoon()
    }

    package func alias(_ keys: [KeyDerivation], to primary: CacheKey) {
        memory.withLock { memory in
            for derivation in keys {
                memory.primaries[derivation.key.digest] = primary.digest
                memory.batch.aliases.append((derivation, primary.digest))
            }
        }
        commitSoon()
    }

    package func save(_ entry: CacheEntry) {
        let described = entry.operation as? any CacheDescribed
        let created = now()
        memory.withLock { memory in
            memory.primaries[entry.primary.digest] = entry.primary.digest
            for derivation in entry.derivations {
                memory.primaries[derivation.key.digest] = entry.primary.digest
                memory.batch.aliases.append((derivation, entry.primary.digest))
            }
            memory.batch.primaries.append(entry.primary.digest)
            memory.unsavedKeys.insert(entry.primary.digest)
            for (output, result) in entry.results.enumerated() {
                guard let tree = result as? FileTree else { continue }
                let slot = Memory.Slot(key: entry.primary.digest, output: output)
                let record = Memory.Record(
                    id: Int64.random(in: 1...Int64.max),
                    slot: slot,
                    tree: tree,
                    vertex: entry.vertex,
                    name: entry.name,
                    kind: described?.recordKind ?? .regular,
                    description: described?.recordDescription ?? entry.name,
                    created: created
                )
                memory.records[slot] = record
                memory.batch.records.append(record)
            }
        }
        commitSoon()
    }

    package func withBuildLock<Value: Sendable>(
        _ key: CacheKey,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await locks.acquire(key.digest)
        do {
            let value = try await body()
            let isUnsaved = memory.withLock { memory in
                let isUnsaved = memory.unsavedKeys.contains(key.digest)
                if isUnsaved { memory.keptLocks.append(key.digest) }
                return isUnsaved
            }
            locks.finish(key.digest, keeping: isUnsaved)
            if isUnsaved && locks.isWanted(key.digest) { commitNow() }
            return value
        } catch {
            locks.finish(key.digest, keeping: false)
            throw error
        }
    }

    /// Lets other processes have the keys whose results they can now find.
    func releaseLocks(_ keys: [Digest]) { for key in keys { locks.release(key) } }

    // MARK: Loading

    /// - Throws: `lost` when the record or one of its layers is gone.
    package func load(_ record: CacheRecord) async throws -> any Sendable {
        let slot = Memory.Slot(key: record.edge.key.digest, output: record.edge.output)
        let unsaved = memory.withLock { $0.records[slot] }
        if let unsaved, unsaved.id == record.id { return unsaved.tree }
        let tree = try await blocking { [self] in
            let rows = try database.write("load a result of the build cache") { database in
                try database.takeRecord(record.id, slot, owner: state.owner, now: now())
            }
            return try makeTree(rows)
        }
        memory.withLock { $0.lease(record.id, tree) }
        return tree
    }

    /// Turns the rows of a stack, lowest first, into layers; image layers stay as lazy as they are.
    private func makeTree(_ rows: [LayerRow]) throws -> FileTree {
        var tree = FileTree.scratch
        for row in rows {
            if let image = try imageLayer(row, above: tree.layers) {
                tree.layers.append(image)
            } else {
                do {
                    tree.layers.append(try snapshots.layer(id: row.id))
                } catch {
                    throw BuildCacheError(
                        .lost,
                        "cannot load layer \(row.id): \(error)",
                        cause: error
                    )
                }
            }
        }
        return tree
    }

    private func imageLayer(_ row: LayerRow, above layers: [Layer]) throws -> Layer? {
        guard row.id.hasPrefix("image-"), let diffID = row.diffID, let blob = row.blob else {
            return nil
        }
        // The id names the layers below in the image; in a merged tree others may lie further down.
        for start in layers.indices.map({ $0 }) + [layers.count] {
            let layer = snapshots.imageLayer(
                blob: blob,
                diffID: diffID,
                below: Array(layers[start...]),
                fetch: { [self] in try await fetch(blob) }
            )
            if layer.id == row.id { return layer }
        }
        return nil
    }

    private func fetch(_ blob: OCI.Descriptor) async throws {
        let origin = try await blocking { [self] in
            try database.read { try $0.origin(of: blob.digest) }
        }
        try await fetcher.fetch(blob, origin: origin)
    }
}

/// What an operation says about the records it makes, for `du` and `prune`.
package protocol CacheDescribed {
    var recordKind: RecordKind { get }
    /// What the record is, in a line; `nil` = the name of the vertex.
    var recordDescription: String? { get }
}

/// What a record is, as BuildKit names it; `frontend.result` is Kiln's own.
package enum RecordKind: String, Sendable, Hashable, CaseIterable {
    case regular
    case `internal`
    case frontend
    case frontendResult = "frontend.result"
    case localSource = "source.local"
    case gitCheckout = "source.git.checkout"
    case cacheMount = "exec.cachemount"
}
