// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import SystemPackage

extension SnapshotStore {
    /// A tree of the same content with at most ``lowerDirectoryLimit`` layers.
    ///
    /// The oldest layers become one directory of hard links, named after them and kept. It is cut where the number of
    /// layers is a multiple of the limit, so a chain that grows by one layer a step reuses the same flat part.
    func flattened(_ tree: FileTree) async throws -> FileTree {
        let limit = Self.lowerDirectoryLimit
        if tree.layers.count <= limit { return tree }
        let kept = tree.layers.count % (limit / 2) + limit / 2 - 1
        let cut = tree.layers.count - kept
        let bottom = FileTree(layers: Array(tree.layers[..<cut]))
        let flat = try await flatLayer(of: bottom)
        return FileTree(layers: [flat] + tree.layers[cut...])
    }

    /// One layer with the content of a whole tree.
    private func flatLayer(of tree: FileTree) async throws -> Layer {
        var digester = Digester()
        for layer in tree.layers { digester.update("\(layer.id)\n") }
        let id = "flat-\(digester.finish().hex)"
        if let layer = knownLayer(id) { return layer }
        // Directories of host layers must be on disk before they can be linked.
        for layer in tree.layers { _ = try await layer.directory() }
        let view = try await tree.view()
        let directory = try await blocking { [self] in
            if let directory = try standingDirectory(id) { return directory }
            return try makeNamedLayer(id) { root in
                try attempt("flatten \(view.contents.count) layers") {
                    try copyRootMetadata(of: view, to: root)
                    try materialise(view, in: root, linking: true)
                }
            }
        }
        return remember(id) { Layer(id: id, content: DirectoryContent(directory), directory: directory) }
    }

    /// Writes a whole tree into an empty directory, as plain files.
    ///
    /// - Parameter linking: Files become further names of the layers' files: the result must not be written to. Off,
    ///   every file is a copy.
    func materialise(_ view: UnionView, in root: Directory, linking: Bool) throws {
        let upper = UpperLayer(
            host: root,
            hidesLower: true,
            attributeNamespace: attributeNamespace,
            ownerRules: ownerRules
        )
        let copier = UnionCopier(view: view, upper: upper, linking: linking)
        try copier.copyChildren("", to: upper.root)
        try upper.finish()
        if let mtime = try view.node("")?.entry.mtime { try root.setTime(name: ".", mtime) }
    }
}

/// Copies a union into a new layer as it is.
final class UnionCopier {
    private let view: UnionView
    private let upper: UpperLayer
    private let linking: Bool
    /// First names of files with several, by layer and identity.
    private var firstNames: [FileKey: (directory: UpperDirectory, name: String)] = [:]

    struct FileKey: Hashable {
        var layer: Int
        var identity: LayerEntry.Identity
    }

    init(view: UnionView, upper: UpperLayer, linking: Bool) {
        self.view = view
        self.upper = upper
        self.linking = linking
    }

    /// Copies all below a directory of the union.
    ///
    /// Deep trees are no danger: the stack is on the heap.
    func copyChildren(_ path: String, to directory: UpperDirectory) throws {
        var stack = [(path: path, directory: directory)]
        while let top = stack.popLast() {
            for name in try view.children(top.path) {
                let child = TreePath.join(top.path, name)
                guard let node = try view.node(child) else { continue }
                if let made = try copy(node, child, in: top.directory, name) { stack.append((child, made)) }
            }
        }
    }

    /// Copies one entry; a directory without what is in it.
    ///
    /// - Returns: The new directory, when it is one.
    func copy(
        _ node: UnionView.Node,
        _ path: String,
        in parent: UpperDirectory,
        _ name: String,
        opaque: Bool = false
    ) throws -> UpperDirectory? {
        let content = view.content(of: node)
        let entry = node.entry
        if linking, !entry.isDirectory, let source = content as? DirectoryContent {
            do {
                try upper.link(in: parent, name, to: source.root, path, entry)
                return nil
            } catch let error as SystemCallError where error.errno == .tooManyLinks {
                // The file has all the names it can have: copy it.
            }
        }
        let metadata = UpperLayer.Metadata(
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            attributes: try content.attributes(path)
        )
        switch entry.kind {
        case .directory:
            return try upper.makeDirectory(in: parent, name, metadata, opaque: opaque, hidesLower: true)
        case .regular:
            let key = entry.link.map { FileKey(layer: node.layer, identity: $0) }
            if let key, let first = firstNames[key] {
                try upper.makeHardLink(in: parent, name, to: first.directory, first.name)
                return nil
            }
            let source = try content.open(path)
            try upper.makeFile(in: parent, name, metadata, mayHaveLinks: key != nil) { file in
                try file.copySparse(from: source, size: entry.size)
                try content.confirmUnchanged(path, source)
                return entry.size
            }
            if let key { firstNames[key] = (parent, name) }
        case .symbolicLink(let target):
            try upper.makeSymbolicLink(in: parent, name, to: target, metadata)
        case .characterDevice, .blockDevice, .fifo, .socket:
            try upper.makeNode(in: parent, name, entry.kind, metadata)
        case .whiteout:
            break
        }
        return nil
    }
}
