// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import GRDB
internal import LinuxSystem
internal import OCI
internal import Snapshots
internal import Synchronization

// What is on disk, and removing it.
extension BuildCache {
    /// All the cache keeps on disk; the sizes add up to what it takes there.
    ///
    /// - Parameter neighbours: What is counted besides.
    package func diskUsage(
        _ filters: [UsageFilter] = [],
        with neighbours: [any UsageNeighbour] = []
    ) async throws -> [UsageRecord] {
        try await flush()
        return try await blocking { [self] in
            try endUnusedLeases()
            return try (survey() + neighbours.flatMap { try $0.records() }).filter { filters.match($0) }
        }
    }

    /// Applies policies one after the other.
    ///
    /// Rows go before files: a crash in between leaves files that no row names, never a row without its file. What a
    /// living process uses stays.
    ///
    /// - Parameters:
    ///   - policies: What may go, first policy first.
    ///   - neighbours: What the policies are about besides.
    ///   - onRemove: Called for each record that went.
    /// - Returns: The records that went.
    /// - Throws: ``BuildCacheError``; what went before stays gone.
    @discardableResult
    package func prune(
        _ policies: [PrunePolicy],
        with neighbours: [any UsageNeighbour] = [],
        onRemove: @Sendable (UsageRecord) -> Void = { _ in }
    ) async throws -> [UsageRecord] {
        try await flush()
        var removed: [UsageRecord] = []
        for policy in policies {
            let gone = try await blocking { [self] in
                try endUnusedLeases()
                return try apply(policy, neighbours)
            }
            for record in gone { onRemove(record) }
            removed.append(contentsOf: gone)
        }
        try await blocking { [self] in try trimKeys() }
        return removed
    }

    /// How many keys are remembered; the ones used longest ago go first.
    private static let keyCountMax = 300_000

    /// Forgets keys: all when no result is left, else what is beyond the limit.
    private func trimKeys() throws {
        try database.write("collect the build cache") { database in
            if try !database.hasRecords() {
                try database.execute(sql: "DELETE FROM keys")
            } else {
                try database.trimKeys(to: Self.keyCountMax)
            }
        }
    }

    private func apply(_ policy: PrunePolicy, _ neighbours: [any UsageNeighbour]) throws -> [UsageRecord] {
        var records = try survey()
        var owners: [String: any UsageNeighbour] = [:]
        for neighbour in neighbours {
            let own = try neighbour.records()
            for record in own { owners[record.id] = neighbour }
            records += own
        }
        let free = try attempt("read the free space") { try state.root.space().available }
        let chosen = policy.choose(from: records, free: Int64(clamping: free), now: now())
        let byID = Dictionary(uniqueKeysWithValues: records.map { ($0.id, $0) })
        var removed: [UsageRecord] = []
        // Some hundred at a time: other processes get their turn, and little is done twice after a crash.
        var rest = chosen[...]
        while !rest.isEmpty {
            let group = rest.prefix(Self.pruneGroupCount)
            rest = rest.dropFirst(Self.pruneGroupCount)
            let (own, others) = (group.filter { owners[$0] == nil }, group.filter { owners[$0] != nil })
            let gone = try removeRows(own.compactMap { byID[$0] })
            for record in gone where try removeFiles(record) { removed.append(record) }
            for record in others.compactMap({ byID[$0] }) where try owners[record.id]?.remove(record) == true {
                removed.append(record)
            }
        }
        return removed
    }

    private static let pruneGroupCount = 256

    /// Removes the rows of records that are still not in use.
    private func removeRows(_ records: [UsageRecord]) throws -> [UsageRecord] {
        let gone = try database.write("collect the build cache") { database in
            let used = try leased(database)
            let pinned = try pinnedBlobs(database)
            return try records.filter { record in
                if used.layers.contains(record.id) { return false }
                if let digest = Digest(record.id) {
                    if pinned.contains(digest) { return false }
                    try database.removeBlob(digest)
                    return true
                }
                if record.kind == .cacheMount { return true }
                return try database.removeLayer(record.id)
            }
        }
        memory.withLock { memory in
            for record in gone { memory.durableLayers.remove(record.id) }
        }
        return gone
    }

    private func removeFiles(_ record: UsageRecord) throws -> Bool {
        if let digest = Digest(record.id) {
            try content.remove(digest)
        } else if record.kind == .cacheMount, record.id.hasPrefix(Self.mountPrefix) {
            return try snapshots.removeCacheDirectory(
                String(record.id.dropFirst(Self.mountPrefix.count))
            )
        } else {
            try snapshots.remove(record.id)
        }
        return true
    }

    // MARK: Surveying

    private static let mountPrefix = "mount-"
    /// A blob this young may belong to a build of another process that has not named it yet, in milliseconds.
    private static let youngBlobAge: Int64 = 3_600_000

    /// All records with their sizes.
    ///
    /// Blocks.
    func survey() throws -> [UsageRecord] {
        let onDisk = try snapshots.list()
        let blobs = try content.list()
        try measure(onDisk)
        let unnamed = try measureUnnamed(onDisk)
        let mounts = try snapshots.cacheDirectories()
        let others = try otherOwners()
        let time = now()
        return try database.write("measure the build cache") { database in
            let used = try leased(database)
            let pinned = try pinnedBlobs(database)
            try adoptBlobs(blobs.map(\.digest), database, time)
            var records: [UsageRecord] = []
            var named: Set<String> = []
            let parents = try database.parents()
            for row in try Row.fetchAll(
                database,
                sql: "SELECT id, kind, description, size, created, used, uses, blob FROM layers"
            ) {
                let id: String = row[0]
                named.insert(id)
                let blob: String? = row[7]
                records.append(
                    UsageRecord(
                        id: id,
                        kind: RecordKind(rawValue: row[1]) ?? .regular,
                        description: row[2],
                        size: row[3] ?? 0,
                        created: row[4],
                        lastUsed: row[5],
                        usageCount: row[6],
                        isInUse: used.layers.contains(id),
                        isShared: Digest(descriptor: blob).map(pinned.contains) ?? false,
                        parents: parents[id] ?? []
                    )
                )
            }
            // On disk and named by no record: being made, or used by a build that failed.
            for (id, size) in unnamed where !named.contains(id) {
                let owner = Self.owner(of: id)
                records.append(
                    UsageRecord(
                        id: id,
                        description: "not part of a result",
                        size: size,
                        created: time,
                        isInUse: owner.map { state.isAlive(owner: $0) } ?? !others.isEmpty
                    )
                )
            }
            for (digest, size) in blobs {
                guard let row = try database.blobRow(digest) else { continue }
                let isYoung = !others.isEmpty && time - row.created < Self.youngBlobAge
                records.append(
                    UsageRecord(
                        id: digest.description,
                        description: row.description,
                        size: size,
                        created: row.created,
                        lastUsed: row.used,
                        usageCount: row.uses,
                        isInUse: isYoung || pinned.contains(digest) || used.blobs.contains(digest),
                        isShared: pinned.contains(digest)
                    )
                )
            }
            for mount in mounts {
                records.append(
                    UsageRecord(
                        id: Self.mountPrefix + mount.name,
                        kind: .cacheMount,
                        description: "cache mount \(mount.id)",
                        size: mount.size,
                        created: mount.lastUsed.seconds &* 1000,
                        lastUsed: mount.lastUsed.seconds &* 1000,
                        usageCount: 1,
                        isMutable: true
                    )
                )
            }
            return records
        }
    }

    /// Measures layers that were not measured since they came to disk.
    private func measure(_ onDisk: [LayerID]) throws {
        let unmeasured = try database.read { database in
            Set(try String.fetchAll(database, sql: "SELECT id FROM layers WHERE size IS NULL"))
        }
        let sizes = try onDisk.filter(unmeasured.contains).map { ($0, try snapshots.diskUsage($0)) }
        if sizes.isEmpty { return }
        try database.write("measure the build cache") { database in
            for (id, size) in sizes { try database.setLayerSize(id, size) }
        }
    }

    /// Sizes of layers on disk that have no row.
    private func measureUnnamed(_ onDisk: [LayerID]) throws -> [(LayerID, Int64)] {
        let named = try database.read { database in
            Set(try String.fetchAll(database, sql: "SELECT id FROM layers"))
        }
        return try onDisk.filter { !named.contains($0) }.map { ($0, try snapshots.diskUsage($0)) }
    }

    /// Gives blobs that nobody described a row, so that their age counts from now on.
    private func adoptBlobs(_ blobs: [Digest], _ database: Database, _ time: Int64) throws {
        for blob in blobs where try database.blobRow(blob) == nil {
            try database.noteBlob(blob, origin: nil, description: "", now: time)
        }
    }

    /// Layers and blobs that living processes use.
    private func leased(_ database: Database) throws -> (layers: Set<String>, blobs: Set<Digest>) {
        var layers: Set<String> = []
        var blobs: Set<Digest> = []
        for row in try Row.fetchAll(database, sql: "SELECT DISTINCT owner, name FROM leases") {
            let owner: String = row[0]
            let name: String = row[1]
            guard state.isAlive(owner: owner) else { continue }
            if name.hasPrefix("record:"), let id = Int64(name.dropFirst(7)) {
                for layer in try database.layers(ofRecord: id) { layers.insert(layer) }
            }
        }
        // A source notes the blobs of an image before it hands out the layers, and a record is leased only when it is
        // saved: until then the note protects what another process begins to use.
        if try !otherOwners().isEmpty {
            layers.formUnion(try database.layersOfBlobs(usedSince: now() - Self.youngBlobAge))
        }
        for layer in layers {
            if let blob = Digest(descriptor: try database.layerBlob(layer)) {
                blobs.insert(blob)
            }
        }
        return (layers, blobs)
    }

    private func pinnedBlobs(_ database: Database) throws -> Set<Digest> {
        Set(
            try Data.fetchAll(database, sql: "SELECT digest FROM pins").compactMap {
                Digest(row: $0)
            }
        )
    }
}

extension Database {
    func hasRecords() throws -> Bool {
        try Row.fetchOne(self, sql: "SELECT 1 FROM records LIMIT 1") != nil
    }

    /// Forgets the keys used longest ago, beyond a count.
    func trimKeys(to count: Int) throws {
        let all = try Int.fetchOne(self, sql: "SELECT count(*) FROM keys") ?? 0
        if all <= count { return }
        try execute(
            sql: "DELETE FROM keys WHERE key IN (SELECT key FROM keys ORDER BY used LIMIT ?)",
            arguments: [all - count]
        )
    }

    /// Layers of images whose blobs were noted since a time.
    func layersOfBlobs(usedSince time: Int64) throws -> [String] {
        let blobs = Set(
            try Data.fetchAll(
                self,
                sql: "SELECT digest FROM blobs WHERE used > ?",
                arguments: [time]
            )
            .compactMap { Digest(row: $0) }
        )
        if blobs.isEmpty { return [] }
        var layers: [String] = []
        let rows = try Row.fetchCursor(
            self,
            sql: "SELECT id, blob FROM layers WHERE blob IS NOT NULL"
        )
        while let row = try rows.next() {
            if let blob = Digest(descriptor: row[1]), blobs.contains(blob) { layers.append(row[0]) }
        }
        return layers
    }

    /// For each layer, the layers directly below it in some stack.
    func parents() throws -> [String: [String]] {
        var parents: [String: [String]] = [:]
        let rows = try Row.fetchCursor(
            self,
            sql: """
                SELECT DISTINCT upper.layer, lower.layer
                FROM stacks AS upper JOIN stacks AS lower ON lower.id = upper.below
                """
        )
        while let row = try rows.next() { parents[row[0], default: []].append(row[1]) }
        return parents
    }

    func layers(ofRecord id: Int64) throws -> [String] {
        try String.fetchAll(
            try cachedStatement(
                sql: """
                    WITH RECURSIVE steps (below, layer) AS (
                        SELECT below, layer FROM stacks
                        WHERE id = (SELECT stack FROM records WHERE id = ?)
                        UNION ALL
                        SELECT stacks.below, stacks.layer
                        FROM steps JOIN stacks ON stacks.id = steps.below
                    )
                    SELECT layer FROM steps
                    """
            ),
            arguments: [id]
        )
    }

    func layerBlob(_ id: String) throws -> String? {
        try String.fetchOne(
            try cachedStatement(sql: "SELECT blob FROM layers WHERE id = ?"),
            arguments: [id]
        )
    }

    func setLayerSize(_ id: String, _ size: Int64) throws {
        try cachedStatement(sql: "UPDATE layers SET size = ? WHERE id = ?")
            .execute(arguments: [size, id])
    }

    /// Removes a layer with all stacks that end in it and the records on them.
    ///
    /// - Returns: `false` when another layer stands on it.
    func removeLayer(_ id: String) throws -> Bool {
        let hasChildren = try Row.fetchOne(
            try cachedStatement(
                sql: """
                    SELECT 1 FROM stacks AS lower JOIN stacks AS upper ON upper.below = lower.id
                    WHERE lower.layer = ? LIMIT 1
                    """
            ),
            arguments: [id]
        )
        if hasChildren != nil { return false }
        for sql in [
            "DELETE FROM records WHERE stack IN (SELECT id FROM stacks WHERE layer = ?)",
            "DELETE FROM stacks WHERE layer = ?",
            "DELETE FROM layers WHERE id = ?",
        ] {
            try cachedStatement(sql: sql).execute(arguments: [id])
        }
        return true
    }

    struct BlobRow {
        let description: String
        let created: Int64
        let used: Int64
        let uses: Int
    }

    func blobRow(_ digest: Digest) throws -> BlobRow? {
        let statement = try cachedStatement(
            sql: "SELECT description, created, used, uses FROM blobs WHERE digest = ?"
        )
        guard let row = try Row.fetchOne(statement, arguments: [digest.data]) else { return nil }
        return BlobRow(description: row[0], created: row[1], used: row[2], uses: row[3])
    }

    func removeBlob(_ digest: Digest) throws {
        // Where it came from is still true; only its use ends.
        try cachedStatement(
            sql: "UPDATE blobs SET uses = 0 WHERE digest = ? AND origin IS NOT NULL"
        )
        .execute(arguments: [digest.data])
        try cachedStatement(sql: "DELETE FROM blobs WHERE digest = ? AND origin IS NULL")
            .execute(arguments: [digest.data])
    }
}
