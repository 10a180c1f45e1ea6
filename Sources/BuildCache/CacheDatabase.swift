// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import GRDB
internal import LinuxSystem
internal import SystemPackage

/// `kiln.db`: the tables and how they are opened.
///
/// There are two connections: one that writes, each transaction short and begun with a write lock, and one for look-ups
/// that never waits for a writer.
final class CacheDatabase: Sendable {
    // In this order: the connection that closes last folds the log into the file, which a reader may not do.
    private let reader: DatabaseQueue
    private let writer: DatabaseQueue
    /// What the user should know about how the database was opened.
    let notice: String?

    /// How long a transaction waits for those of other processes.
    static let busySeconds: Double = 20
    /// Rises with each change of the tables that an older Kiln could not work with.
    static let schemaVersion: Int32 = 1

    /// Opens the database, making it where it is missing.
    ///
    /// A corrupt one is moved to `kiln.db.corrupt` and an empty one takes its place: a cache can be lost.
    ///
    /// - Throws: `newerDatabase`.
    init(state: StateDirectory) throws {
        let path = state.path.appending("kiln.db").string
        // One process at a time makes or replaces the file.
        (writer, notice) = try state.exclusive("kiln.db") {
            do {
                return (try Self.openWriter(path), nil)
            } catch let error as DatabaseError where Self.isCorrupt(error) {
                try Self.setAside(in: state.root)
                let notice =
                    "the build cache was damaged (\(error.message ?? "no database")) and begins anew; "
                    + "the old one is kept as kiln.db.corrupt"
                return (try attempt("open kiln.db") { try Self.openWriter(path) }, notice)
            } catch {
                throw error as? BuildCacheError ?? BuildCacheError("open kiln.db", error)
            }
        }
        var configuration = Self.configuration()
        configuration.readonly = true
        reader = try attempt("open kiln.db") {
            try DatabaseQueue(path: path, configuration: configuration)
        }
    }

    /// Closes both connections; nothing can be asked any more.
    func close() throws {
        try attempt("close kiln.db") {
            try reader.close()
            try writer.close()
        }
    }

    /// Runs a transaction that writes.
    ///
    /// Blocks; never call it from the concurrency pool.
    func write<Value>(
        _ doing: @autoclosure () -> String,
        _ body: (Database) throws -> Value
    ) throws
        -> Value
    {
        try attempt(doing()) { try writer.write(body) }
    }

    /// Runs one look-up, without a transaction of its own.
    func look<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try attempt("read kiln.db") { try reader.unsafeRead(body) }
    }

    /// Runs several look-ups that see one state of the database.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try attempt("read kiln.db") { try reader.read(body) }
    }

    // MARK: Opening

    private static func configuration() -> Configuration {
        var configuration = Configuration()
        configuration.busyMode = .timeout(busySeconds)
        configuration.label = "kiln.db"
        return configuration
    }

    private static func openWriter(_ path: String) throws -> DatabaseQueue {
        var configuration = configuration()
        configuration.prepareDatabase { database in
            // Not by `journalMode`: GRDB would write a table and drop it, with two syncs, so that a pool of connections
            // finds a log. Our one reader is opened while the writer is.
            let mode = try String.fetchOne(database, sql: "PRAGMA journal_mode = WAL")
            guard mode == "wal" else {
                throw DatabaseError(message: "its file system allows no write-ahead log (mode \(mode ?? "unknown"))")
            }
            // With a write-ahead log, a power cut may lose the last transactions and never the database.
            try database.execute(sql: "PRAGMA synchronous = NORMAL")
        }
        let queue = try DatabaseQueue(path: path, configuration: configuration)
        try queue.write { database in
            let version = try Int32.fetchOne(database, sql: "PRAGMA user_version") ?? 0
            guard version <= schemaVersion else {
                throw BuildCacheError(
                    .newerDatabase,
                    "cannot open kiln.db: it has version \(version), this Kiln knows \(schemaVersion); "
                        + "use the newer Kiln, or another state directory"
                )
            }
            if version == 0 {
                try database.execute(sql: schema)
                try database.execute(sql: "PRAGMA user_version = \(schemaVersion)")
            }
        }
        return queue
    }

    private static func isCorrupt(_ error: DatabaseError) -> Bool {
        error.resultCode == .SQLITE_CORRUPT || error.resultCode == .SQLITE_NOTADB
    }

    private static func setAside(in root: Directory) throws {
        try attempt("set the damaged kiln.db aside") {
            try root.rename("kiln.db", to: root, "kiln.db.corrupt", replacing: true)
            for suffix in ["-wal", "-shm"]
            where try root.statusIfExists(name: "kiln.db\(suffix)") != nil {
                try root.remove(name: "kiln.db\(suffix)")
            }
        }
    }

    /// Times are milliseconds since 1970, digests their 32 bytes.
    private static let schema = """
        -- Which primary key a cache key leads to, and how the key came about.
        CREATE TABLE keys (
            key BLOB PRIMARY KEY NOT NULL,
            target BLOB NOT NULL,
            derivation BLOB,
            used INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX keys_by_target ON keys (target);

        -- Stacks of layers, as a tree: a stack is a node and all above it up to the root, so stacks that begin alike
        -- share nodes. Node 0 is the empty stack.
        CREATE TABLE stacks (
            id INTEGER PRIMARY KEY,
            below INTEGER NOT NULL,
            layer TEXT NOT NULL,
            UNIQUE (below, layer)
        );
        CREATE INDEX stacks_by_layer ON stacks (layer);

        -- Results: the stack that stands under an output of a primary key.
        CREATE TABLE records (
            id INTEGER PRIMARY KEY,
            key BLOB NOT NULL,
            output INTEGER NOT NULL,
            stack INTEGER NOT NULL,
            vertex BLOB NOT NULL,
            name TEXT NOT NULL,
            created INTEGER NOT NULL,
            UNIQUE (key, output)
        );
        CREATE INDEX records_by_stack ON records (stack);

        -- Layers that records name, on disk or, for those of images, not yet.
        CREATE TABLE layers (
            id TEXT PRIMARY KEY NOT NULL,
            kind TEXT NOT NULL,
            description TEXT NOT NULL,
            size INTEGER,
            created INTEGER NOT NULL,
            used INTEGER NOT NULL,
            uses INTEGER NOT NULL,
            diff_id BLOB,
            blob TEXT
        ) WITHOUT ROWID;

        -- What is known of blobs: where one can be had again, and its use.
        CREATE TABLE blobs (
            digest BLOB PRIMARY KEY NOT NULL,
            origin TEXT,
            description TEXT NOT NULL,
            created INTEGER NOT NULL,
            used INTEGER NOT NULL,
            uses INTEGER NOT NULL
        ) WITHOUT ROWID;

        -- Blobs that somebody needs for good, such as those of a stored image.
        CREATE TABLE pins (
            name TEXT NOT NULL,
            digest BLOB NOT NULL,
            PRIMARY KEY (name, digest)
        ) WITHOUT ROWID;

        -- What living processes use: `record:<id>`, `blob:<hex>`.
        CREATE TABLE leases (
            owner TEXT NOT NULL,
            name TEXT NOT NULL,
            PRIMARY KEY (owner, name)
        ) WITHOUT ROWID;

        -- Answers of the world outside, with their age.
        CREATE TABLE answers (
            question TEXT PRIMARY KEY NOT NULL,
            answer BLOB NOT NULL,
            asked INTEGER NOT NULL
        ) WITHOUT ROWID;
        """
}
