// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
package import ProjectFiles

/// Bringing trees in.
extension FrontendStore {
    /// Makes a tree and keeps it.
    ///
    /// Whatever goes wrong, nothing of it stays. A sound tree of the same digest that stands already is kept, a damaged
    /// one is replaced.
    ///
    /// - Parameter fill: Adds the files.
    /// - Returns: The package, leased, and whether it was this call that brought it.
    /// - Throws: ``UnexpectedTree`` when the files do not come to `expected`; `badPackage` and the errors of a
    ///   `frontend.toml`; `inUse` for a damaged tree that somebody runs; what `fill` throws.
    func insert(
        _ expected: TreeDigest,
        fill: (inout TreeBuilder) throws -> Void
    ) throws -> (package: FrontendPackage, isNew: Bool) {
        guard let name = Self.name(of: expected) else {
            throw FrontendStoreError(
                .badRelease,
                "cannot store the frontend \(expected): it is an image, not a tree of files"
            )
        }
        let work = try TemporaryTree(self)
        defer { work.discard() }
        var builder = TreeBuilder(root: work.directory)
        try fill(&builder)
        let found = try builder.finish()
        guard found == expected else { throw UnexpectedTree(found: found) }
        // Whoever asked for the digest may be wrong about what it is: it is a frontend only with a readable manifest.
        _ = try FrontendPackage.readManifest(work.directory, shownAs: FrontendManifest.fileName)

        let isNew = try keep(work, as: name, expected)
        guard let package = try find(expected) else {
            throw FrontendStoreError(.inUse, "cannot use the frontend \(expected): another process removed it just now")
        }
        return (package, isNew)
    }

    private func keep(_ work: TemporaryTree, as name: String, _ tree: TreeDigest) throws -> Bool {
        let lease = try attempt("lock frontend \(tree)") { try openLease(name) }
        defer { lease.unlock() }
        return try attempt("store frontend \(tree)") {
            let isAlone = try lease.lock(exclusive: true, wait: false)
            if try trees.statusIfExists(name: name) != nil {
                let standing = try trees.directory(name, scope: .noSymlinks)
                if try Self.hash(standing) == tree { return false }
                guard isAlone else {
                    throw FrontendStoreError(
                        .inUse,
                        "cannot replace the damaged frontend in \(path(of: name)): a build runs it; end that build first"
                    )
                }
                try removeLocked(name)
            } else if !isAlone {
                // Others look for it at this very moment; they only look.
                _ = try lease.lock(exclusive: true, wait: true)
                if try trees.statusIfExists(name: name) != nil { return false }
            }
            try trees.rename(work.name, to: trees, name)
            try trees.sync()
            try lease.setTime(Self.now)
            try record(Self.fingerprint(work.directory), name)
            return true
        }
    }

    /// Moves a tree out of sight and removes it; its lease is held exclusively by the caller.
    func removeLocked(_ name: String) throws {
        let work = try TemporaryTree(self)
        defer { work.discard() }
        try attempt("remove frontend \(name)") { try trees.rename(name, to: trees, work.name, replacing: true) }
        try? checked.remove(name: name)
    }
}

/// Files that came to another digest than they should have.
package struct UnexpectedTree: Error, Sendable {
    package let found: TreeDigest
}

/// A name in the store that belongs to this process until it is discarded, or dead.
final class TemporaryTree {
    let name: String
    let directory: Directory
    private let store: FrontendStore
    private let lock: LinuxSystem.Descriptor

    /// Makes an empty directory; a tree may be moved in its place.
    init(_ store: FrontendStore) throws {
        self.store = store
        let name = "." + randomToken()
        self.name = name
        (lock, directory) = try attempt("write to the frontend store") {
            // Taking a token and sweeping exclude each other, so nobody takes a new token for a dead one.
            let gate = try store.openGate()
            defer { gate.unlock() }
            let lock = try store.leases.open(name, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            _ = try lock.lock(exclusive: true, wait: true)
            try store.trees.makeDirectory(name, mode: 0o755)
            return (lock, try store.trees.directory(name, scope: .noSymlinks))
        }
    }

    /// Removes what is there under the name, and the name.
    func discard() {
        store.removeTree(name)
        try? store.leases.remove(name: name)
        lock.unlock()
    }
}

extension FrontendStore {
    func openGate() throws(SystemCallError) -> LinuxSystem.Descriptor {
        let gate = try root.open("gate", flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
        _ = try gate.lock(exclusive: true, wait: true)
        return gate
    }

    /// Removes what processes that are gone left unfinished.
    func sweep() throws {
        try attempt("sweep the frontend store") {
            guard try trees.entries().contains(where: { $0.name.hasPrefix(".") }) else { return }
            let gate = try openGate()
            defer { gate.unlock() }
            for entry in try trees.entries() where entry.name.hasPrefix(".") {
                let lock = try leases.open(entry.name, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
                guard try lock.lock(exclusive: true, wait: false) else { continue }
                defer { lock.unlock() }
                removeTree(entry.name)
                try? leases.remove(name: entry.name)
            }
        }
    }

    /// Removes a directory whose own directories nobody may write to.
    func removeTree(_ name: String) {
        if let directory = try? trees.directory(name, scope: .noSymlinks) { Self.unlock(directory) }
        try? trees.removeTree(name: name)
    }

    private static func unlock(_ directory: Directory) {
        try? directory.descriptor.setMode(0o700)
        for entry in (try? directory.entries()) ?? [] {
            guard (try? directory.status(name: entry.name))?.isDirectory == true,
                let child = try? directory.directory(entry.name, scope: .noSymlinks)
            else { continue }
            unlock(child)
        }
    }
}
