// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import LinuxSystem
internal import PathPatterns

/// A user and a group by number.
package struct FileOwner: Sendable, Hashable {
    package var uid: UInt32
    package var gid: UInt32

    package init(uid: UInt32, gid: UInt32) {
        self.uid = uid
        self.gid = gid
    }

    package static let root = FileOwner(uid: 0, gid: 0)
}

/// Changes a tree: reads the union of its layers, writes the new layer on top.
///
/// Made by ``SnapshotStore/write(on:_:)``. The actions are those of BuildKit's FileOp, with its rules: paths are read
/// inside the tree as a process chrooted into it would, and nothing outside is ever touched. A directory that is only
/// passed through keeps its time. Synchronous; may block on the disk.
package struct TreeWriter {
    let lower: UnionView
    let upper: UpperLayer

    init(lower: UnionView, upper: UpperLayer) {
        self.lower = lower
        self.upper = upper
    }

    // MARK: Reading the tree as it is now

    /// What stands at a path, or `nil`.
    package func stat(_ path: String, followSymlinks: Bool) throws -> TreeEntry? {
        let resolved = try resolve(path, followLast: followSymlinks)
        return try entry(resolved).map { TreeEntry(path: resolved, entry: $0) }
    }

    /// Where a path leads once symlinks are followed; it need not exist.
    package func resolve(_ path: String, followLast: Bool = true) throws -> String {
        try resolvePath(path, followLast: followLast) { try entry($0) }
    }

    /// Reads a whole regular file; symlinks are followed.
    ///
    /// - Throws: `notFound`, `isDirectory`, `invalid` for a device or FIFO, `tooLarge`.
    package func readFile(_ path: String, byteLimit: Int) throws -> [UInt8] {
        let resolved = try resolve(path)
        guard let entry = try entry(resolved) else {
            throw SnapshotError(.notFound, "cannot find \(TreePath.shown(path)): no such file or directory")
        }
        guard entry.isRegular else {
            throw SnapshotError(
                entry.isDirectory ? .isDirectory : .invalid,
                "cannot read \(TreePath.shown(path)): not a regular file"
            )
        }
        let (directory, name) = TreePath.split(resolved)
        let file: Descriptor
        if upper.locate(directory).upper?.entries[PathKey(name)] != nil {
            file = try attempt("open \(TreePath.shown(path))") {
                try upper.host.open(resolved, flags: O_RDONLY | O_NOFOLLOW, scope: .noSymlinks)
            }
        } else if let node = try lower.node(resolved) {
            file = try lower.content(of: node).open(resolved)
        } else {
            throw SnapshotError(.notFound, "cannot find \(TreePath.shown(path)): no such file or directory")
        }
        if entry.size > UInt64(clamping: byteLimit) {
            throw SnapshotError(
                .tooLarge,
                "cannot read \(TreePath.shown(path)): it has \(entry.size) bytes, at most \(byteLimit) are allowed"
            )
        }
        return try attempt("read \(TreePath.shown(path))") { try readBytes(file, offset: 0, count: Int(entry.size)) }
    }

    /// What stands at a clean path without symlinks on the way.
    func entry(_ path: String) throws -> LayerEntry? {
        if path.isEmpty { return try rootEntry() }
        let (directory, name) = TreePath.split(path)
        let place = upper.locate(directory)
        if let entry = place.upper?.entries[PathKey(name)] {
            return entry.kind == .whiteout ? nil : entry
        }
        return place.lowerShows ? try lower.node(path)?.entry : nil
    }

    /// What stands at a name in a directory of the new layer.
    func entry(in directory: UpperDirectory, _ name: String) throws -> LayerEntry? {
        if let entry = directory.entries[PathKey(name)] {
            return entry.kind == .whiteout ? nil : entry
        }
        return directory.hidesLower ? nil : try lower.node(TreePath.join(directory.path, name))?.entry
    }

    /// The names in a directory, sorted by bytes; the path is clean and without symlinks.
    func children(_ path: String) throws -> [String] {
        let place = upper.locate(path)
        var names: Set<PathKey> = []
        if place.lowerShows { for name in try lower.children(path) { names.insert(PathKey(name)) } }
        for (name, entry) in place.upper?.entries ?? [:] {
            if entry.kind == .whiteout { names.remove(name) } else { names.insert(name) }
        }
        return names.map(\.text).sortedByBytes()
    }

    private func rootEntry() throws -> LayerEntry {
        try lower.node("")?.entry ?? LayerEntry(kind: .directory(opaque: false), mode: 0o755)
    }

    // MARK: Actions

    /// Makes a directory.
    ///
    /// A path that exists already, whatever it is, is left alone.
    ///
    /// - Parameters:
    ///   - mode: Permission bits; more than 0o777 are dropped.
    ///   - makeParents: Makes missing parents too, with the same mode, owner and time; then an existing path must be a
    ///     directory.
    ///   - owner: `nil` = root.
    ///   - timestamp: `nil` = now.
    package func makeDirectory(
        _ path: String,
        mode: UInt32,
        makeParents: Bool = false,
        owner: FileOwner? = nil,
        timestamp: FileStatus.Time? = nil
    ) throws {
        let resolved = try resolve(TreePath.clean(path))
        let metadata = metadata(mode: mode & 0o777, owner, timestamp)
        if makeParents {
            try makeDirectories(resolved, metadata, asked: path)
        } else {
            if try entry(resolved) != nil { return }
            let (directory, name) = TreePath.split(resolved)
            try checkName(name, path)
            try newDirectory(in: parent(directory, of: path), name, metadata)
        }
    }

    /// Writes a file.
    ///
    /// An existing file keeps its mode, and its owner where none is given; a symlink is followed; parents must exist.
    package func makeFile(
        _ path: String,
        mode: UInt32,
        data: [UInt8],
        owner: FileOwner? = nil,
        timestamp: FileStatus.Time? = nil
    ) throws {
        let resolved = try resolve(TreePath.clean(path))
        let (directory, name) = TreePath.split(resolved)
        var metadata = metadata(mode: mode & 0o777, owner, timestamp)
        if let standing = try entry(resolved) {
            switch standing.kind {
            case .regular:
                metadata.mode = standing.mode
                if owner == nil { (metadata.uid, metadata.gid) = (standing.uid, standing.gid) }
            case .directory:
                throw SnapshotError(.isDirectory, "cannot write \(TreePath.shown(path)): it is a directory")
            default:
                throw SnapshotError(.exists, "cannot write \(TreePath.shown(path)): not a regular file")
            }
        }
        try checkName(name, path)
        let parent = try parent(directory, of: path)
        try upper.remove(in: parent, name)
        try upper.makeFile(in: parent, name, metadata) { file in
            try file.write(data)
            return UInt64(data.count)
        }
    }

    /// Makes a symlink; nothing may stand at the path, parents must exist.
    ///
    /// - Parameter target: Taken as it is.
    package func makeSymbolicLink(
        _ path: String,
        to target: String,
        owner: FileOwner? = nil,
        timestamp: FileStatus.Time? = nil
    ) throws {
        let resolved = try resolve(TreePath.clean(path))
        let (directory, name) = TreePath.split(resolved)
        if try entry(resolved) != nil {
            throw SnapshotError(.exists, "cannot create the link \(TreePath.shown(path)): something stands there")
        }
        try checkName(name, path)
        let parent = try parent(directory, of: path)
        try upper.remove(in: parent, name)
        try upper.makeSymbolicLink(in: parent, name, to: target, metadata(mode: 0o777, owner, timestamp))
    }

    /// Removes a path and all below it; a symlink at the path itself is removed, not followed.
    ///
    /// - Parameters:
    ///   - allowNotFound: A missing path is fine.
    ///   - allowWildcard: The path is a pattern of Go's `filepath.Match`; no match is fine.
    package func remove(
        _ path: String,
        allowNotFound: Bool = false,
        allowWildcard: Bool = false
    ) throws {
        if allowWildcard, Wildcard.isPattern(path) {
            let matches = try Wildcard.matches(
                TreePath.clean(path),
                followLast: false,
                resolve: { try resolve($0, followLast: $1) },
                entry: { try entry($0) },
                children: { try children($0) }
            )
            for match in matches { try removeOne(match, allowNotFound: allowNotFound) }
            return
        }
        try removeOne(path, allowNotFound: allowNotFound)
    }

    private func removeOne(_ path: String, allowNotFound: Bool) throws {
        let clean = TreePath.clean(path)
        if clean.isEmpty {
            throw SnapshotError(.invalid, "cannot remove \"\(path)\": it is the root of the tree")
        }
        let (directory, name) = TreePath.split(clean)
        let resolved = TreePath.join(try resolve(directory), name)
        guard try entry(resolved) != nil else {
            if allowNotFound { return }
            throw SnapshotError(.notFound, "cannot remove \(TreePath.shown(path)): no such file or directory")
        }
        try clear(in: parent(TreePath.split(resolved).directory, of: path), name, leaveWhiteout: true)
    }

    // MARK: Building blocks

    /// Takes away what stands at a name; afterwards the new layer holds nothing or a whiteout there.
    ///
    /// - Parameter leaveWhiteout: Whether something of the lower layers is hidden by a whiteout; off when something
    ///   that hides it is made there next.
    func clear(in parent: UpperDirectory, _ name: String, leaveWhiteout: Bool) throws {
        let path = TreePath.join(parent.path, name)
        try upper.remove(in: parent, name)
        if leaveWhiteout, !parent.hidesLower, try lower.node(path) != nil {
            try upper.makeWhiteout(in: parent, name)
        }
    }

    /// Makes a directory where the tree shows nothing.
    @discardableResult
    func newDirectory(
        in parent: UpperDirectory,
        _ name: String,
        _ metadata: UpperLayer.Metadata
    ) throws -> UpperDirectory {
        // What stood there in a lower layer was deleted in this one: it must not come back inside.
        let wasDeleted = parent.entries[PathKey(name)] != nil
        try upper.remove(in: parent, name)
        let below = parent.hidesLower ? nil : try lower.node(TreePath.join(parent.path, name))?.entry
        return try upper.makeDirectory(
            in: parent,
            name,
            metadata,
            opaque: below != nil || wasDeleted,
            hidesLower: below?.isDirectory != true
        )
    }

    /// A directory of the tree, brought into the new layer together with its parents.
    ///
    /// - Parameter path: Clean and without symlinks.
    /// - Throws: `notFound` or `notDirectory`, in the words of the path that was asked for.
    func parent(_ path: String, of asked: String) throws -> UpperDirectory {
        if let directory = upper.locate(path).upper { return directory }
        var current = upper.root
        for name in TreePath.names(path) {
            if let next = current.subdirectories[PathKey(name)] {
                current = next
                continue
            }
            guard let entry = try entry(in: current, name) else {
                throw SnapshotError(
                    .notFound,
                    "cannot create \(TreePath.shown(asked)): \(TreePath.shown(TreePath.join(current.path, name))) does not exist"
                )
            }
            guard entry.isDirectory else {
                throw SnapshotError(
                    .notDirectory,
                    "cannot create \(TreePath.shown(asked)): \(TreePath.shown(TreePath.join(current.path, name))) is not a directory"
                )
            }
            current = try copyUp(in: current, name, entry)
        }
        return current
    }

    /// Brings a directory of the lower layers into the new one, with all that is known of it.
    func copyUp(in parent: UpperDirectory, _ name: String, _ entry: LayerEntry) throws -> UpperDirectory {
        let path = TreePath.join(parent.path, name)
        let attributes = try lower.node(path).map { try lower.content(of: $0).attributes(path) } ?? []
        return try upper.makeDirectory(
            in: parent,
            name,
            UpperLayer.Metadata(
                mode: entry.mode,
                uid: entry.uid,
                gid: entry.gid,
                mtime: entry.mtime,
                attributes: attributes
            ),
            opaque: false,
            hidesLower: false
        )
    }

    /// Makes a directory and its missing parents; what exists is left alone but must be a directory.
    ///
    /// - Parameter path: Resolved.
    func makeDirectories(_ path: String, _ metadata: UpperLayer.Metadata, asked: String) throws {
        // Walk down what exists without bringing it into the new layer: it may all be there.
        if let entry = try entry(path) {
            if entry.isDirectory { return }
            throw SnapshotError(.notDirectory, "cannot create \(TreePath.shown(asked)): it is not a directory")
        }
        var existing = ""
        var missing: [String] = []
        for name in TreePath.names(path) {
            let next = TreePath.join(existing, name)
            if missing.isEmpty, let entry = try entry(next) {
                guard entry.isDirectory else {
                    throw SnapshotError(
                        .notDirectory,
                        "cannot create \(TreePath.shown(asked)): \(TreePath.shown(next)) is not a directory"
                    )
                }
                existing = next
            } else {
                try checkName(name, asked)
                missing.append(name)
            }
        }
        var current = try parent(existing, of: asked)
        for name in missing { current = try newDirectory(in: current, name, metadata) }
    }

    func metadata(mode: UInt32, _ owner: FileOwner?, _ timestamp: FileStatus.Time?) -> UpperLayer.Metadata {
        UpperLayer.Metadata(
            mode: mode,
            uid: owner?.uid ?? 0,
            gid: owner?.gid ?? 0,
            mtime: timestamp ?? upper.now
        )
    }

    func checkName(_ name: String, _ asked: String) throws {
        if TreePath.isName(name) { return }
        let reason =
            name.isEmpty
            ? "it is the root of the tree"
            : "the name has \(name.utf8.count) bytes, 1…\(TreePath.nameByteLimit) without NUL are allowed"
        throw SnapshotError(.invalid, "cannot create \(TreePath.shown(asked).prefix(300)): \(reason)")
    }
}
