// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import PathPatterns

extension TreeWriter {
    /// Copies from another tree, as BuildKit's copy action does.
    ///
    /// A destination that ends in a slash, or is a directory, takes the source under its own name, unless the source is
    /// a directory whose content is copied. Hard links within one source stay hard links.
    ///
    /// - Parameters:
    ///   - source: A path in the other tree, or a pattern of it.
    ///   - destination: A path in this tree; symlinks on the way are followed.
    /// - Throws: ``SnapshotError``: `notFound`, `notDirectory`, `isDirectory`, `invalid`, and what reading throws.
    package func copy(
        from reader: TreeReader,
        _ source: String,
        to destination: String,
        _ options: CopyOptions
    ) throws {
        let copy = try TreeCopy(writer: self, reader: reader, options: options)
        let clean = TreePath.clean(source)
        var sources = [clean]
        if options.allowWildcard, Wildcard.isPattern(clean) {
            sources = try Wildcard.matches(
                clean,
                followLast: true,
                resolve: { try reader.resolve($0, followLast: $1) },
                entry: { try reader.view.node($0)?.entry },
                children: { try reader.view.children($0) }
            )
            if sources.isEmpty {
                if options.allowEmptyWildcard { return }
                throw SnapshotError(.notFound, "cannot copy \(TreePath.shown(source)): nothing matches")
            }
        }
        for path in sources { try copy.copy(path, asked: source, to: destination) }
        try copy.checkRequiredPaths()
    }
}

/// One copy action at work.
private final class TreeCopy {
    private let writer: TreeWriter
    private let reader: TreeReader
    private let options: CopyOptions
    private let patterns: PatternSelection
    private let modeChange: ModeChange?
    private var firstNames: [UnionCopier.FileKey: (directory: UpperDirectory, name: String)] = [:]
    private var requiredPaths: Set<String>

    init(writer: TreeWriter, reader: TreeReader, options: CopyOptions) throws {
        self.writer = writer
        self.reader = reader
        self.options = options
        patterns = try PatternSelection(include: options.includePatterns, exclude: options.excludePatterns)
        modeChange = options.modeChange.isEmpty ? nil : try ModeChange(options.modeChange)
        requiredPaths = patterns.isSelective ? Set(options.requiredPaths.map(TreePath.clean)) : []
    }

    /// - Throws: `notFound` when a required path was in none of the sources.
    func checkRequiredPaths() throws {
        guard let missing = requiredPaths.min() else { return }
        throw SnapshotError(.notFound, "cannot copy \(TreePath.shown(missing)): no such file or directory")
    }

    /// - Parameter asked: The source as the action writes it.
    func copy(_ source: String, asked: String, to destination: String) throws {
        let resolved = try reader.resolve(source, followLast: options.followSymlink)
        let node = try reader.existing(resolved, asked: source)
        if options.attemptUnpack, node.entry.isRegular {
            let file = try reader.view.content(of: node).open(resolved)
            let unpacked = try writer.unpack(
                file,
                into: destination,
                owner: options.owner,
                timestamp: options.timestamp
            )
            if unpacked { return }
        }
        // Another source may have put a file of its own under a name this one's hard links knew.
        firstNames = [:]
        let isDirectory = node.entry.isDirectory
        let copiesContents = isDirectory && options.copyDirectoryContents
        try makeDestination(destination)
        var target = try writer.resolve(TreePath.clean(destination))
        let standing = try writer.entry(target)
        if !copiesContents, isDirectory ? standing != nil : standing?.isDirectory == true {
            // "/" and a last "/." have no name of their own: what is in them goes into the destination.
            let name = asked.hasSuffix("/.") ? "" : TreePath.split(source).name
            if !name.isEmpty { target = TreePath.join(target, name) }
        }
        // The directory that takes the contents of another one is not a copy of it: it has its own owner and mode.
        let isNew = copiesContents && standing == nil
        try makeParents(isNew ? target : TreePath.split(target).directory, asked: destination)
        try copyTree(source, resolved, node, to: target)
    }

    /// Makes the directories that a destination names, as far as the action allows.
    private func makeDestination(_ destination: String) throws {
        let clean = TreePath.clean(destination)
        if !options.createDestinationPath {
            let parent = TreePath.split(try writer.resolve(clean)).directory
            guard try writer.entry(parent) != nil else {
                throw SnapshotError(
                    .notFound,
                    "cannot copy to \(TreePath.shown(destination)): \(TreePath.shown(parent)) does not exist"
                )
            }
        }
        let isDirectory = destination.hasSuffix("/") || destination.hasSuffix("/.")
        let needed = isDirectory ? clean : TreePath.split(clean).directory
        try makeParents(writer.resolve(needed), asked: destination)
    }

    private func makeParents(_ path: String, asked: String) throws {
        if path.isEmpty { return }
        let metadata = writer.metadata(
            mode: options.mode ?? 0o755,
            options.owner,
            options.timestamp
        )
        try writer.makeDirectories(path, metadata, asked: asked)
    }

    // MARK: Trees

    /// A directory on its way into the tree, made once something in it is copied.
    private final class Target {
        let source: String
        let node: UnionView.Node
        let path: String
        let parent: Target?
        /// Whether a directory that stands there takes the source's owner and mode.
        let overwrites: Bool
        var made: UpperDirectory?

        init(
            source: String,
            node: UnionView.Node,
            path: String,
            parent: Target?,
            overwrites: Bool
        ) {
            self.source = source
            self.node = node
            self.path = path
            self.parent = parent
            self.overwrites = overwrites
        }
    }

    private struct Step {
        var source: String
        var node: UnionView.Node
        /// Path below the source of the action, for patterns; "" for the source itself.
        var relative: String
        var path: String
        var parent: Target?
        var position: PatternSelection.Position
    }

    /// - Parameter asked: The source as the action names it, which required paths start with.
    private func copyTree(
        _ asked: String,
        _ source: String,
        _ node: UnionView.Node,
        to path: String
    ) throws {
        var stack = [Step(source: source, node: node, relative: "", path: path, position: .init())]
        while let step = stack.popLast() {
            let isDirectory = step.node.entry.isDirectory
            // What was named is copied whatever the patterns say; they choose what is in it.
            let verdict =
                step.relative.isEmpty
                ? nil : patterns.judge(step.relative, isDirectory: isDirectory, below: step.position)
            let isChosen = verdict?.isChosen ?? true
            if isChosen, !requiredPaths.isEmpty { noteFound(TreePath.join(asked, step.relative)) }
            guard isDirectory else {
                if isChosen { try copyEntry(step) }
                continue
            }
            let target = Target(
                source: step.source,
                node: step.node,
                path: step.path,
                parent: step.parent,
                overwrites: !step.relative.isEmpty
            )
            if isChosen { _ = try make(target) }
            if let verdict, !verdict.mayChooseBelow { continue }
            for name in try reader.view.children(step.source, step.node).reversed() {
                let child = TreePath.join(step.source, name)
                guard let node = try reader.view.node(child) else { continue }
                stack.append(
                    Step(
                        source: child,
                        node: node,
                        relative: TreePath.join(step.relative, name),
                        path: TreePath.join(step.path, name),
                        parent: target,
                        position: verdict?.position ?? step.position
                    )
                )
            }
        }
    }

    private func noteFound(_ path: String) {
        requiredPaths = requiredPaths.filter { required in
            path != required && !path.hasPrefix(required + "/")
        }
    }

    /// Makes a directory, and those above it that were not made yet.
    private func make(_ target: Target) throws -> UpperDirectory {
        var missing: [Target] = []
        var current: Target? = target
        while let next = current, next.made == nil {
            missing.append(next)
            current = next.parent
        }
        for next in missing.reversed() { next.made = try makeOne(next) }
        guard let made = target.made else {
            throw SnapshotError(.failed, "cannot create \(TreePath.shown(target.path)): it was not made")
        }
        return made
    }

    private func makeOne(_ target: Target) throws -> UpperDirectory {
        if target.path.isEmpty { return writer.upper.root }
        let (directory, name) = TreePath.split(target.path)
        let parent = try target.parent?.made ?? writer.parent(directory, of: target.path)
        try writer.checkName(name, target.path)
        let metadata = try metadata(target.source, target.node)
        guard let standing = try writer.entry(in: parent, name) else {
            return try writer.newDirectory(in: parent, name, metadata)
        }
        guard standing.isDirectory else {
            guard options.alwaysReplaceExisting else {
                throw SnapshotError(
                    .notDirectory,
                    "cannot copy to \(TreePath.shown(target.path)): it is not a directory"
                )
            }
            try writer.clear(in: parent, name, leaveWhiteout: false)
            return try writer.newDirectory(in: parent, name, metadata)
        }
        let upper = try parent.subdirectories[PathKey(name)] ?? writer.copyUp(in: parent, name, standing)
        if target.overwrites {
            try writer.upper.change(in: parent, name, metadata)
        } else {
            writer.upper.change(upper, in: parent, mtime: metadata.mtime)
        }
        return upper
    }

    private func copyEntry(_ step: Step) throws {
        let (directory, name) = TreePath.split(step.path)
        let parent: UpperDirectory =
            if let target = step.parent {
                try make(target)
            } else {
                try writer.parent(directory, of: step.path)
            }
        try writer.checkName(name, step.path)
        let standing = try writer.entry(in: parent, name)
        if standing?.isDirectory == true, !options.alwaysReplaceExisting {
            throw SnapshotError(
                .isDirectory,
                "cannot copy to \(TreePath.shown(step.path)): a directory stands there, and \(TreePath.shown(step.source)) is none"
            )
        }
        if standing != nil || parent.entries[PathKey(name)] != nil {
            try writer.clear(in: parent, name, leaveWhiteout: false)
        }
        let content = reader.view.content(of: step.node)
        let metadata = try metadata(step.source, step.node)
        switch step.node.entry.kind {
        case .regular:
            let key = step.node.entry.link.map {
                UnionCopier.FileKey(layer: step.node.layer, identity: $0)
            }
            if let key, let first = firstNames[key] {
                try writer.upper.makeHardLink(in: parent, name, to: first.directory, first.name)
                return
            }
            let source = try content.open(step.source)
            try writer.upper.makeFile(in: parent, name, metadata, mayHaveLinks: key != nil) { file in
                try file.copySparse(from: source, size: step.node.entry.size)
                try content.confirmUnchanged(step.source, source)
                return step.node.entry.size
            }
            if let key { firstNames[key] = (parent, name) }
        case .symbolicLink(let target):
            try writer.upper.makeSymbolicLink(in: parent, name, to: target, metadata)
        case .characterDevice, .blockDevice, .fifo:
            try writer.upper.makeNode(in: parent, name, step.node.entry.kind, metadata)
        case .socket, .whiteout, .directory: break
        }
    }

    private func metadata(_ path: String, _ node: UnionView.Node) throws -> UpperLayer.Metadata {
        let entry = node.entry
        var mode = entry.mode
        if !entry.isSymbolicLink {
            if let modeChange {
                mode = modeChange.apply(to: mode, isDirectory: entry.isDirectory)
            } else if let fixed = options.mode {
                mode = fixed
            }
        }
        return UpperLayer.Metadata(
            mode: mode,
            uid: options.owner?.uid ?? entry.uid,
            gid: options.owner?.gid ?? entry.gid,
            mtime: options.timestamp ?? entry.mtime,
            attributes: try reader.view.content(of: node).attributes(path)
        )
    }
}
