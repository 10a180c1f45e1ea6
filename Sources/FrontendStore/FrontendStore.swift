// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import LinuxSystem
internal import OCI
package import ProjectFiles
package import SystemPackage

/// Unpacked frontends by tree digest: `sha256/<hex of the ft1 digest>/`.
///
/// A tree is there whole and durable, or not at all; it is read-only and never changes. Many processes may use one
/// store: whoever completes a tree first wins, and what a killed process left unfinished goes when the store is opened
/// or changed next. A tree that is used is kept from removal by a lease, which ends with its holder.
///
/// ```
/// sha256/<hex>/        a tree
/// sha256/.<token>/     one that is being made; `leases/.<token>` is locked as long as its maker lives
/// leases/<hex>         locked, shared, by all who use the tree; its time says when that was last
/// checked/<hex>        fingerprint of the files when they were last hashed
/// passed/<hex>         the determinism suite that the tree has passed; there need be no tree
/// gate                 locked while a token is taken, and while dead ones are swept
/// ```
///
/// All calls block on the disk; run them on a blocking thread.
package final class FrontendStore: Sendable {
    /// Where the store stands on this machine.
    package let path: FilePath
    let root: Directory
    let trees: Directory
    let leases: Directory
    let checked: Directory
    let passed: Directory

    private static let manifestName = FrontendManifest.fileName

    /// Opens a store, making it where it is missing, and removes what dead processes left unfinished.
    ///
    /// - Parameter directory: `frontends` of the state directory.
    package init(directory: FilePath) throws {
        path = directory
        (root, trees, leases, checked, passed) = try attempt("open the frontend store \(directory)") {
            let root = try Directory(host: directory, createMode: 0o700)
            return (
                root, try root.makeDirectories("sha256"), try root.makeDirectories("leases"),
                try root.makeDirectories("checked"), try root.makeDirectories("passed")
            )
        }
        try sweep()
    }

    /// Finds a tree and takes a lease on it.
    ///
    /// The files are compared with what they were when they were last hashed (inode, size, change time); when any of
    /// that is different they are hashed again.
    ///
    /// - Returns: `nil` when the store does not have it.
    /// - Throws: `damaged` when the files are not those of the digest. Nothing is changed then.
    package func find(_ tree: TreeDigest) throws -> FrontendPackage? {
        guard let name = Self.name(of: tree), try stands(name) else { return nil }
        let lease = try attempt("lease frontend \(tree)") {
            let lease = try openLease(name)
            _ = try lease.lock(exclusive: false, wait: true)
            return lease
        }
        // It may have been removed before the lease was there.
        guard try stands(name) else { return nil }
        try attempt("lease frontend \(tree)") { try lease.setTime(Self.now) }
        let directory = try attempt("open frontend \(tree)") { try trees.directory(name, scope: .noSymlinks) }
        try check(tree, name, directory)
        let (manifest, _) = try FrontendPackage.readManifest(directory, shownAs: shownPath(name, Self.manifestName))
        return FrontendPackage(manifest: manifest, directory: path(of: name), tree: tree, lease: lease)
    }

    /// Hashes a tree again, whatever is known of it.
    ///
    /// - Returns: What its files come to, or `nil` when the store does not have it.
    package func rehash(_ tree: TreeDigest) throws -> TreeDigest? {
        guard let name = Self.name(of: tree), try stands(name) else { return nil }
        let directory = try attempt("open frontend \(tree)") { try trees.directory(name, scope: .noSymlinks) }
        return try Self.hash(directory)
    }

    /// The trees of the store, by name and version.
    ///
    /// One that cannot be read is listed without a manifest.
    package func list() throws -> [StoredFrontend] {
        let entries = try attempt("list the frontend store") { try trees.entries() }
        return try entries.compactMap { entry in
            guard let digest = Digest(hex: entry.name) else { return nil }
            let directory = try? trees.directory(entry.name, scope: .noSymlinks)
            let manifest = directory.flatMap {
                try? FrontendPackage.readManifest($0, shownAs: shownPath(entry.name, Self.manifestName)).0
            }
            let lease = try attempt("list the frontend store") { try leases.statusIfExists(name: entry.name) }
            return StoredFrontend(
                tree: TreeDigest(digest),
                manifest: manifest,
                directory: path(of: entry.name),
                byteCount: directory.map(Self.byteCount) ?? 0,
                created: (try? trees.status(name: entry.name))?.changed ?? FileStatus.Time(seconds: 0),
                lastUsed: lease?.modified ?? FileStatus.Time(seconds: 0)
            )
        }.sorted()
    }

    // MARK: Names

    /// The name of a tree in the store; `nil` for one that is an image.
    static func name(of tree: TreeDigest) -> String? { tree.scheme == .files ? tree.digest.hex : nil }

    func path(of name: String) -> FilePath { path.appending("sha256").appending(name) }

    private func shownPath(_ name: String, _ file: String) -> String { path(of: name).appending(file).string }

    func stands(_ name: String) throws -> Bool {
        try attempt("find frontend \(name)") { try trees.statusIfExists(name: name) } != nil
    }

    func openLease(_ name: String) throws(SystemCallError) -> LinuxSystem.Descriptor {
        try leases.open(name, flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600)
    }

    static var now: FileStatus.Time { FileStatus.Time(seconds: Int64(time(nil))) }

    private static func byteCount(_ directory: Directory) -> Int64 {
        var sum: Int64 = 0
        for entry in (try? directory.entries()) ?? [] {
            guard let status = try? directory.status(name: entry.name) else { continue }
            if status.isDirectory {
                if let child = try? directory.directory(entry.name, scope: .noSymlinks) { sum &+= byteCount(child) }
            } else {
                sum &+= Int64(clamping: status.size)
            }
        }
        return sum
    }
}

/// A tree of the store, as a list shows it.
package struct StoredFrontend: Sendable, Comparable {
    package let tree: TreeDigest
    package let manifest: FrontendManifest?
    package let directory: FilePath
    /// Of all files.
    package let byteCount: Int64
    package let created: FileStatus.Time
    package let lastUsed: FileStatus.Time

    package static func == (left: StoredFrontend, right: StoredFrontend) -> Bool { left.tree == right.tree }

    package static func < (left: StoredFrontend, right: StoredFrontend) -> Bool {
        if let a = left.manifest, let b = right.manifest, (a.name, a.version) != (b.name, b.version) {
            return (a.name, a.version) < (b.name, b.version)
        }
        if (left.manifest == nil) != (right.manifest == nil) { return left.manifest != nil }
        return left.tree < right.tree
    }
}
