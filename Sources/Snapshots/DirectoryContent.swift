// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import OCI
internal import Synchronization

/// A layer that lies on disk as an overlay diff: whiteouts are character devices 0:0, an opaque directory has the
/// attribute `trusted.overlay.opaque` or `user.overlay.opaque`.
///
/// Directories are listed at most once and remembered, so asking many layers for a name that most of them do not have
/// costs no system call.
final class DirectoryContent: LayerContent {
    /// What is known of one name.
    private enum Slot {
        /// The name exists; its status was not read yet.
        case named
        case known(LayerEntry)
    }

    private typealias Listing = [PathKey: Slot]

    private struct State {
        /// Complete listings by directory; an absent directory has an empty one.
        var listings: [PathKey: Listing] = [:]
        var root: LayerEntry?
        var digests: [PathKey: Digest] = [:]
    }

    let root: Directory
    private let state: Mutex<State>

    init(_ root: Directory) {
        self.root = root
        state = Mutex(State())
    }

    /// A layer whose entries are known because this process has just written them.
    ///
    /// - Parameter directories: For each directory of the layer, the root included, all entries in it.
    init(_ root: Directory, directories: [PathKey: [PathKey: LayerEntry]]) {
        self.root = root
        state = Mutex(State(listings: directories.mapValues { $0.mapValues(Slot.known) }))
    }

    func entry(_ path: String) throws -> LayerEntry? {
        if path.isEmpty { return try rootEntry() }
        let (directory, name) = TreePath.split(path)
        return try entry(in: directory, name: name)
    }

    func entry(in directory: String, name: String) throws -> LayerEntry? {
        let key = PathKey(directory)
        let name = PathKey(name)
        // The outer optional says whether the listing is there.
        let slot: Slot?? = state.withLock { state in state.listings[key].map { $0[name] } }
        switch slot {
        case .some(.none): return nil
        case .some(.some(.known(let entry))): return entry
        case .some(.some(.named)): return try readEntry(key, name)
        case .none:
            let listing = try list(key)
            switch listing[name] {
            case nil: return nil
            case .known(let entry): return entry
            case .named: return try readEntry(key, name)
            }
        }
    }

    func children(_ path: String) throws -> [String] {
        let key = PathKey(path)
        let listing = try state.withLock { $0.listings[key] } ?? list(key)
        return listing.keys.map(\.text)
    }

    func open(_ path: String) throws -> LinuxSystem.Descriptor {
        try attempt("open \(TreePath.shown(path))") {
            try root.open(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, scope: .noSymlinks)
        }
    }

    func attributes(_ path: String) throws -> [ExtendedAttribute] {
        guard let entry = try entry(path) else { return [] }
        return try attempt("read the attributes of \(TreePath.shown(path))") {
            switch entry.kind {
            case .regular, .directory:
                let file = try root.open(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK, scope: .noSymlinks)
                return try file.attributeNames().filter(isOrdinaryAttribute).compactMap { name in
                    try file.attribute(name).map { ExtendedAttribute(name: name, value: $0) }
                }
            case .symbolicLink, .characterDevice, .blockDevice, .fifo, .socket:
                let (parent, name) = TreePath.split(path)
                let directory = try root.directory(parent, scope: .noSymlinks)
                return try directory.attributeNames(name: name).filter(isOrdinaryAttribute).compactMap { attribute in
                    try directory.attribute(attribute, name: name)
                        .map { ExtendedAttribute(name: attribute, value: $0) }
                }
            case .whiteout: return []
            }
        }
    }

    func fileDigest(_ path: String) throws -> Digest? {
        let key = PathKey(path)
        return state.withLock { $0.digests[key] }
    }

    /// Remembers a digest that was computed from this layer's bytes.
    func remember(_ digest: Digest, of path: String) {
        let key = PathKey(path)
        state.withLock { $0.digests[key] = digest }
    }

    private func rootEntry() throws -> LayerEntry {
        if let entry = state.withLock({ $0.root }) { return entry }
        let entry = try attempt("read the root of a layer") {
            let status = try root.status()
            return try makeEntry(status, in: root, name: "", path: "")
        }
        state.withLock { $0.root = entry }
        return entry
    }

    private func readEntry(_ directory: PathKey, _ name: PathKey) throws -> LayerEntry? {
        let path = TreePath.join(directory.text, name.text)
        let entry: LayerEntry? = try attempt("read the status of \(TreePath.shown(path))") {
            // The directory was opened without passing a symlink when it was listed, and a layer never changes.
            let status = try root.status(name: path)
            return try makeEntry(status, in: root, name: path, path: path)
        }
        if let entry { state.withLock { $0.listings[directory]?[name] = .known(entry) } }
        return entry
    }

    private func list(_ directory: PathKey) throws -> Listing {
        var listing: Listing = [:]
        if try directory.text.isEmpty || isDirectory(directory.text) {
            let entries = try attempt("list \(TreePath.shown(directory.text))") {
                try root.directory(directory.text, scope: .noSymlinks).entries()
            }
            listing.reserveCapacity(entries.count)
            for entry in entries { listing[PathKey(entry.name)] = .named }
        }
        let result = listing
        state.withLock { $0.listings[directory] = result }
        return listing
    }

    private func isDirectory(_ path: String) throws -> Bool {
        try entry(path)?.isDirectory ?? false
    }

    private func makeEntry(
        _ status: FileStatus,
        in directory: Directory,
        name: String,
        path: String
    ) throws -> LayerEntry {
        let kind: LayerEntry.Kind
        switch status.kind {
        case .directory:
            kind = .directory(opaque: try isOpaque(path))
        case .regular: kind = .regular
        case .symbolicLink: kind = .symbolicLink(target: try directory.readLink(name: name))
        case .characterDevice:
            kind =
                status.isWhiteout
                ? .whiteout : .characterDevice(major: status.deviceMajor, minor: status.deviceMinor)
        case .blockDevice: kind = .blockDevice(major: status.deviceMajor, minor: status.deviceMinor)
        case .fifo: kind = .fifo
        case .socket: kind = .socket
        }
        return LayerEntry(
            kind: kind,
            mode: status.permissions,
            uid: status.owner,
            gid: status.group,
            size: status.isRegular ? status.size : 0,
            mtime: status.modified,
            link: status.linkCount > 1 && !status.isDirectory
                ? LayerEntry.Identity(device: status.device, inode: status.inode) : nil
        )
    }

    private func isOpaque(_ path: String) throws -> Bool {
        if path.isEmpty { return false }
        let directory = try root.open(path, flags: O_RDONLY | O_DIRECTORY, scope: .noSymlinks)
        for attribute in OverlayAttribute.opaqueNames where try directory.attribute(attribute) == OverlayAttribute.yes {
            return true
        }
        return false
    }
}

/// The extended attributes overlayfs keeps its own notes in.
enum OverlayAttribute {
    static let trustedOpaque = "trusted.overlay.opaque"
    static let userOpaque = "user.overlay.opaque"
    static let opaqueNames = [trustedOpaque, userOpaque]
    static let yes = Array("y".utf8)
    static let prefixes = ["trusted.overlay.", "user.overlay."]

    /// Where overlayfs reads its notes: `user.` under the mount option `userxattr`, which unprivileged mounts need.
    enum Namespace: Sendable {
        case trusted
        case user

        var opaque: String {
            switch self {
            case .trusted: OverlayAttribute.trustedOpaque
            case .user: OverlayAttribute.userOpaque
            }
        }
    }
}

/// Whether an attribute belongs to the file and not to overlayfs or the security module of this machine.
func isOrdinaryAttribute(_ name: String) -> Bool {
    !OverlayAttribute.prefixes.contains { name.hasPrefix($0) }
        && (!name.hasPrefix("security.") || name == "security.capability")
        && !name.hasPrefix("system.")
}
