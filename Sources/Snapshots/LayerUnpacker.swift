// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import ContentStore
internal import Glibc
internal import LinuxSystem
internal import OCI

/// Turns a layer's tar into an overlay diff.
///
/// Names are walked through the directories that this layer itself made, never through the file system, so no symlink of
/// the layer, of another layer or of this machine is ever followed. Absolute names count from the layer's root; names
/// with `..` are refused. Later entries replace earlier ones.
///
/// Source: OCI image-spec v1.1, layer.md "Applying Changesets".
struct LayerUnpacker {
    private static let whiteoutPrefix = ".wh."
    private static let opaqueMark = ".wh..wh..opq"
    /// Names of AUFS's own that some old images carry.
    private static let aufsPrefix = ".wh..wh."
    /// Bytes of all files of one archive; a few kilobytes can announce any number of them.
    static let byteLimit: Int64 = 256 << 30

    /// The layers below, for what the tar leaves unsaid.
    let below: UnionView
    let upper: UpperLayer

    /// Reads the archive to its end.
    ///
    /// - Throws: `badArchive` for entries that leave the layer or make no sense; what reading throws.
    func unpack(_ archive: ArchiveReader) throws {
        var bytesLeft = Self.byteLimit
        var hidesRoot = false
        while let entry = try archive.next() {
            let names = try Self.components(entry.path)
            guard let name = names.last else {
                try setRoot(entry)
                continue
            }
            let parent = try directory(names.dropLast(), of: entry)
            if name == Self.opaqueMark {
                // overlayfs merges roots whatever they say: what the layer hides is deleted name by name below.
                if parent === upper.root { hidesRoot = true } else { try upper.makeOpaque(parent) }
            } else if name.hasPrefix(Self.aufsPrefix) {
                continue
            } else if name.hasPrefix(Self.whiteoutPrefix) {
                try whiteout(String(name.dropFirst(Self.whiteoutPrefix.count)), in: parent, entry)
            } else {
                try make(entry, name, in: parent, archive, &bytesLeft)
            }
        }
        if hidesRoot { try hideRoot() }
    }

    /// Deletes all that the layers below have at the root and this one does not make itself.
    private func hideRoot() throws {
        for name in try below.children("") {
            if let directory = upper.root.subdirectories[PathKey(name)] {
                try upper.makeOpaque(directory)
            } else if upper.root.entries[PathKey(name)] == nil {
                try upper.makeWhiteout(in: upper.root, name)
            }
        }
    }

    /// The names of a path from the layer's root.
    static func components(_ path: String) throws -> [String] {
        var names: [String] = []
        for part in TreePath.names(path) where part != "." {
            if part == ".." {
                throw SnapshotError(
                    .badArchive,
                    "cannot unpack the layer: the entry \(path.prefix(200).debugDescription) leads out of it"
                )
            }
            guard TreePath.isName(part) else {
                throw SnapshotError(
                    .badArchive,
                    "cannot unpack the layer: the entry \(path.prefix(200).debugDescription) holds a name of \(part.utf8.count) bytes"
                )
            }
            names.append(part)
        }
        return names
    }

    /// The directory of this layer at a path, with parents that no entry has named yet.
    private func directory(_ names: ArraySlice<String>, of entry: TarEntry) throws -> UpperDirectory {
        var current = upper.root
        for name in names {
            if let next = current.subdirectories[PathKey(name)] {
                current = next
                continue
            }
            let path = TreePath.join(current.path, name)
            if let standing = current.entries[PathKey(name)], standing.kind != .whiteout {
                throw SnapshotError(
                    .badArchive,
                    "cannot unpack the layer: \(entry.path.prefix(200).debugDescription) lies below \(TreePath.shown(path)), which is no directory"
                )
            }
            // What the layers below have there stays as it is; what nobody has is an ordinary directory.
            var metadata = UpperLayer.Metadata(
                mode: 0o755,
                uid: 0,
                gid: 0,
                mtime: FileStatus.Time(seconds: 0)
            )
            let wasDeleted = current.entries[PathKey(name)] != nil
            if !wasDeleted, let node = try below.node(path), node.entry.isDirectory {
                metadata.mode = node.entry.mode
                metadata.uid = node.entry.uid
                metadata.gid = node.entry.gid
                metadata.mtime = node.entry.mtime
                metadata.attributes = try below.content(of: node).attributes(path)
            }
            if wasDeleted { try upper.remove(in: current, name) }
            current = try upper.makeDirectory(
                in: current,
                name,
                metadata,
                opaque: wasDeleted,
                hidesLower: false
            )
        }
        return current
    }

    private func whiteout(_ name: String, in parent: UpperDirectory, _ entry: TarEntry) throws {
        guard TreePath.isName(name), name != ".", name != ".." else {
            throw SnapshotError(
                .badArchive,
                "cannot unpack the layer: \(entry.path.prefix(200).debugDescription) deletes no name"
            )
        }
        if let directory = parent.subdirectories[PathKey(name)] {
            // Deleted and made anew in one layer: nothing from below shows in it.
            try upper.makeOpaque(directory)
        } else if parent.entries[PathKey(name)] == nil {
            // Any other name that this layer makes itself already hides what lies below.
            try upper.makeWhiteout(in: parent, name)
        }
    }

    private func make(
        _ entry: TarEntry,
        _ name: String,
        in parent: UpperDirectory,
        _ archive: ArchiveReader,
        _ bytesLeft: inout Int64
    ) throws {
        let metadata = metadata(of: entry)
        let standing = parent.entries[PathKey(name)]
        if entry.kind == .directory {
            if standing?.isDirectory == true {
                try upper.change(in: parent, name, metadata)
                return
            }
            try upper.remove(in: parent, name)
            _ = try upper.makeDirectory(
                in: parent,
                name,
                metadata,
                opaque: standing != nil,
                hidesLower: false
            )
            return
        }
        if case .hardLink(let target) = entry.kind {
            try link(target, name, in: parent, entry)
            return
        }
        try upper.remove(in: parent, name)
        switch entry.kind {
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
        case .directory, .hardLink: break
        }
    }

    /// Makes a further name of a file: of this layer, or of one below, which then is copied up as overlayfs does.
    private func link(
        _ target: String,
        _ name: String,
        in parent: UpperDirectory,
        _ entry: TarEntry
    ) throws {
        let names = try Self.components(target)
        guard let last = names.last else {
            throw SnapshotError(
                .badArchive,
                "cannot unpack the layer: \(entry.path.prefix(200).debugDescription) is a link to the root"
            )
        }
        let directory = try directory(names.dropLast(), of: entry)
        if directory === parent, last == name { return }
        if directory.entries[PathKey(last)] == nil { try copyUp(last, in: directory) }
        guard let original = directory.entries[PathKey(last)], !original.isDirectory,
            original.kind != .whiteout
        else {
            throw SnapshotError(
                .badArchive,
                "cannot unpack the layer: \(entry.path.prefix(200).debugDescription) is a link to \(target.prefix(200).debugDescription), which is no file"
            )
        }
        try upper.remove(in: parent, name)
        try upper.makeHardLink(in: parent, name, to: directory, last)
    }

    private func copyUp(_ name: String, in directory: UpperDirectory) throws {
        let path = TreePath.join(directory.path, name)
        guard let node = try below.node(path), node.entry.isRegular else { return }
        let content = below.content(of: node)
        let source = try content.open(path)
        let metadata = UpperLayer.Metadata(
            mode: node.entry.mode,
            uid: node.entry.uid,
            gid: node.entry.gid,
            mtime: node.entry.mtime,
            attributes: try content.attributes(path)
        )
        try upper.makeFile(in: directory, name, metadata, mayHaveLinks: true) { file in
            try file.copySparse(from: source, size: node.entry.size)
            return node.entry.size
        }
    }

    private func setRoot(_ entry: TarEntry) throws {
        guard entry.kind == .directory else { return }
        try upper.changeRoot(metadata(of: entry))
    }

    private func metadata(of entry: TarEntry) -> UpperLayer.Metadata {
        UpperLayer.Metadata(
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: FileStatus.Time(seconds: entry.seconds, nanoseconds: entry.nanoseconds),
            attributes: entry.attributes.map { ExtendedAttribute(name: $0.name, value: $0.value) }
        )
    }
}

extension SnapshotStore {
    /// Unpacks a blob of the content store into an empty directory.
    ///
    /// - Throws: `digestMismatch` when the blob is not what its descriptor says or its tar is not what `diffID` says.
    func unpackBlob(
        _ blob: OCI.Descriptor,
        diffID: Digest,
        below: UnionView,
        into root: Directory
    ) throws {
        var compressed = Digester()
        var plain = Digester()
        var byteCount: Int64 = 0
        let decompressor = unsafe Decompressor(try content.open(blob.digest)) { bytes in
            unsafe compressed.update(bytes)
            byteCount += Int64(bytes.count)
        }
        func readPlain(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
            let count = unsafe try decompressor.read(into: buffer)
            unsafe plain.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return count
        }
        let upper = UpperLayer(
            host: root,
            hidesLower: false,
            attributeNamespace: attributeNamespace,
            ownerRules: ownerRules
        )
        let archive = try unsafe ArchiveReader(plain: readPlain)
        try LayerUnpacker(below: below, upper: upper).unpack(archive)
        // What follows the archive's end counts too.
        let rest = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe rest.deallocate() }
        while try unsafe readPlain(rest) > 0 {}
        guard compressed.finish() == blob.digest, byteCount == blob.size else {
            throw SnapshotError(
                .digestMismatch,
                "cannot unpack the layer \(blob.digest): its blob has \(byteCount) bytes that hash to \(compressed.finish()), expected \(blob.size) bytes"
            )
        }
        guard plain.finish() == diffID else {
            throw SnapshotError(
                .digestMismatch,
                "cannot unpack the layer \(blob.digest): its tar hashes to \(plain.finish()), the image config says \(diffID)"
            )
        }
        try upper.finish()
    }
}
