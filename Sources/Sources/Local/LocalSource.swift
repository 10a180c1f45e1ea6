// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import Glibc
internal import LinuxSystem
package import OCI
internal import PathPatterns
package import SystemPackage

/// Reads directories of the client where they stand.
///
/// A scan walks the directory on all cores, compares each file with what earlier scans learned
/// (``LocalIndex``) and reads only those that changed. Nothing is copied: the tree it gives reads
/// from the directory itself, and notices when a file is no longer the one that was hashed.
package final class LocalSource: Sendable {
    /// What to take of a directory.
    package struct Selection: Sendable, Hashable {
        /// Take only what one of these matches; everything when empty.
        package var includePatterns: [String]
        /// Leave out what these match; the last that matches decides, `!` makes an exception.
        package var excludePatterns: [String]
        /// Take only these paths and what their symlinks lead to, besides what is included;
        /// everything when empty.
        package var followPaths: [String]

        package init(
            includePatterns: [String] = [],
            excludePatterns: [String] = [],
            followPaths: [String] = []
        ) {
            self.includePatterns = includePatterns
            self.excludePatterns = excludePatterns
            self.followPaths = followPaths
        }
    }

    /// A directory as it was when it was scanned.
    package struct Scan: Sendable {
        /// The tree, read in place.
        package let content: HostTreeContent
        /// Digest over names, modes, links and contents; equal for equal trees whatever their
        /// times.
        package let key: Digest
        /// Regular files in the tree, and their bytes.
        package let fileCount: Int
        package let byteCount: UInt64
        /// Files that had to be read because nothing was known about them, and their bytes.
        package let hashedFileCount: Int
        package let hashedByteCount: UInt64
    }

    private let state: StateDirectory
    /// The time in seconds since 1970; files must have rested before it to be taken as known.
    private let now: @Sendable () -> Int64

    /// - Parameter state: Where the index of each directory is kept, in `index/`.
    package convenience init(state: StateDirectory) {
        self.init(state: state) { Int64(Glibc.time(nil)) }
    }

    init(state: StateDirectory, now: @escaping @Sendable () -> Int64) {
        self.state = state
        self.now = now
    }

    /// Scans a directory.
    ///
    /// Owner and group of everything become 0, sockets and devices are left out, symlinks stay as
    /// they are. Cancelling the task ends the scan soon; the index then keeps nothing of it.
    ///
    /// - Parameters:
    ///   - path: A directory of the host; symlinks on the way to it are followed.
    ///   - selection: What to take of it.
    /// - Returns: The tree as it was found, read in place.
    /// - Throws: ``SourcesError``: `notFound`, `notDirectory`, `denied` with the file that cannot
    ///   be read, `changing`, `invalid` for a pattern or a name. `CancellationError`.
    package func scan(_ path: FilePath, _ selection: Selection = Selection()) async throws -> Scan {
        try await cancellableBlocking { [state, now] cancellation in
            try LocalScan(
                path: path,
                selection: selection,
                state: state,
                now: now(),
                cancellation: cancellation
            )
            .run()
        }
    }
}

/// One run over one directory; blocking.
private struct LocalScan {
    let path: FilePath
    let selection: LocalSource.Selection
    let state: StateDirectory
    let now: Int64
    let cancellation: CancellationFlag

    /// Seconds a file must have rested before it was hashed, so that a later change surely has
    /// another ctime.
    private static let restSeconds: Int64 = 2

    func run() throws -> LocalSource.Scan {
        let root = try open()
        let walk = LocalWalk(
            root: root,
            shownPath: path.string,
            filter: try filter(root),
            cancellation: cancellation
        )
        var tree = try walk.run()
        let file = LocalIndexFile(state: state, directory: try root.status(), path: path)
        var index = file.read()

        // What the index knows needs no reading.
        var unknown: [Int] = []
        var met: [Int] = []
        for node in tree.nodes.indices where tree.nodes[node].status.isRegular {
            if let position = index.find(tree.nodes[node].status) {
                tree.nodes[node].digest = index.records[position].digest
                tree.nodes[node].hasAttributes = index.records[position].hasAttributes
                met.append(position)
            } else {
                unknown.append(node)
            }
        }
        let today = UInt32(clamping: now / 86_400)
        let (learned, hashedByteCount) = try hash(unknown, of: &tree, root: root)
        if index.merge(
            learned: learned.map { LocalIndex.Record($0, today: today) },
            met: met,
            today: today
        ) {
            // An index that cannot be written costs the next scan time, nothing else.
            try? file.write(index)
        }
        tree = tree.pruned()
        let files = tree.nodes.lazy.filter(\.status.isRegular)
        return LocalSource.Scan(
            content: HostTreeContent(tree: tree, root: root, shownPath: path.string),
            key: tree.identity(),
            fileCount: files.count,
            byteCount: files.reduce(0) { $0 &+ $1.status.size },
            hashedFileCount: unknown.count,
            hashedByteCount: hashedByteCount
        )
    }

    /// Reads files that nothing is known about.
    ///
    /// - Returns: What may be kept for the next scan, and the bytes that were read.
    private func hash(
        _ unknown: [Int],
        of tree: inout LocalTree,
        root: Directory
    ) throws -> (learned: [FileHashing.Outcome], byteCount: UInt64) {
        let hashing = FileHashing(root: root, shownPath: path.string, cancellation: cancellation)
        let paths = unknown.map(tree.path(of:))
        let outcomes = try parallelMap(count: paths.count) { try hashing.hash(paths[$0]) }
        var learned: [FileHashing.Outcome] = []
        var byteCount: UInt64 = 0
        for (node, outcome) in zip(unknown, outcomes) {
            guard let outcome else {
                tree.nodes[node].isChosen = false
                continue
            }
            byteCount &+= outcome.status.size
            tree.nodes[node].status = outcome.status
            tree.nodes[node].digest = outcome.digest
            tree.nodes[node].hasAttributes = outcome.hasAttributes
            if hasRested(outcome.status) { learned.append(outcome) }
        }
        return (learned, byteCount)
    }

    /// Whether any change after ``now`` must show in the file's times.
    private func hasRested(_ status: FileStatus) -> Bool {
        let limit = now - Self.restSeconds
        // A time that lies ahead was set by hand and says nothing.
        let isTouched =
            status.modified.seconds >= limit && status.modified.seconds <= now + Self.restSeconds
        return status.changed.seconds < limit && !isTouched
    }

    private func open() throws -> Directory {
        do {
            return try Directory(host: path)
        } catch {
            throw SourcesError(error, verb: "read the directory", object: path.string)
        }
    }

    private func filter(_ root: Directory) throws -> PatternSelection {
        var include = selection.includePatterns
        if !selection.followPaths.isEmpty,
            let followed = try FollowPaths.resolve(selection.followPaths, in: root)
        {
            include = FollowPaths.withoutCovered(include + followed) ?? []
        }
        do {
            return try PatternSelection(include: include, exclude: selection.excludePatterns)
        } catch {
            throw SourcesError(.invalid, "cannot filter a local source: \(error)", cause: error)
        }
    }
}

extension LocalIndex.Record {
    fileprivate init(_ outcome: FileHashing.Outcome, today: UInt32) {
        self.init(
            device: outcome.status.device,
            inode: outcome.status.inode,
            size: outcome.status.size,
            modified: outcome.status.modified,
            changed: outcome.status.changed,
            digest: outcome.digest,
            hasAttributes: outcome.hasAttributes,
            lastSeenDay: today
        )
    }
}
