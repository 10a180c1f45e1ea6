// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import GRDB
internal import LinuxSystem
package import OCI
package import Snapshots
internal import Synchronization

// What the cache remembers besides results: where blobs come from, which are pinned, and answers of the world outside.
extension BuildCache {
    // MARK: Layers

    /// What is known of layers that results have or had; nothing of others.
    ///
    /// - Returns: By id: when the layer was made, in milliseconds since 1970, and what made it.
    package func notes(of layers: Set<LayerID>) throws -> [LayerID: (created: Int64, description: String)] {
        var notes: [LayerID: (created: Int64, description: String)] = [:]
        memory.withLock { memory in
            for record in memory.records.values {
                for layer in record.tree.layers where layers.contains(layer.id) {
                    // The layer is the work of the first step that has it.
                    if let known = notes[layer.id], known.created <= record.created { continue }
                    notes[layer.id] = (record.created, record.description)
                }
            }
        }
        let saved = try database.read { database in try layers.compactMap { try database.note(of: $0) } }
        for (id, note) in saved { notes[id] = note }
        return notes
    }

    // MARK: Blobs

    /// How old the note of a blob's use may be, in milliseconds, before it is written anew.
    private static let noteFreshness: Int64 = 60_000

    /// Remembers where blobs can be had again, for layers that are loaded without being on disk.
    ///
    /// - Parameters:
    ///   - blobs: Digests of compressed layers.
    ///   - origin: Text that the ``BlobFetcher`` understands, such as a repository.
    ///   - description: What `du` shows.
    /// Costs no write where the same was noted within the last minute.
    ///
    /// - Throws: ``BuildCacheError``.
    package func noteOrigin(of blobs: [Digest], _ origin: String, description: String) async throws {
        try await blocking { [self] in
            let time = now()
            let known = try database.look { database in
                try blobs.allSatisfy { try database.isNoted($0, origin: origin, since: time - Self.noteFreshness) }
            }
            if known { return }
            try database.write("remember where blobs come from") { database in
                for blob in blobs {
                    try database.noteBlob(blob, origin: origin, description: description, now: time)
                }
            }
        }
    }

    /// Keeps blobs from being collected until ``unpin(_:)``, and layers made from them unless `all` is asked for.
    ///
    /// - Parameters:
    ///   - name: Who needs them, such as the reference of a stored image; what it pinned before is let go.
    ///   - blobs: All that it needs.
    /// - Throws: ``BuildCacheError``.
    package func pin(_ name: String, _ blobs: [Digest]) async throws {
        try await blocking { [self] in
            try database.write("pin \(name)") { database in
                try database.unpin(name)
                for blob in blobs { try database.pin(name, blob) }
            }
        }
    }

    package func unpin(_ name: String) async throws {
        try await blocking { [self] in
            try database.write("unpin \(name)") { try $0.unpin(name) }
        }
    }

    // MARK: Answers

    /// What the world outside answered to a question, such as the digest a tag led to, and how long ago.
    package func rememberedAnswer(
        to question: String
    ) throws
        -> (answer: [UInt8], ageSeconds: Int64)?
    {
        let unsaved = memory.withLock { $0.answers[question] }
        guard let found = try unsaved ?? database.look({ try $0.answer(to: question) }) else {
            return nil
        }
        return (found.answer, max(0, now() - found.asked) / 1000)
    }

    /// Keeps an answer in place of an older one; durable with the next results.
    package func rememberAnswer(_ answer: [UInt8], for question: String) {
        let time = now()
        memory.withLock { memory in
            memory.answers[question] = (answer, time)
            memory.batch.answers[question] = (answer, time)
        }
        commitSoon()
    }
}

extension Database {
    func isNoted(_ blob: Digest, origin: String, since: Int64) throws -> Bool {
        let statement = try cachedStatement(
            sql: "SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = ? AND origin = ? AND used >= ?)"
        )
        return try Bool.fetchOne(statement, arguments: [blob.data, origin, since]) ?? false
    }

    func noteBlob(_ blob: Digest, origin: String?, description: String, now: Int64) throws {
        try cachedStatement(
            sql: """
                INSERT INTO blobs (digest, origin, description, created, used, uses)
                VALUES (?, ?, ?, ?, ?, 1)
                ON CONFLICT (digest) DO UPDATE SET
                    origin = coalesce(excluded.origin, origin), used = excluded.used, uses = uses + 1
                """
        )
        .execute(arguments: [blob.data, origin, description, now, now])
    }

    func pin(_ name: String, _ blob: Digest) throws {
        try cachedStatement(sql: "INSERT OR IGNORE INTO pins (name, digest) VALUES (?, ?)")
            .execute(arguments: [name, blob.data])
    }

    func unpin(_ name: String) throws {
        try cachedStatement(sql: "DELETE FROM pins WHERE name = ?").execute(arguments: [name])
    }

    func answer(to question: String) throws -> (answer: [UInt8], asked: Int64)? {
        let statement = try cachedStatement(
            sql: "SELECT answer, asked FROM answers WHERE question = ?"
        )
        guard let row = try Row.fetchOne(statement, arguments: [question]) else { return nil }
        let answer: Data = row[0]
        return (Array(answer), row[1])
    }

    func setAnswer(_ answer: [UInt8], for question: String, now: Int64) throws {
        try cachedStatement(
            sql: "INSERT OR REPLACE INTO answers (question, answer, asked) VALUES (?, ?, ?)"
        )
        .execute(arguments: [question, Data(answer), now])
    }

    func endLeases(of owner: String) throws {
        try cachedStatement(sql: "DELETE FROM leases WHERE owner = ?").execute(arguments: [owner])
    }

    func endLease(_ name: String, _ owner: String) throws {
        try cachedStatement(sql: "DELETE FROM leases WHERE owner = ? AND name = ?")
            .execute(arguments: [owner, name])
    }
}
