// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem

extension SnapshotStore {
    /// The layer that turns one tree into another, deletions included.
    ///
    /// Where `upper` begins with the layers of `lower`, ``FileTree/suffix(above:)`` is the answer without any work.
    /// Two files are the same when owner, mode, time, attributes and size are, or else their bytes.
    package func difference(lower: FileTree, upper: FileTree) async throws -> Layer {
        let lowerView = try await lower.view()
        let upperView = try await upper.view()
        return try await blocking { [self] in
            try makeDifference(lower: lowerView, upper: upperView, untouchedUntil: nil)
        }
    }

    /// - Parameter untouchedUntil: For a step's copied root: files whose change time is not later were not touched.
    func makeDifference(
        lower: UnionView,
        upper after: UnionView,
        untouchedUntil: FileStatus.Time?
    ) throws -> Layer {
        try makeLayer { host in
            try copyRootMetadata(of: after, to: host)
            let upper = UpperLayer(
                host: host,
                hidesLower: false,
                attributeNamespace: attributeNamespace,
                ownerRules: ownerRules
            )
            let writer = TreeWriter(lower: lower, upper: upper)
            let copier = UnionCopier(view: after, upper: upper, linking: false)
            var stack = [""]
            while let directory = stack.popLast() {
                let before = try lower.node(directory)?.entry.isDirectory == true ? try lower.children(directory) : []
                let now = try after.children(directory)
                let remaining = Set(now.map(PathKey.init))
                for name in before where !remaining.contains(PathKey(name)) {
                    try upper.makeWhiteout(in: writer.parent(directory, of: directory), name)
                }
                for name in now {
                    let path = TreePath.join(directory, name)
                    guard let new = try after.node(path) else { continue }
                    let old = try lower.node(path)
                    if let old, try isSame(old, lower, new, after, path, untouchedUntil: untouchedUntil) {
                        if new.entry.isDirectory { stack.append(path) }
                        continue
                    }
                    let parent = try writer.parent(directory, of: path)
                    if new.entry.isDirectory, let old, old.entry.isDirectory {
                        let attributes = try after.content(of: new).attributes(path)
                        _ = try upper.makeDirectory(
                            in: parent,
                            name,
                            UpperLayer.Metadata(
                                mode: new.entry.mode,
                                uid: new.entry.uid,
                                gid: new.entry.gid,
                                mtime: new.entry.mtime,
                                attributes: attributes
                            ),
                            opaque: false,
                            hidesLower: false
                        )
                        stack.append(path)
                    } else if let made = try copier.copy(new, path, in: parent, name, opaque: old != nil) {
                        try copier.copyChildren(path, to: made)
                    }
                }
            }
            try upper.finish()
            return upper
        }
    }

    private func isSame(
        _ old: UnionView.Node,
        _ lower: UnionView,
        _ new: UnionView.Node,
        _ after: UnionView,
        _ path: String,
        untouchedUntil: FileStatus.Time?
    ) throws -> Bool {
        let (a, b) = (old.entry, new.entry)
        guard a.mode == b.mode, a.uid == b.uid, a.gid == b.gid, a.size == b.size else { return false }
        switch (a.kind, b.kind) {
        case (.directory, .directory): break
        case (let left, let right) where left == right: break
        default: return false
        }
        let (before, now) = (lower.content(of: old), after.content(of: new))
        if let left = before as? DirectoryContent, let right = now as? DirectoryContent, left === right {
            return true
        }
        guard try before.attributes(path) == now.attributes(path) else { return false }
        if a.isDirectory || !a.isRegular { return a.mtime == b.mtime || a.isDirectory }
        if a.mtime != b.mtime { return false }
        if let untouchedUntil, let content = now as? DirectoryContent,
            try content.root.status(name: path).changed <= untouchedUntil
        {
            return true
        }
        return try sameBytes(before.open(path), now.open(path))
    }

    private func sameBytes(_ left: Descriptor, _ right: Descriptor) throws -> Bool {
        let chunk = 1 << 17
        var offset: Int64 = 0
        while true {
            let a = try attempt("compare files") { try readBytes(left, offset: offset, count: chunk) }
            let b = try attempt("compare files") { try readBytes(right, offset: offset, count: chunk) }
            if a != b { return false }
            if a.count < chunk { return true }
            offset += Int64(chunk)
        }
    }
}
