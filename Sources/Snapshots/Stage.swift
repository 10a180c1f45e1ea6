// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import Glibc
package import LinuxSystem
internal import Synchronization

/// A tree made ready for one step to run in and change.
///
/// With ``SnapshotStore/Mode/overlay`` the launcher mounts overlayfs over ``lowers`` with ``upper`` and ``work``, with
/// `redirect_dir=off,metacopy=off,index=off` (and `userxattr` where ``usesUserAttributes``), so that what the kernel
/// writes are plain diffs. With ``SnapshotStore/Mode/copy`` ``upper`` is the whole root, to be bound.
///
/// End it with ``commit()`` or ``discard()`` after the mount is gone; a stage that is dropped goes with its process.
package final class Stage: Sendable {
    package let mode: SnapshotStore.Mode
    /// Directories of the layers, top first, at most ``SnapshotStore/lowerDirectoryLimit``; none in copy mode.
    package let lowers: [Directory]
    /// Where changes go; in copy mode the whole root.
    package let upper: Directory
    /// overlayfs's own directory, empty, on the file system of ``upper``; `nil` in copy mode.
    package let work: Directory?
    package let usesUserAttributes: Bool

    private let store: SnapshotStore
    private let view: UnionView
    /// The stage's directory below `tmp/<owner>/`; also the id of the layer it becomes.
    private let name: LayerID
    /// In copy mode: the moment the copy was complete.
    private let copied: FileStatus.Time?
    /// The root as it was handed out.
    private let rootBefore: FileStatus
    private let isOver = Mutex(false)

    init(
        store: SnapshotStore,
        view: UnionView,
        name: LayerID,
        lowers: [Directory],
        upper: Directory,
        work: Directory?,
        copied: FileStatus.Time?
    ) throws(SystemCallError) {
        self.store = store
        self.view = view
        self.name = name
        self.lowers = lowers
        self.upper = upper
        self.work = work
        self.copied = copied
        mode = work == nil ? .copy : .overlay
        usesUserAttributes = store.usesUserAttributes
        rootBefore = try upper.status()
    }

    deinit {
        if isOver.withLock({ $0 }) { return }
        try? store.state.temporary.removeTree(name: name)
    }

    /// Turns the changes into a layer.
    ///
    /// - Returns: The layer, on disk but not yet durable; `nil` when nothing changed.
    package func commit() async throws -> Layer? {
        end()
        return try await blocking { [self] in
            switch mode {
            case .overlay: try commitOverlay()
            case .copy: try commitCopy()
            }
        }
    }

    /// Drops the changes.
    package func discard() async {
        end()
        // The directory is in tmp/<owner>: what cannot be removed now goes when this process is gone.
        try? await blocking { [self] in try store.state.temporary.removeTree(name: name) }
    }

    private func end() {
        let wasOver = isOver.withLock { over in
            defer { over = true }
            return over
        }
        precondition(!wasOver, "a stage ends once")
    }

    private func commitOverlay() throws -> Layer? {
        let temporary = store.state.temporary
        let isUnchanged = try attempt("read the changes of a step") { try upper.entries().isEmpty && isRootUnchanged() }
        if isUnchanged {
            try? temporary.removeTree(name: name)
            return nil
        }
        return try attempt("store the changes of a step") {
            try temporary.directory(name).removeTree(name: "work")
            try temporary.rename(name, to: store.snapshots, name)
            return store.remember(name) { Layer(id: name, content: DirectoryContent(upper), directory: upper) }
        }
    }

    private func isRootUnchanged() throws(SystemCallError) -> Bool {
        let root = try upper.status()
        return root.mode == rootBefore.mode && root.owner == rootBefore.owner && root.group == rootBefore.group
    }

    private func commitCopy() throws -> Layer? {
        defer { try? store.state.temporary.removeTree(name: name) }
        let after = UnionView([DirectoryContent(upper)])
        let layer = try store.makeDifference(lower: view, upper: after, untouchedUntil: copied)
        if try layer.readyContent?.children("").isEmpty ?? true, try isRootUnchanged() {
            try store.remove(layer.id)
            return nil
        }
        return layer
    }
}

extension SnapshotStore {
    /// How many lower directories a stage has at most.
    ///
    /// The kernel allows 500; options and lookups get slower before.
    package static let lowerDirectoryLimit = 120

    /// Makes a tree ready for a step.
    ///
    /// A tree of more layers than ``lowerDirectoryLimit`` is flattened from below; the flat part is kept for the next
    /// stage.
    package func stage(on tree: FileTree) async throws -> Stage {
        let view = try await tree.view()
        switch mode {
        case .overlay:
            var lowers: [Directory] = []
            for layer in try await flattened(tree).layers.reversed() { lowers.append(try await layer.directory()) }
            let directories = lowers
            return try await blocking { [self] in
                let name = newID()
                return try attempt("prepare a step's file tree") {
                    try state.temporary.makeDirectory(name, mode: 0o700)
                    let place = try state.temporary.directory(name)
                    try place.makeDirectory("fs", mode: 0o755)
                    try place.makeDirectory("work", mode: 0o700)
                    let upper = try place.directory("fs")
                    try copyRootMetadata(of: view, to: upper)
                    return try Stage(
                        store: self,
                        view: view,
                        name: name,
                        lowers: directories,
                        upper: upper,
                        work: place.directory("work"),
                        copied: nil
                    )
                }
            }
        case .copy:
            return try await blocking { [self] in
                let name = newID()
                return try attempt("prepare a step's file tree") {
                    try state.temporary.makeDirectory(name, mode: 0o700)
                    let place = try state.temporary.directory(name)
                    try place.makeDirectory("fs", mode: 0o755)
                    let root = try place.directory("fs")
                    try copyRootMetadata(of: view, to: root)
                    try materialise(view, in: root, linking: false)
                    // Files touched by the step carry a later change time than this one.
                    try place.createFile("copied", mode: 0o600).write([0])
                    let copied = try place.status(name: "copied").changed
                    return try Stage(
                        store: self,
                        view: view,
                        name: name,
                        lowers: [],
                        upper: root,
                        work: nil,
                        copied: copied
                    )
                }
            }
        }
    }
}
