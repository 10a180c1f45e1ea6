// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import Synchronization

/// Several layers read as one tree, by the rules of overlayfs.
///
/// The top layer that speaks of a name decides what it is. Directories merge downwards until a layer says something
/// else, or is opaque. Lookups are remembered.
final class UnionView: Sendable {
    /// What stands at a path.
    struct Node: Sendable {
        var entry: LayerEntry
        /// The index in ``contents`` of the layer that decided.
        var layer: Int
        /// For a directory: the indices of all layers that contribute names, top first.
        var contributors: [Int]
    }

    /// Lowest first.
    let contents: [any LayerContent]
    private let nodes = Mutex<[PathKey: Node?]>([:])

    init(_ contents: [any LayerContent]) { self.contents = contents }

    /// What stands at a clean path; no symlink is followed, so a path below one is not there.
    func node(_ path: String) throws -> Node? {
        let key = PathKey(path)
        if let known = nodes.withLock({ $0[key] }) { return known }
        let node = try path.isEmpty ? findRoot() : find(path)
        nodes.withLock { $0[key] = .some(node) }
        return node
    }

    /// The names in a directory, sorted by bytes.
    func children(_ path: String) throws -> [String] {
        guard let node = try node(path) else { return [] }
        return try children(path, node)
    }

    /// The names in a directory whose node is at hand, sorted by bytes.
    func children(_ path: String, _ node: Node) throws -> [String] {
        if node.contributors.isEmpty { return [] }
        if node.contributors.count == 1 {
            let content = contents[node.contributors[0]]
            return try content.children(path)
                .filter { try content.entry(in: path, name: $0)?.kind != .whiteout }
                .sortedByBytes()
        }
        var seen: Set<PathKey> = []
        var names: [String] = []
        for index in node.contributors {
            for name in try contents[index].children(path) where seen.insert(PathKey(name)).inserted {
                if try contents[index].entry(in: path, name: name)?.kind != .whiteout { names.append(name) }
            }
        }
        return names.sortedByBytes()
    }

    /// The content that holds a node's bytes and attributes.
    func content(of node: Node) -> any LayerContent { contents[node.layer] }

    private func findRoot() throws -> Node? {
        if contents.isEmpty { return nil }
        var entry: LayerEntry?
        for content in contents.reversed() {
            entry = try content.entry("")
            if entry != nil { break }
        }
        return Node(
            entry: entry ?? LayerEntry(kind: .directory(opaque: false), mode: 0o755),
            layer: contents.count - 1,
            contributors: Array(contents.indices.reversed())
        )
    }

    private func find(_ path: String) throws -> Node? {
        let (directory, name) = TreePath.split(path)
        guard let parent = try node(directory), parent.entry.isDirectory else { return nil }
        var found: Node?
        for index in parent.contributors {
            guard let entry = try contents[index].entry(in: directory, name: name) else { continue }
            guard case .directory(let isOpaque) = entry.kind else {
                // A file below a directory is hidden by it; above all it decides.
                if found == nil, entry.kind != .whiteout {
                    found = Node(entry: entry, layer: index, contributors: [])
                }
                return found
            }
            if found == nil { found = Node(entry: entry, layer: index, contributors: []) }
            found?.contributors.append(index)
            if isOpaque { break }
        }
        return found
    }
}
