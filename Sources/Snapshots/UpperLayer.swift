// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem

/// A directory of a layer that is being written.
final class UpperDirectory {
    let path: String
    fileprivate(set) var entries: [PathKey: LayerEntry] = [:]
    fileprivate(set) var subdirectories: [PathKey: UpperDirectory] = [:]
    /// Whether nothing of the lower layers shows through here.
    let hidesLower: Bool
    /// The time to set once all names in it are made.
    fileprivate(set) var mtime: FileStatus.Time
    fileprivate var opened: Directory?

    fileprivate init(path: String, hidesLower: Bool, mtime: FileStatus.Time) {
        self.path = path
        self.hidesLower = hidesLower
        self.mtime = mtime
    }
}

/// The writing half of a ``TreeWriter``: an overlay diff in an empty directory of the host, made with as few system
/// calls as the kernel allows.
///
/// All that is made is remembered, so nothing is read back; open directories are kept. Used by one thread.
final class UpperLayer {
    /// Owner, mode and time of a new entry.
    struct Metadata {
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        var mtime: FileStatus.Time
        var attributes: [ExtendedAttribute] = []

        fileprivate mutating func take(_ owner: (uid: UInt32, gid: UInt32)) {
            uid = owner.uid
            gid = owner.gid
        }
    }

    /// How many directories stay open at once.
    private static let openDirectoryLimit = 128

    let host: Directory
    let root: UpperDirectory
    /// The moment that new entries without a time of their own carry.
    let now: FileStatus.Time
    private let attributeNamespace: OverlayAttribute.Namespace
    private let ownerRules: OwnerRules
    private var openQueue: [UpperDirectory] = []
    private var nextLink: UInt64 = 0
    private(set) var entryCount = 0

    init(
        host: Directory,
        hidesLower: Bool,
        attributeNamespace: OverlayAttribute.Namespace,
        ownerRules: OwnerRules
    ) {
        self.host = host
        self.attributeNamespace = attributeNamespace
        self.ownerRules = ownerRules
        now = currentTime()
        root = UpperDirectory(path: "", hidesLower: hidesLower, mtime: now)
        root.opened = host
    }

    /// Whether nothing was written.
    var isEmpty: Bool { root.entries.isEmpty }

    /// The directory's entries as a ``DirectoryContent`` takes them.
    func listings() -> [PathKey: [PathKey: LayerEntry]] {
        var listings: [PathKey: [PathKey: LayerEntry]] = [:]
        var stack = [root]
        while let directory = stack.popLast() {
            listings[PathKey(directory.path)] = directory.entries
            stack += directory.subdirectories.values
        }
        return listings
    }

    /// Sets the times of all directories; nothing may be written afterwards.
    func finish() throws {
        var stack = [root]
        while let directory = stack.popLast() {
            try attempt("set the time of \(TreePath.shown(directory.path))") {
                // Made by us below a directory nobody else writes to: the path leads nowhere else.
                try host.setTime(name: directory.path.isEmpty ? "." : directory.path, directory.mtime)
            }
            stack += directory.subdirectories.values
        }
        for directory in openQueue { directory.opened = nil }
        openQueue = []
    }

    // MARK: Looking

    /// The deepest directory of this layer on the way to a path, and whether the lower layers show at the path.
    func locate(_ directory: String) -> (upper: UpperDirectory?, lowerShows: Bool) {
        var current = root
        if directory.isEmpty { return (current, !current.hidesLower) }
        for name in TreePath.names(directory) {
            let key = PathKey(name)
            guard let next = current.subdirectories[key] else {
                return (nil, !current.hidesLower && current.entries[key] == nil)
            }
            current = next
        }
        return (current, !current.hidesLower)
    }

    // MARK: Writing; the name must not stand in this layer yet

    func makeDirectory(
        in parent: UpperDirectory,
        _ name: String,
        _ metadata: Metadata,
        opaque: Bool,
        hidesLower: Bool
    ) throws -> UpperDirectory {
        let path = TreePath.join(parent.path, name)
        let directory = UpperDirectory(path: path, hidesLower: hidesLower || opaque, mtime: metadata.mtime)
        var metadata = metadata
        try attempt("create the directory \(TreePath.shown(path))") {
            let place = try open(parent)
            try place.makeDirectory(name, mode: 0o700)
            let made = Directory(try place.open(name, flags: O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
            metadata.take(try ownerRules.own(made.descriptor, metadata.uid, metadata.gid))
            try made.descriptor.setMode(metadata.mode & 0o7777)
            try setAttributes(made.descriptor, metadata.attributes)
            if opaque { try made.descriptor.setAttribute(attributeNamespace.opaque, OverlayAttribute.yes) }
            keep(made, directory)
        }
        add(parent, name, metadata, .directory(opaque: opaque))
        parent.subdirectories[PathKey(name)] = directory
        return directory
    }

    /// Changes owner, mode and time of a directory of this layer.
    func change(in parent: UpperDirectory, _ name: String, _ metadata: Metadata) throws {
        guard let directory = parent.subdirectories[PathKey(name)] else { return }
        var metadata = metadata
        try attempt("change the directory \(TreePath.shown(directory.path))") {
            let made = try open(directory).descriptor
            metadata.take(try ownerRules.own(made, metadata.uid, metadata.gid))
            try made.setMode(metadata.mode & 0o7777)
            try setAttributes(made, metadata.attributes)
        }
        directory.mtime = metadata.mtime
        if let kind = parent.entries[PathKey(name)]?.kind { add(parent, name, metadata, kind) }
    }

    /// Changes the time of a directory of this layer alone.
    func change(_ directory: UpperDirectory, in parent: UpperDirectory?, mtime: FileStatus.Time) {
        directory.mtime = mtime
        let name = PathKey(TreePath.split(directory.path).name)
        parent?.entries[name]?.mtime = mtime
    }

    /// Hides all that lower layers hold in a directory of this layer.
    func makeOpaque(_ directory: UpperDirectory) throws {
        try attempt("change the directory \(TreePath.shown(directory.path))") {
            try open(directory).descriptor.setAttribute(attributeNamespace.opaque, OverlayAttribute.yes)
        }
    }

    /// Changes owner, mode and time of the root of this layer.
    func changeRoot(_ metadata: Metadata) throws {
        try attempt("change the root of a layer") {
            _ = try ownerRules.own(host.descriptor, metadata.uid, metadata.gid)
            try host.descriptor.setMode(metadata.mode & 0o7777)
            try setAttributes(host.descriptor, metadata.attributes)
        }
        root.mtime = metadata.mtime
    }

    /// Makes a regular file; `fill` writes its bytes at offset 0 and returns how many there are.
    func makeFile(
        in parent: UpperDirectory,
        _ name: String,
        _ metadata: Metadata,
        mayHaveLinks: Bool = false,
        fill: (Descriptor) throws -> UInt64
    ) throws {
        let path = TreePath.join(parent.path, name)
        try attempt("write \(TreePath.shown(path))") {
            let file = try open(parent).open(name, flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
            let size = try fill(file)
            var metadata = metadata
            metadata.take(try ownerRules.own(file, metadata.uid, metadata.gid))
            try file.setMode(metadata.mode & 0o7777)
            try setAttributes(file, metadata.attributes)
            try file.setTime(metadata.mtime)
            add(parent, name, metadata, .regular, size: size, link: mayHaveLinks ? newIdentity() : nil)
        }
    }

    /// Makes a further name of a file of this layer that was made with `mayHaveLinks`.
    func makeHardLink(
        in parent: UpperDirectory,
        _ name: String,
        to original: UpperDirectory,
        _ originalName: String
    ) throws {
        let path = TreePath.join(parent.path, name)
        guard let entry = original.entries[PathKey(originalName)] else {
            throw SnapshotError(.notFound, "cannot link \(TreePath.shown(path)): its other name is gone")
        }
        try attempt("link \(TreePath.shown(path))") {
            try open(parent).makeHardLink(name, to: open(original), originalName)
        }
        parent.entries[PathKey(name)] = entry
        entryCount += 1
    }

    /// Makes a further name of a file that stands outside this layer, on the same file system.
    ///
    /// - Throws: The bare ``SystemCallError`` with `EMLINK` when the file cannot have more names.
    func link(
        in parent: UpperDirectory,
        _ name: String,
        to directory: Directory,
        _ path: String,
        _ entry: LayerEntry
    ) throws {
        try open(parent).makeHardLink(name, to: directory, path)
        parent.entries[PathKey(name)] = entry
        entryCount += 1
    }

    func makeSymbolicLink(
        in parent: UpperDirectory,
        _ name: String,
        to target: String,
        _ metadata: Metadata
    ) throws {
        let path = TreePath.join(parent.path, name)
        if target.isEmpty || target.utf8.count >= TreePath.byteLimit || target.utf8.contains(0) {
            throw SnapshotError(
                .invalid,
                "cannot create the link \(TreePath.shown(path)): its target has \(target.utf8.count) bytes, 1…\(TreePath.byteLimit - 1) without NUL are allowed"
            )
        }
        var metadata = metadata
        try attempt("create the link \(TreePath.shown(path))") {
            let place = try open(parent)
            try place.makeSymbolicLink(name, to: target)
            metadata.take(try ownerRules.own(place, name, metadata.uid, metadata.gid))
            try setAttributes(place, name, metadata.attributes)
            try place.setTime(name: name, metadata.mtime)
        }
        add(parent, name, metadata, .symbolicLink(target: target))
    }

    /// Makes a device, FIFO or socket.
    func makeNode(
        in parent: UpperDirectory,
        _ name: String,
        _ kind: LayerEntry.Kind,
        _ metadata: Metadata
    ) throws {
        let (type, major, minor): (UInt32, UInt32, UInt32) =
            switch kind {
            case .characterDevice(let major, let minor): (S_IFCHR, major, minor)
            case .blockDevice(let major, let minor): (S_IFBLK, major, minor)
            case .fifo: (S_IFIFO, 0, 0)
            default: (S_IFSOCK, 0, 0)
            }
        let path = TreePath.join(parent.path, name)
        if type == S_IFCHR, major == 0, minor == 0 {
            throw SnapshotError(
                .invalid,
                "cannot create the device \(TreePath.shown(path)): the number 0:0 stands for a deleted file"
            )
        }
        var metadata = metadata
        try attempt("create the node \(TreePath.shown(path))") {
            let place = try open(parent)
            try place.makeNode(name, mode: type | 0o600, major: major, minor: minor)
            metadata.take(try ownerRules.own(place, name, metadata.uid, metadata.gid))
            try place.setMode(name: name, metadata.mode & 0o7777)
            try setAttributes(place, name, metadata.attributes)
            try place.setTime(name: name, metadata.mtime)
        }
        add(parent, name, metadata, kind)
    }

    func makeWhiteout(in parent: UpperDirectory, _ name: String) throws {
        try attempt("delete \(TreePath.shown(TreePath.join(parent.path, name)))") {
            try open(parent).makeNode(name, mode: S_IFCHR)
        }
        parent.entries[PathKey(name)] = LayerEntry(kind: .whiteout, mode: 0)
        entryCount += 1
    }

    /// Takes a name, and all below it, out of this layer.
    func remove(in parent: UpperDirectory, _ name: String) throws {
        let key = PathKey(name)
        guard let entry = parent.entries[key] else { return }
        try attempt("remove \(TreePath.shown(TreePath.join(parent.path, name)))") {
            if let directory = parent.subdirectories[key] {
                forget(directory)
                try open(parent).removeTree(name: name)
            } else {
                try open(parent).remove(name: name, isDirectory: entry.isDirectory)
            }
        }
        parent.subdirectories[key] = nil
        parent.entries[key] = nil
        entryCount -= 1
    }

    // MARK: Details

    private func add(
        _ parent: UpperDirectory,
        _ name: String,
        _ metadata: Metadata,
        _ kind: LayerEntry.Kind,
        size: UInt64 = 0,
        link: LayerEntry.Identity? = nil
    ) {
        let entry = LayerEntry(
            kind: kind,
            mode: kind.isSymbolicLink ? 0o777 : metadata.mode & 0o7777,
            uid: metadata.uid,
            gid: metadata.gid,
            size: size,
            mtime: metadata.mtime,
            link: link
        )
        if parent.entries.updateValue(entry, forKey: PathKey(name)) == nil { entryCount += 1 }
    }

    private func newIdentity() -> LayerEntry.Identity {
        nextLink += 1
        return LayerEntry.Identity(device: .max, inode: nextLink)
    }

    private func setAttributes(_ file: Descriptor, _ attributes: [ExtendedAttribute]) throws {
        for attribute in attributes where isOrdinaryAttribute(attribute.name) {
            do {
                try file.setAttribute(attribute.name, attribute.value)
            } catch {
                // Not `catch where`: inside a loop that crashes the compiler (6.3.1).
                if !ownerRules.forgives(error) { throw error }
            }
        }
    }

    private func setAttributes(_ place: Directory, _ name: String, _ attributes: [ExtendedAttribute]) throws {
        for attribute in attributes where isOrdinaryAttribute(attribute.name) {
            do {
                try place.setAttribute(attribute.name, name: name, attribute.value)
            } catch {
                // Not `catch where`: inside a loop that crashes the compiler (6.3.1).
                if !ownerRules.forgives(error) { throw error }
            }
        }
    }

    private func open(_ directory: UpperDirectory) throws -> Directory {
        if let opened = directory.opened { return opened }
        let opened = try host.directory(directory.path, scope: .noSymlinks)
        keep(opened, directory)
        return opened
    }

    private func keep(_ opened: Directory, _ directory: UpperDirectory) {
        directory.opened = opened
        openQueue.append(directory)
        if openQueue.count > Self.openDirectoryLimit {
            // The older half goes at once, so that the queue moves rarely.
            for old in openQueue.prefix(Self.openDirectoryLimit / 2) { old.opened = nil }
            openQueue.removeFirst(Self.openDirectoryLimit / 2)
        }
    }

    private func forget(_ directory: UpperDirectory) {
        directory.opened = nil
        entryCount -= directory.entries.count
        for child in directory.subdirectories.values { forget(child) }
    }
}

extension LayerEntry.Kind {
    var isSymbolicLink: Bool { if case .symbolicLink = self { true } else { false } }
}

/// This moment, as the kernel's real-time clock has it.
func currentTime() -> FileStatus.Time {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return FileStatus.Time(seconds: Int64(now.tv_sec), nanoseconds: UInt32(now.tv_nsec))
}
