// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import PathPatterns
internal import Snapshots
internal import SystemPackage

/// Walks a directory of the client, one depth after the other, the directories of a depth on all
/// cores.
///
/// Sockets and device nodes are left out: they mean something on the client's machine only. What
/// vanishes during the walk was never there. Directories are opened by their path below the root,
/// without following a symlink, so that the walk holds one descriptor a thread and cannot be led
/// out of the directory.
struct LocalWalk: Sendable {
    /// Most files and directories one source may hold.
    static let nodeLimit = 20_000_000
    /// Entries of one directory that one thread looks at in a row.
    private static let grain = 1024

    let root: Directory
    /// The directory as its user named it; for messages.
    let shownPath: String
    let filter: PatternSelection
    let cancellation: CancellationFlag

    /// A directory that is still to be read.
    private struct Pending: Sendable {
        var path: String
        var node: Int
        var position: PatternSelection.Position
        /// Whether it is only on the way to what is taken.
        var isPassage: Bool
    }

    /// What one name turned out to be.
    private struct Found: Sendable {
        var node: LocalNode
        /// Set for a directory to descend into.
        var position: PatternSelection.Position?
    }

    /// What one directory holds.
    private struct List: Sendable {
        var attributes: [ExtendedAttribute] = []
        var children: [Found] = []
    }

    /// Finds all that the filter keeps; regular files have no digest yet.
    func run() throws -> LocalTree {
        var rootNode = LocalNode(name: "", status: try root.status())
        // The root of a source is no file of it: it looks the same whoever owns the directory.
        rootNode.status.mode = FileStatus.Kind.directory.rawValue | 0o755
        var nodes = [rootNode]
        var depth = [Pending(path: "", node: 0, position: .init(), isPassage: false)]
        while !depth.isEmpty {
            let lists = try lists(of: depth)
            var below: [Pending] = []
            for (index, pending) in depth.enumerated() {
                nodes[pending.node].attributes = lists[index].attributes
                let first = nodes.count
                for found in lists[index].children {
                    if let position = found.position {
                        below.append(
                            Pending(
                                path: join(pending.path, found.node.name),
                                node: nodes.count,
                                position: position,
                                isPassage: !found.node.isChosen
                            )
                        )
                    }
                    nodes.append(found.node)
                    nodes[nodes.count - 1].parent = pending.node
                }
                nodes[pending.node].children = first..<nodes.count
            }
            if nodes.count > Self.nodeLimit {
                throw SourcesError(
                    .invalid,
                    "cannot read \(shownPath): it holds more than \(Self.nodeLimit) files; exclude some"
                )
            }
            depth = below
        }
        return LocalTree(nodes: nodes)
    }

    private func lists(of depth: [Pending]) throws -> [List] {
        try parallelMap(count: depth.count) { try list(depth[$0]) }
    }

    private func list(_ pending: Pending) throws -> List {
        try cancellation.check()
        do {
            let directory = try root.directory(pending.path, scope: .noSymlinks)
            let names = try directory.entries()
                .filter { $0.kind != .socket }
                .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            let found = try parallelMap(count: names.count, grain: Self.grain) {
                try look(at: names[$0].name, in: directory, pending)
            }
            return List(
                attributes: try carriedAttributes(of: directory.descriptor),
                children: found.compactMap { $0 }
            )
        } catch let error as SystemCallError {
            // Gone, or replaced by something else, since it was listed.
            if pending.node != 0, error.isGone { return List() }
            if pending.isPassage, error.errno == .permissionDenied { return List() }
            throw SourcesError(error, verb: "read the directory", object: shown(pending.path))
        }
    }

    /// - Returns: `nil` for what is left out.
    private func look(at name: String, in directory: Directory, _ parent: Pending) throws -> Found? {
        guard let status = try directory.statusIfExists(name: name) else {
            // The list gives names repaired: one that cannot be found again may have been no text.
            if name.unicodeScalars.contains("\u{FFFD}") {
                throw SourcesError(
                    .invalid,
                    "cannot read \(shown(join(parent.path, name))): its name is no valid UTF-8; rename it"
                )
            }
            return nil
        }
        switch status.kind {
        case .socket, .characterDevice, .blockDevice: return nil
        case .regular, .directory, .symbolicLink, .fifo: break
        }
        let path = join(parent.path, name)
        let verdict = filter.judge(path, isDirectory: status.isDirectory, below: parent.position)
        guard verdict.isChosen || verdict.mayChooseBelow else { return nil }
        guard let target = try status.isSymbolicLink ? readLink(name, in: directory) : "" else {
            return nil
        }
        let node = LocalNode(
            name: name,
            status: status,
            target: target,
            isChosen: verdict.isChosen
        )
        return Found(node: node, position: status.isDirectory && verdict.mayChooseBelow ? verdict.position : nil)
    }

    private func readLink(
        _ name: String,
        in directory: Directory
    ) throws(SystemCallError) -> String? {
        do {
            return try directory.readLink(name: name)
        } catch  where error.isGone {
            return nil
        }
    }

    private func join(_ directory: String, _ name: String) -> String {
        directory.isEmpty ? name : directory + "/" + name
    }

    private func shown(_ path: String) -> String {
        path.isEmpty ? shownPath : join(shownPath, path)
    }
}
