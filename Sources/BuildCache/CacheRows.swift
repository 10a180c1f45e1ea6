// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import GRDB
internal import OCI
internal import Snapshots

/// What the database says of a layer, as far as it takes to bring it back.
struct LayerRow: Sendable {
    let id: LayerID
    let diffID: Digest?
    let blob: OCI.Descriptor?
}

// The statements. Each is prepared once a connection.
extension Database {
    private func run(_ sql: String, _ arguments: StatementArguments) throws {
        try cachedStatement(sql: sql).execute(arguments: arguments)
    }

    private func row(_ sql: String, _ arguments: StatementArguments) throws -> Row? {
        try Row.fetchOne(try cachedStatement(sql: sql), arguments: arguments)
    }

    // MARK: Keys

    func target(of key: Digest) throws -> Digest? {
        let row = try row("SELECT target FROM keys WHERE key = ?", [key.data])
        return row.flatMap { Digest(row: $0[0]) }
    }

    /// Makes a key lead to a primary key.
    ///
    /// When the key was a primary key itself, all that led to it is taken along.
    func lead(_ key: Digest, to target: Digest, _ derivation: [UInt8]?, now: Int64) throws {
        if key != target, try self.target(of: key) == key {
            try run(
                "UPDATE keys SET target = ? WHERE target = ?",
                [target.data, key.data]
            )
        }
        try run(
            """
            INSERT INTO keys (key, target, derivation, used) VALUES (?, ?, ?, ?)
            ON CONFLICT (key) DO UPDATE SET
                target = excluded.target,
                derivation = coalesce(excluded.derivation, derivation),
                used = excluded.used
            """,
            [key.data, target.data, derivation.map { Data($0) }, now]
        )
    }

    // MARK: Records

    func recordID(_ key: Digest, _ output: Int) throws -> Int64? {
        try row("SELECT id FROM records WHERE key = ? AND output = ?", [key.data, output])?[0]
    }

    func addRecord(
        _ id: Int64,
        _ slot: Memory.Slot,
        stack: Int64,
        vertex: Digest,
        name: String,
        now: Int64
    ) throws {
        try run(
            """
            INSERT OR REPLACE INTO records (id, key, output, stack, vertex, name, created)
            VALUES (?, ?, ?, ?, ?, ?, ?)
            """,
            [id, slot.key.data, slot.output, stack, vertex.data, name, now]
        )
    }

    func removeRecord(_ id: Int64) throws { try run("DELETE FROM records WHERE id = ?", [id]) }

    /// Finds the layers of a record, lowest first, notes their use and leases them to a process.
    ///
    /// - Throws: `lost` when the record, or the row of one of its layers, is gone.
    func takeRecord(
        _ id: Int64,
        _ slot: Memory.Slot,
        owner: String,
        now: Int64
    ) throws
        -> [LayerRow]
    {
        let lost = BuildCacheError(
            .lost,
            "cannot load result \(slot.key): it is no longer in the cache"
        )
        let found = try row(
            "SELECT stack FROM records WHERE id = ? AND key = ? AND output = ?",
            [id, slot.key.data, slot.output]
        )
        guard let stack: Int64 = found?[0] else { throw lost }
        let rows = try layers(ofStack: stack)
        guard let rows else { throw lost }
        for row in rows {
            try run("UPDATE layers SET used = ?, uses = uses + 1 WHERE id = ?", [now, row.id])
        }
        if !rows.isEmpty { try lease("record:\(id)", owner) }
        try run("UPDATE keys SET used = ? WHERE key = ?", [now, slot.key.data])
        return rows
    }

    /// The layers of a stack, lowest first; `nil` when the row of one is missing.
    private func layers(ofStack stack: Int64) throws -> [LayerRow]? {
        if stack == 0 { return [] }
        let statement = try cachedStatement(
            sql: """
                WITH RECURSIVE steps (below, layer, depth) AS (
                    SELECT below, layer, 0 FROM stacks WHERE id = ?
                    UNION ALL
                    SELECT stacks.below, stacks.layer, depth + 1
                    FROM steps JOIN stacks ON stacks.id = steps.below
                )
                SELECT steps.below, layers.id, layers.diff_id, layers.blob
                FROM steps LEFT JOIN layers ON layers.id = steps.layer ORDER BY depth DESC
                """
        )
        var rows: [LayerRow] = []
        for row in try Row.fetchAll(statement, arguments: [stack]) {
            guard let id: String = row[1] else { return nil }
            // The lowest step must stand on the empty stack.
            if rows.isEmpty, row[0] as Int64 != 0 { return nil }
            let blob: String? = row[3]
            rows.append(
                LayerRow(
                    id: id,
                    diffID: Digest(row: row[2]),
                    blob: blob.flatMap { text in
                        try? JSONDecoder().decode(OCI.Descriptor.self, from: Data(text.utf8))
                    }
                )
            )
        }
        return rows.isEmpty ? nil : rows
    }

    // MARK: Stacks

    func isStackNode(_ id: Int64, _ below: Int64, _ layer: LayerID) throws -> Bool {
        try row(
            "SELECT 1 FROM stacks WHERE id = ? AND below = ? AND layer = ?",
            [id, below, layer]
        ) != nil
    }

    /// The node for a layer on a stack, made where there is none.
    func stackNode(_ below: Int64, _ layer: LayerID) throws -> Int64 {
        let found = try row(
            "SELECT id FROM stacks WHERE below = ? AND layer = ?",
            [below, layer]
        )
        if let id: Int64 = found?[0] { return id }
        try run("INSERT INTO stacks (below, layer) VALUES (?, ?)", [below, layer])
        return lastInsertedRowID
    }

    // MARK: Layers

    func note(of layer: LayerID) throws -> (LayerID, (created: Int64, description: String))? {
        try row("SELECT created, description FROM layers WHERE id = ?", [layer])
            .map { (layer, (created: $0[0], description: $0[1])) }
    }

    func addLayer(_ layer: LayerRow, kind: RecordKind, description: String, now: Int64) throws {
        let blob = try layer.blob.map {
            String(decoding: try JSONEncoder().encode($0), as: UTF8.self)
        }
        try run(
            """
            INSERT INTO layers (id, kind, description, created, used, uses, diff_id, blob)
            VALUES (?, ?, ?, ?, ?, 1, ?, ?)
            ON CONFLICT (id) DO UPDATE SET used = max(used, excluded.used)
            """,
            [layer.id, kind.rawValue, description, now, now, layer.diffID?.data, blob]
        )
    }

    // MARK: Blobs

    func origin(of blob: Digest) throws -> String? {
        try row("SELECT origin FROM blobs WHERE digest = ?", [blob.data])?[0]
    }

    // MARK: Leases

    func lease(_ name: String, _ owner: String) throws {
        try run("INSERT OR IGNORE INTO leases (owner, name) VALUES (?, ?)", [owner, name])
    }
}

extension Digest {
    /// The 32 bytes as a column holds them.
    var data: Data {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        append(to: &bytes)
        return Data(bytes)
    }

    /// The digest in a column; `nil` for NULL and for anything damaged.
    init?(row value: Data?) {
        guard let value, let digest = Digest(sha256: value) else { return nil }
        self = digest
    }

    /// The digest in a column that holds a descriptor as JSON.
    init?(descriptor text: String?) {
        guard let text,
            let found = try? JSONDecoder().decode(OCI.Descriptor.self, from: Data(text.utf8))
        else { return nil }
        self = found.digest
    }
}
