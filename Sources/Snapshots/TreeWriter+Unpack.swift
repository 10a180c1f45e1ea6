// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import LinuxSystem

extension TreeWriter {
    /// Unpacks a tar archive, plain or compressed by gzip, bzip2, xz or zstd, as a process chrooted into the tree would.
    ///
    /// Symlinks of the tree are followed on the way to a name, inside the tree. Names with `..` are refused, absolute
    /// ones count from the destination.
    ///
    /// - Parameters:
    ///   - file: Read from its beginning.
    ///   - owner: Of all that is made; `nil` = as the archive says.
    /// - Returns: `false` when the file is no archive; then nothing was changed.
    func unpack(
        _ file: Descriptor,
        into destination: String,
        owner: FileOwner?,
        timestamp: FileStatus.Time?
    ) throws -> Bool {
        let archive: ArchiveReader
        var next: TarEntry?
        do {
            // A file that no format claims is copied as it is, as docker does.
            archive = try ArchiveReader(detecting: file)
            next = try archive.next()
        } catch is ArchiveError {
            return false
        }
        guard next != nil else { return false }
        let parents = metadata(mode: 0o755, owner, timestamp)
        try makeDirectories(resolve(TreePath.clean(destination)), parents, asked: destination)
        var bytesLeft = LayerUnpacker.byteLimit
        while let entry = next {
            try unpack(entry, archive, into: destination, owner, timestamp, &bytesLeft)
            next = try archive.next()
        }
        return true
    }

    private func unpack(
        _ entry: TarEntry,
        _ archive: ArchiveReader,
        into destination: String,
        _ owner: FileOwner?,
        _ timestamp: FileStatus.Time?,
        _ bytesLeft: inout Int64
    ) throws {
        let names = try LayerUnpacker.components(entry.path)
        guard let name = names.last else { return }
        let asked = TreePath.clean(destination + "/" + names.joined(separator: "/"))
        let directory = try resolve(destination + "/" + names.dropLast().joined(separator: "/"))
        // Directories that no entry names are root's: the owner that was asked for is that of entries.
        try makeDirectories(directory, metadata(mode: 0o755, nil, timestamp), asked: asked)
        let parent = try parent(directory, of: asked)
        let metadata = UpperLayer.Metadata(
            mode: entry.mode,
            uid: owner?.uid ?? entry.uid,
            gid: owner?.gid ?? entry.gid,
            mtime: timestamp
                ?? FileStatus.Time(seconds: entry.seconds, nanoseconds: entry.nanoseconds),
            attributes: entry.attributes.map { ExtendedAttribute(name: $0.name, value: $0.value) }
        )
        let standing = try self.entry(in: parent, name)
        if entry.kind == .directory, standing?.isDirectory == true {
            if parent.subdirectories[PathKey(name)] == nil, let standing {
                _ = try copyUp(in: parent, name, standing)
            }
            try upper.change(in: parent, name, metadata)
            return
        }
        if case .hardLink(let target) = entry.kind {
            try link(target, below: destination, name, in: parent, asked)
            return
        }
        if standing != nil || parent.entries[PathKey(name)] != nil {
            try clear(in: parent, name, leaveWhiteout: entry.kind == .directory)
        }
        switch entry.kind {
        case .directory: try newDirectory(in: parent, name, metadata)
        case .regular:
            try upper.makeFile(in: parent, name, metadata, mayHaveLinks: true) { file in
                let size = try archive.extract(to: file, byteLimit: bytesLeft)
                bytesLeft -= Int64(clamping: size)
                return size
            }
        case .symbolicLink(let target):
            try upper.makeSymbolicLink(in: parent, name, to: target, metadata)
        case .characterDevice(let major, let minor):
            try upper.makeNode(in: parent, name, .characterDevice(major: major, minor: minor), metadata)
        case .blockDevice(let major, let minor):
            try upper.makeNode(in: parent, name, .blockDevice(major: major, minor: minor), metadata)
        case .fifo: try upper.makeNode(in: parent, name, .fifo, metadata)
        case .hardLink: break
        }
    }

    private func link(
        _ target: String,
        below destination: String,
        _ name: String,
        in parent: UpperDirectory,
        _ asked: String
    ) throws {
        let names = try LayerUnpacker.components(target)
        let directory = try resolve(destination + "/" + names.dropLast().joined(separator: "/"))
        guard let last = names.last,
            let original = upper.locate(directory).upper,
            original.entries[PathKey(last)]?.isRegular == true
        else {
            throw SnapshotError(
                .badArchive,
                "cannot unpack \(TreePath.shown(asked)): it is a link to \(target.prefix(200).debugDescription), which the archive does not hold"
            )
        }
        if original === parent, PathKey(last) == PathKey(name) { return }
        if try entry(in: parent, name) != nil || parent.entries[PathKey(name)] != nil {
            try clear(in: parent, name, leaveWhiteout: false)
        }
        try upper.makeHardLink(in: parent, name, to: original, last)
    }
}
