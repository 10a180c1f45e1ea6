// SPDX-License-Identifier: Apache-2.0

internal import Archives
package import ContentStore
internal import Glibc
internal import LinuxSystem
internal import Synchronization
internal import SystemPackage

/// Layers on disk: `snapshots/<id>/fs` holds an overlay diff, `snapshots/<id>/meta.json` what is known of it.
///
/// Nothing is ever mounted here: trees are read and written in user space, and ``Stage`` hands directories to the
/// launcher, which mounts them. A layer is made in `tmp/<owner>/` and appears by rename. It survives a crash of the
/// machine only after ``persist(_:)``: a record that names a layer is written after that.
package final class SnapshotStore: Sendable {
    /// How a step gets its file tree.
    package enum Mode: Sendable, Hashable {
        /// overlayfs over the layers' directories.
        case overlay
        /// A flat copy, compared with the tree afterwards; where the state directory's file system cannot carry
        /// overlayfs.
        case copy
    }

    package let state: StateDirectory
    package let content: ContentStore
    package let mode: Mode
    /// Whether overlayfs must be mounted with `userxattr`: this process may not write `trusted.` attributes.
    package let usesUserAttributes: Bool

    let snapshots: Directory
    let ownerRules = OwnerRules()
    /// Layers this process knows, so that one id is one object.
    ///
    /// Entries of layers nobody holds are swept now and then.
    private let known = Mutex<[LayerID: WeakLayer]>([:])

    private struct WeakLayer {
        weak var layer: Layer?
    }

    /// - Parameter mode: `nil` = what the file system of the state directory allows.
    package init(state: StateDirectory, content: ContentStore, mode: Mode? = nil) throws {
        self.state = state
        self.content = content
        let probe = try state.scratch("probe")
        (snapshots, usesUserAttributes, self.mode) = try attempt("open the snapshots") {
            defer { try? state.temporary.removeTree(name: probe.name) }
            let snapshots = try state.root.directory("snapshots")
            var usesUserAttributes = false
            do {
                try probe.directory.descriptor.setAttribute(OverlayAttribute.trustedOpaque, OverlayAttribute.yes)
            } catch {
                usesUserAttributes = true
            }
            let detected: Mode = try fileSystemCarriesOverlay(snapshots) ? .overlay : .copy
            return (snapshots, usesUserAttributes, mode ?? detected)
        }
    }

    /// Whether an owner could not be set because this process lacks the privilege; worth one warning.
    package var ownersWereRefused: Bool { ownerRules.wasRefused }

    var attributeNamespace: OverlayAttribute.Namespace { usesUserAttributes ? .user : .trusted }

    // MARK: Layers

    /// A layer that is on disk, by its id.
    ///
    /// - Throws: `notFound`.
    package func layer(id: LayerID) throws -> Layer {
        try checkID(id)
        if let layer = knownLayer(id) { return layer }
        let directory: Directory
        do {
            directory = try snapshots.directory("\(id)/fs", scope: .noSymlinks)
        } catch {
            if error.isNotFound { throw SnapshotError(.notFound, "cannot find layer \(id): it is not on disk") }
            throw SnapshotError("open layer \(id)", error)
        }
        return remember(id) {
            let layer = Layer(id: id, content: DirectoryContent(directory), directory: directory)
            if let meta = try? readMeta(id), let diffID = meta.diffID {
                layer.learn(diffID: diffID, blob: meta.blobs?.first)
            }
            return layer
        }
    }

    /// Whether a layer is on disk.
    package func contains(_ id: LayerID) -> Bool {
        (try? checkID(id)) != nil && (try? snapshots.statusIfExists(name: "\(id)/fs")) != nil
    }

    /// All layers on disk, sorted.
    package func list() throws -> [LayerID] {
        try attempt("list the snapshots") { try snapshots.entries() }
            .map(\.name).filter { Self.isID($0) }.sorted()
    }

    /// Removes a layer from disk; a missing one is fine.
    ///
    /// Nobody may use it any more: leases are the caller's.
    package func remove(_ id: LayerID) throws {
        try checkID(id)
        known.withLock { $0[id] = nil }
        let trash = state.nextName("trash")
        do {
            // Out of sight at once; emptying it may take long and may be cut short by a crash.
            try snapshots.rename(id, to: state.temporary, trash)
        } catch {
            if error.isNotFound { return }
            throw SnapshotError("remove layer \(id)", error)
        }
        try attempt("remove layer \(id)") { try state.temporary.removeTree(name: trash) }
    }

    /// Space a layer takes on disk in bytes; files with several names count once.
    package func diskUsage(_ id: LayerID) throws -> Int64 {
        try checkID(id)
        return try attempt("measure layer \(id)") { try allocatedSize(snapshots.directory(id, scope: .noSymlinks)) }
    }

    /// Makes layers and all they hold survive a crash of the machine: one call for many.
    ///
    /// Layers that are not on disk are passed over. An error means that the layers may be lost: drop them, do not
    /// try again.
    package func persist(_ layers: [Layer]) async throws {
        let ids = layers.map(\.id)
        try await blocking { [self] in
            try attempt("sync the snapshots") { try snapshots.descriptor.syncFileSystem() }
            for id in ids { try markDurable(id) }
        }
    }

    // MARK: Writing

    /// Makes a layer on top of a tree.
    ///
    /// - Parameter body: Runs on a blocking thread. What it leaves is the layer; when it throws, nothing is left.
    /// - Returns: The new layer, on disk but not yet durable. It may be empty.
    package func write(
        on tree: FileTree,
        _ body: @escaping @Sendable (TreeWriter) throws -> Void
    ) async throws -> Layer {
        try await tree.copyHostLayers()
        let lower = try await tree.view()
        return try await blocking { [self] in
            try makeLayer { upperHost in
                try copyRootMetadata(of: lower, to: upperHost)
                let upper = UpperLayer(
                    host: upperHost,
                    hidesLower: false,
                    attributeNamespace: attributeNamespace,
                    ownerRules: ownerRules
                )
                let writer = TreeWriter(lower: lower, upper: upper)
                try body(writer)
                try upper.finish()
                return upper
            }
        }
    }

    /// Makes a layer in a new directory and moves it into place.
    func makeLayer(id: LayerID? = nil, _ fill: (Directory) throws -> UpperLayer) throws -> Layer {
        let id = id ?? newID()
        try attempt("create a layer") {
            try state.temporary.makeDirectory(id, mode: 0o700)
            try state.temporary.makeDirectory("\(id)/fs", mode: 0o755)
        }
        do {
            let directory = try attempt("create a layer") { try state.temporary.directory("\(id)/fs") }
            let upper = try fill(directory)
            try attempt("store layer \(id)") { try state.temporary.rename(id, to: snapshots, id) }
            return remember(id) {
                Layer(
                    id: id,
                    content: DirectoryContent(directory, directories: upper.listings()),
                    directory: directory
                )
            }
        } catch {
            try? state.temporary.removeTree(name: id)
            throw error
        }
    }

    /// Moves a finished layer directory whose id tells its content into place.
    ///
    /// - Returns: `false` when another process was quicker; then its directory stands and ours is gone.
    func publish(_ temporaryName: String, as id: LayerID) throws(SystemCallError) -> Bool {
        do {
            try state.temporary.rename(temporaryName, to: snapshots, id)
            return true
        } catch  where error.errno == .fileExists || error.errno == .directoryNotEmpty {
            try state.temporary.removeTree(name: temporaryName)
            return false
        }
    }

    /// Gives the root of a new layer owner and mode of the tree's root.
    func copyRootMetadata(of view: UnionView, to directory: Directory) throws {
        let root = try view.node("")?.entry
        try attempt("create a layer") {
            if let root, root.uid != geteuid() || root.gid != getegid() {
                _ = try ownerRules.own(directory.descriptor, root.uid, root.gid)
            }
            // Always: the umask may have taken bits from the new directory.
            try directory.descriptor.setMode(root?.mode ?? 0o755)
        }
    }

    // MARK: Ids

    /// `<owner>-<number>`: the owner's death tells that nobody works on it any more.
    func newID() -> LayerID { state.nextName(state.owner) }

    func knownLayer(_ id: LayerID) -> Layer? { known.withLock { $0[id]?.layer } }

    /// The one object of an id, made where there is none.
    func remember(_ id: LayerID, _ make: () -> Layer) -> Layer {
        known.withLock { known in
            if let layer = known[id]?.layer { return layer }
            if known.count > 4096 { known = known.filter { $0.value.layer != nil } }
            let layer = make()
            known[id] = WeakLayer(layer: layer)
            return layer
        }
    }

    /// Ids come back from a database: they must never lead out of the directory.
    func checkID(_ id: LayerID) throws {
        if !Self.isID(id) { throw SnapshotError(.invalid, "cannot use layer id \(id.debugDescription): not an id") }
    }

    private static func isID(_ id: String) -> Bool {
        (1...100).contains(id.utf8.count)
            && id.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
    }
}

/// Whether overlayfs can take its upper directory from this file system.
private func fileSystemCarriesOverlay(_ directory: Directory) throws(SystemCallError) -> Bool {
    // overlayfs refuses itself and network file systems as upper.
    let overlay: UInt64 = 0x794c_7630
    let fuse: UInt64 = 0x6573_5546
    let nfs: UInt64 = 0x6969
    let magic = try directory.fileSystemType()
    return magic != overlay && magic != fuse && magic != nfs
}

/// Space on disk of all below a directory, in bytes; files with several names count once.
func allocatedSize(_ directory: Directory) throws -> Int64 {
    var total: Int64 = 0
    var seen: Set<UInt64> = []
    var stack = [directory]
    while let current = stack.popLast() {
        total &+= Int64(clamping: try current.status().allocatedSize)
        for entry in try current.entries() {
            guard let status = try current.statusIfExists(name: entry.name) else { continue }
            if status.isDirectory {
                stack.append(try current.directory(entry.name, scope: .noSymlinks))
            } else if status.linkCount == 1 || seen.insert(status.inode).inserted {
                total &+= Int64(clamping: status.allocatedSize)
            }
        }
    }
    return total
}
