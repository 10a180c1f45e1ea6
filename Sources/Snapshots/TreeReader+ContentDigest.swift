// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import OCI
internal import PathPatterns

extension TreeReader {
    /// The digest of what stands at a path: equal for equal content, wherever the tree came from and whenever it was
    /// written.
    ///
    /// A directory's digest covers its own owner, mode and attributes and, by name, all that is in it. With a wildcard or
    /// patterns it covers what they select, by the name it is selected under, and the directories on the way. Digests of
    /// files are kept with the layers.
    ///
    /// - Parameters:
    ///   - path: A path or, with `wildcard`, a pattern of Go's `filepath.Match`. A slash at its end leaves out the
    ///     directory's own owner and mode where patterns are given.
    ///   - followSymlinks: Whether a symlink at the very path is followed; those on the way always are.
    ///   - include: Patterns of what counts, relative to the path; empty = all.
    ///   - exclude: Patterns of what does not count; they win.
    ///   - requiredPaths: Prefixes of which each must be selected.
    /// - Throws: `notFound` when a path without wildcard does not exist, or a required one is not selected.
    ///
    /// Source: BuildKit cache/contenthash.
    package func contentDigest(
        _ path: String,
        followSymlinks: Bool = false,
        wildcard: Bool = false,
        include: [String] = [],
        exclude: [String] = [],
        requiredPaths: [String] = []
    ) throws -> Digest {
        let clean = TreePath.clean(path)
        if !wildcard, include.isEmpty, exclude.isEmpty {
            let resolved = try resolve(clean, followLast: followSymlinks)
            return try ContentHasher(view: view).digest(resolved, try existing(resolved, asked: path))
        }
        var selection = ContentSelector(
            view: view,
            patterns: try PatternSelection(include: include, exclude: exclude)
        )
        let prefix = wildcard ? Wildcard.split(clean).plain : clean
        for root in try roots(clean, prefix: prefix, wildcard: wildcard) {
            guard var node = try view.node(root.resolved) else {
                if wildcard { continue }
                throw SnapshotError(.notFound, "cannot find \(TreePath.shown(path)): no such file or directory")
            }
            var resolved = root.resolved
            if followSymlinks, node.entry.isSymbolicLink {
                resolved = try resolve(resolved)
                node = try existing(resolved, asked: root.shown)
            }
            try selection.select(
                resolved,
                node,
                shown: root.shown,
                leavesOutHeader: !wildcard && path.hasSuffix("/")
            )
        }
        for required in requiredPaths {
            let wanted = TreePath.clean(required)
            if !selection.selected.contains(where: { $0.path.utf8.starts(with: wanted.utf8) }) {
                throw SnapshotError(.notFound, "cannot find \(TreePath.shown(required)): no such file or directory")
            }
        }
        return selection.digest(prefix: prefix)
    }

    /// What a path or pattern names: where it stands, and the name it is selected under, which begins with the prefix as
    /// it was asked for, whatever links that leads through.
    private func roots(
        _ path: String,
        prefix: String,
        wildcard: Bool
    ) throws -> [(resolved: String, shown: String)] {
        guard wildcard, Wildcard.isPattern(path) else {
            return [(try resolve(path, followLast: false), path)]
        }
        let resolvedPrefix = try resolve(prefix)
        return try Wildcard.matches(
            path,
            followLast: true,
            resolve: { try resolve($0, followLast: $1) },
            entry: { try view.node($0)?.entry },
            children: { try view.children($0) }
        ).map { match in
            (match, TreePath.join(prefix, ContentSelector.rest(of: match, behind: resolvedPrefix)))
        }
    }
}

/// Digests of whole files and directories.
struct ContentHasher {
    let view: UnionView

    /// The digest of a node with all below it.
    ///
    /// Deep trees are no danger: the stack is on the heap.
    func digest(_ path: String, _ node: UnionView.Node) throws -> Digest {
        guard node.entry.isDirectory else { return try file(path, node) }
        struct Frame {
            var name: String
            var path: String
            var node: UnionView.Node
            var digester: Digester
            /// Names still to come, next one last.
            var rest: [String]
        }
        func frame(_ name: String, _ path: String, _ node: UnionView.Node) throws -> Frame {
            var digester = Digester()
            digester.update([0])
            digester.update(try header(path, node).description)
            return Frame(
                name: name,
                path: path,
                node: node,
                digester: digester,
                rest: try view.children(path, node).reversed()
            )
        }
        var stack = [try frame("", path, node)]
        var finished: (name: String, digest: Digest)?
        while var top = stack.popLast() {
            if let (name, digest) = finished {
                top.digester.update([0])
                top.digester.update(name)
                top.digester.update(digest.description)
                finished = nil
            }
            guard let name = top.rest.popLast() else {
                finished = (top.name, top.digester.finish())
                continue
            }
            let child = TreePath.join(top.path, name)
            guard let node = try view.node(child) else {
                stack.append(top)
                continue
            }
            stack.append(top)
            if node.entry.isDirectory {
                stack.append(try frame(name, child, node))
            } else {
                finished = (name, try file(child, node))
            }
        }
        return finished?.digest ?? ContentHash.empty
    }

    /// The digest of what is no directory, from where it is known.
    func file(_ path: String, _ node: UnionView.Node) throws -> Digest {
        let content = view.content(of: node)
        if let known = try content.fileDigest(path) { return known }
        let file = node.entry.isRegular ? try content.open(path) : nil
        let digest = try ContentHash.file(
            node.entry,
            attributes: try content.attributes(path),
            content: file
        )
        if let file { try content.confirmUnchanged(path, file) }
        (content as? DirectoryContent)?.remember(digest, of: path)
        return digest
    }

    /// The digest of a directory without what is in it.
    func header(_ path: String, _ node: UnionView.Node) throws -> Digest {
        // The root of a layer nobody spoke of says nothing.
        if path.isEmpty { return ContentHash.empty }
        return ContentHash.directoryHeader(
            node.entry,
            attributes: try view.content(of: node).attributes(path)
        )
    }
}

/// Collects what patterns select, in the order of the paths.
private struct ContentSelector {
    let view: UnionView
    let patterns: PatternSelection
    /// By the path it is selected under.
    private(set) var selected: [(path: String, digest: Digest)] = []

    init(view: UnionView, patterns: PatternSelection) {
        self.view = view
        self.patterns = patterns
    }

    /// A directory on the way, counted once something in it is.
    private final class Passage {
        let path: String
        let digest: Digest
        let parent: Passage?
        var isCounted: Bool

        init(path: String, digest: Digest, parent: Passage?, isCounted: Bool) {
            self.path = path
            self.digest = digest
            self.parent = parent
            self.isCounted = isCounted
        }
    }

    private struct Step {
        var resolved: String
        var node: UnionView.Node
        var shown: String
        var relative: String
        var parent: Passage?
        var position: PatternSelection.Position
    }

    mutating func select(
        _ root: String,
        _ node: UnionView.Node,
        shown: String,
        leavesOutHeader: Bool
    ) throws {
        let hasher = ContentHasher(view: view)
        var stack = [
            Step(resolved: root, node: node, shown: shown, relative: "", parent: nil, position: .init())
        ]
        while let step = stack.popLast() {
            let isDirectory = step.node.entry.isDirectory
            let verdict =
                step.relative.isEmpty
                ? nil : patterns.judge(step.relative, isDirectory: isDirectory, below: step.position)
            // A file that was named is copied whatever the patterns say, so it counts; of a directory they choose.
            let isChosen = verdict?.isChosen ?? !(isDirectory && patterns.isSelective)
            guard isDirectory else {
                if isChosen {
                    count(step.parent)
                    selected.append((step.shown, try hasher.file(step.resolved, step.node)))
                }
                continue
            }
            let passage = Passage(
                path: step.shown,
                digest: try hasher.header(step.resolved, step.node),
                parent: step.parent,
                isCounted: leavesOutHeader && step.relative.isEmpty
            )
            if isChosen { count(passage) }
            if let verdict, !verdict.mayChooseBelow { continue }
            for name in try view.children(step.resolved, step.node).reversed() {
                let child = TreePath.join(step.resolved, name)
                guard let node = try view.node(child) else { continue }
                stack.append(
                    Step(
                        resolved: child,
                        node: node,
                        shown: TreePath.join(step.shown, name),
                        relative: TreePath.join(step.relative, name),
                        parent: passage,
                        position: verdict?.position ?? step.position
                    )
                )
            }
        }
    }

    /// Counts a directory and those above it.
    private mutating func count(_ passage: Passage?) {
        var missing: [Passage] = []
        var current = passage
        while let passage = current, !passage.isCounted {
            missing.append(passage)
            current = passage.parent
        }
        for passage in missing.reversed() {
            passage.isCounted = true
            selected.append((passage.path, passage.digest))
        }
    }

    /// A path as seen from a directory that it lies in; the whole path where it lies elsewhere.
    static func rest(of path: String, behind directory: String) -> String {
        if directory.isEmpty || !path.utf8.starts(with: directory.utf8) { return path }
        let rest = path.utf8.dropFirst(directory.utf8.count)
        guard let next = rest.first else { return "" }
        return next == UInt8(ascii: "/") ? String(Substring(rest.dropFirst())) : path
    }

    func digest(prefix: String) -> Digest {
        if selected.isEmpty { return ContentHash.empty }
        var digester = Digester()
        for (path, digest) in selected {
            let rest = Self.rest(of: path, behind: prefix)
            digester.update([0])
            digester.update(rest)
            digester.update([0])
            digester.update(digest.description)
        }
        return digester.finish()
    }
}
