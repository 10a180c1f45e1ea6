// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import LinuxSystem
internal import OCI
internal import Synchronization
package import SystemPackage

/// The directory in which Kiln keeps everything that outlives a process, and this process's place in it.
///
/// Each process takes an *owner token* when it opens the directory and holds a lock on `owners/<token>.lock` until it
/// ends, however it ends. Who holds the lock lives. All that is unfinished lies below `tmp/<token>/`, so whoever opens
/// the directory next can tell the rubbish of the dead from the work of the living.
package final class StateDirectory: Sendable {
    /// The directory itself.
    package let root: Directory
    /// Where it is on the host; for messages and for other programs, never to open things in it.
    package let path: FilePath
    /// The token of this process: 16 characters of `0-9a-z`.
    package let owner: String
    /// `tmp/<owner>`.
    package let temporary: Directory

    private let ownerLock: LinuxSystem.Descriptor
    private let locks: Directory
    private let counter = Mutex<UInt64>(0)

    /// Directories made at the root, all with mode 0700.
    private static let folders = [
        "blobs/sha256", "blobs/corrupt", "blobs/partial", "snapshots", "owners", "tmp", "locks", "cache", "frontends",
        "index",
    ]

    /// Opens the directory, making it (mode 0700) where it is missing, takes an owner token and removes what dead
    /// processes left unfinished.
    ///
    /// - Throws: ``ContentStoreError``, `unusable`, when the directory cannot be made or written.
    package init(path: FilePath) throws {
        self.path = path
        do {
            root = try Directory(host: path, createMode: 0o700)
            for folder in Self.folders { _ = try root.makeDirectories(folder, mode: 0o700) }
            locks = try root.directory("locks")
        } catch {
            throw ContentStoreError(
                .unusable,
                "cannot use the state directory \(path): \(error)",
                cause: error
            )
        }
        owner = randomToken()
        (ownerLock, temporary) = try attempt("use the state directory \(path)") { [owner, root, locks] in
            // Sweeping and arriving exclude each other, so nobody takes a token without a lock for a dead one.
            let gate = try Self.openLock("owners.lock", in: locks)
            _ = try gate.lock(exclusive: true, wait: true)
            defer { gate.unlock() }
            let owners = try root.directory("owners")
            let ownerLock = try owners.createFile("\(owner).lock", mode: 0o600)
            _ = try ownerLock.lock(exclusive: true, wait: true)
            let temporaries = try root.directory("tmp")
            try temporaries.makeDirectory(owner, mode: 0o700)
            for dead in try Self.takeDeadOwners(owners: owners, temporaries: temporaries) {
                try temporaries.removeTree(name: dead)
            }
            return (ownerLock, try temporaries.directory(owner))
        }
    }

    deinit { leave() }

    /// Gives the token back and removes what is left in ``temporary``; nothing may be made there afterwards.
    ///
    /// A polite process does this before it ends, since objects that are still held at its end never go. A crash leaves the
    /// same to the next process.
    package func leave() {
        try? root.directory("tmp").removeTree(name: owner)
        try? root.directory("owners").remove(name: "\(owner).lock")
    }

    /// Makes an empty directory (mode 0700) below `tmp/<owner>/`; what is left in it goes with this process.
    ///
    /// - Returns: The open directory, and its name in ``temporary``.
    package func scratch(_ prefix: String) throws -> (directory: Directory, name: String) {
        let name = nextName(prefix)
        return try attempt("make a scratch directory") {
            try temporary.makeDirectory(name, mode: 0o700)
            return (try temporary.directory(name), name)
        }
    }

    /// A name no other call of this process gave: `<prefix>-<number>`.
    package func nextName(_ prefix: String) -> String {
        let number = counter.withLock { value in
            value += 1
            return value
        }
        return "\(prefix)-\(number)"
    }

    /// Whether the process that took a token still runs; this process always does.
    package func isAlive(owner token: String) -> Bool {
        if token == owner { return true }
        guard
            Self.isToken(token),
            let file = try? root.open("owners/\(token).lock", flags: O_RDWR)
        else { return false }
        return (try? file.lock(exclusive: true, wait: false)) != true
    }

    /// Runs a function while no other call with the same name runs, here or in another process on this directory.
    ///
    /// The calling thread waits for its turn: call it from a blocking thread.
    package func exclusive<Value>(_ lock: String, _ body: () throws -> Value) throws -> Value {
        let file = try attempt("lock \(lock)") {
            let file = try Self.openLock(Self.lockFileName(lock), in: locks)
            _ = try file.lock(exclusive: true, wait: true)
            return file
        }
        defer { file.unlock() }
        return try body()
    }

    /// Takes a named lock that lasts as long as the descriptor that is returned.
    ///
    /// - Returns: `nil` when somebody else holds it and `wait` is off.
    package func hold(_ lock: String, exclusive: Bool, wait: Bool) throws -> LinuxSystem.Descriptor? {
        try attempt("lock \(lock)") {
            let file = try Self.openLock(Self.lockFileName(lock), in: locks)
            return try file.lock(exclusive: exclusive, wait: wait) ? file : nil
        }
    }

    /// The names whose locks are gone, with their lock files removed; their temporary directories still stand.
    private static func takeDeadOwners(
        owners: Directory,
        temporaries: Directory
    ) throws(SystemCallError) -> [String] {
        var alive: Set<String> = []
        var dead: [String] = []
        for entry in try owners.entries() where entry.name.hasSuffix(".lock") {
            let token = String(entry.name.dropLast(5))
            let file: LinuxSystem.Descriptor
            do {
                file = try owners.open(entry.name, flags: O_RDWR)
            } catch  where error.isNotFound {
                continue
            }
            if try file.lock(exclusive: true, wait: false) {
                dead.append(token)
            } else {
                alive.insert(token)
            }
        }
        for entry in try temporaries.entries() where !alive.contains(entry.name) {
            if !dead.contains(entry.name) { dead.append(entry.name) }
        }
        for token in dead { try? owners.remove(name: "\(token).lock") }
        return dead
    }

    private static func openLock(
        _ name: String,
        in locks: Directory
    ) throws(SystemCallError)
        -> LinuxSystem.Descriptor
    {
        try locks.open(name, flags: O_RDWR | O_CREAT, mode: 0o600)
    }

    /// Names that came from outside (cache ids, references) become digests: they never name a file.
    private static func lockFileName(_ lock: String) -> String {
        lock.utf8.count <= 100 && lock.utf8.allSatisfy(isPlain) && !lock.hasPrefix(".")
            ? "\(lock).named" : "\(Digest.of(lock).hex).digest"
    }

    private static func isToken(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count) && text.utf8.allSatisfy(isPlain) && !text.hasPrefix(".")
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
