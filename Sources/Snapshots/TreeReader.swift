// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import LinuxSystem
internal import OCI

/// One path of a tree, as a process inside it would see it.
package struct TreeEntry: Sendable, Hashable {
    /// Where it stands, clean, with no symlink on the way.
    package var path: String
    /// Never a whiteout.
    package var entry: LayerEntry

    package init(path: String, entry: LayerEntry) {
        self.path = path
        self.entry = entry
    }

    /// The last name of the path; "" for the root.
    package var name: String { TreePath.split(path).name }
    package var kind: LayerEntry.Kind { entry.kind }
    package var mode: UInt32 { entry.mode }
    package var uid: UInt32 { entry.uid }
    package var gid: UInt32 { entry.gid }
    package var size: UInt64 { entry.size }
    package var mtime: FileStatus.Time { entry.mtime }
    package var isDirectory: Bool { entry.isDirectory }
    package var isRegular: Bool { entry.isRegular }
    package var linkTarget: String? { entry.linkTarget }
}

/// Reads a file tree without mounting it.
///
/// Paths are those a process inside the tree would use: absolute or relative to the root, `..` stays inside, and
/// symlinks are followed inside the tree, at most ``TreePath/symbolicLinkLimit`` in a lookup. Nothing outside the tree
/// is ever opened. After `init` the calls are synchronous and may block on the disk; run them on a blocking thread.
package struct TreeReader: Sendable {
    package let tree: FileTree
    let view: UnionView

    /// Opens a tree, fetching and unpacking the layers that are not here.
    package init(_ tree: FileTree) async throws {
        self.tree = tree
        view = try await tree.view()
    }

    /// What stands at a path, or `nil`.
    ///
    /// - Parameter followSymlinks: Whether a symlink at the very path is followed; those on the way always are.
    package func stat(_ path: String, followSymlinks: Bool) throws -> TreeEntry? {
        let resolved = try resolve(path, followLast: followSymlinks)
        return try view.node(resolved).map { TreeEntry(path: resolved, entry: $0.entry) }
    }

    /// Where a path leads once symlinks are followed: a clean path, which need not exist.
    ///
    /// - Throws: `tooManyLinks`, `invalid`.
    package func resolve(_ path: String, followLast: Bool = true) throws -> String {
        try resolvePath(path, followLast: followLast) { try view.node($0)?.entry }
    }

    /// Reads bytes of a regular file; fewer than asked for at its end.
    ///
    /// - Parameters:
    ///   - offset: The first byte.
    ///   - length: How many bytes at most; `nil` = to the end.
    ///   - byteLimit: More bytes than this are refused with `tooLarge`.
    package func readFile(
        _ path: String,
        offset: Int64 = 0,
        length: Int? = nil,
        byteLimit: Int
    ) throws -> [UInt8] {
        let (resolved, node) = try regularFile(path)
        let rest = node.entry.size - min(UInt64(clamping: offset), node.entry.size)
        let wanted = min(rest, UInt64(clamping: length ?? Int.max))
        if wanted > UInt64(clamping: byteLimit) {
            throw SnapshotError(
                .tooLarge,
                "cannot read \(TreePath.shown(path)): it has \(wanted) bytes, at most \(byteLimit) are allowed"
            )
        }
        if offset < 0 || length ?? 0 < 0 {
            throw SnapshotError(.invalid, "cannot read \(TreePath.shown(path)): offset or length is negative")
        }
        let file = try view.content(of: node).open(resolved)
        return try attempt("read \(TreePath.shown(path))") {
            try readBytes(file, offset: offset, count: Int(wanted))
        }
    }

    /// Opens a regular file for reading.
    package func open(_ path: String) throws -> LinuxSystem.Descriptor {
        let (resolved, node) = try regularFile(path)
        return try view.content(of: node).open(resolved)
    }

    /// The entries of a directory, sorted by bytes of their names; a symlink to a directory is followed.
    package func readDirectory(_ path: String) throws -> [TreeEntry] {
        let resolved = try resolve(path)
        let node = try existing(resolved, asked: path)
        guard node.entry.isDirectory else {
            throw SnapshotError(.notDirectory, "cannot list \(TreePath.shown(path)): not a directory")
        }
        return try view.children(resolved, node).compactMap { name in
            let child = TreePath.join(resolved, name)
            return try view.node(child).map { TreeEntry(path: child, entry: $0.entry) }
        }
    }

    /// The extended attributes at a clean path without symlinks on the way, as ``TreeEntry/path`` gives it.
    package func attributes(_ path: String) throws -> [ExtendedAttribute] {
        guard let node = try view.node(path) else { return [] }
        return try view.content(of: node).attributes(path)
    }

    /// Visits a directory and all below it, parents first, names sorted by bytes; symlinks are not followed.
    ///
    /// - Parameters:
    ///   - path: Where to begin; symlinks to it are followed. The entry itself is visited first.
    ///   - visit: Returns whether to go into a directory; ignored for others.
    package func walk(_ path: String = "", _ visit: (TreeEntry) throws -> Bool) throws {
        let resolved = try resolve(path)
        _ = try existing(resolved, asked: path)
        var stack = [resolved]
        while let current = stack.popLast() {
            guard let node = try view.node(current) else { continue }
            let descend = try visit(TreeEntry(path: current, entry: node.entry))
            guard descend, node.entry.isDirectory else { continue }
            for name in try view.children(current, node).reversed() {
                stack.append(TreePath.join(current, name))
            }
        }
    }

    /// The node at a resolved path, or `notFound` in the words of the path that was asked for.
    func existing(_ resolved: String, asked: String) throws -> UnionView.Node {
        guard let node = try view.node(resolved) else {
            if resolved.isEmpty {
                // The root of the empty tree.
                return UnionView.Node(
                    entry: LayerEntry(kind: .directory(opaque: false), mode: 0o755),
                    layer: 0,
                    contributors: []
                )
            }
            throw SnapshotError(.notFound, "cannot find \(TreePath.shown(asked)): no such file or directory")
        }
        return node
    }

    private func regularFile(_ path: String) throws -> (String, UnionView.Node) {
        let resolved = try resolve(path)
        let node = try existing(resolved, asked: path)
        if node.entry.isDirectory {
            throw SnapshotError(.isDirectory, "cannot read \(TreePath.shown(path)): it is a directory")
        }
        // Devices and FIFOs are never opened: they would speak for the host.
        guard node.entry.isRegular else {
            throw SnapshotError(.invalid, "cannot read \(TreePath.shown(path)): not a regular file")
        }
        return (resolved, node)
    }
}

/// Follows symlinks as a process whose root is the tree.
///
/// A missing name is taken as it is: the path need not exist. `..` is read after the symlinks before it.
///
/// - Parameter lookup: What stands at a clean path without symlinks on the way.
func resolvePath(
    _ path: String,
    followLast: Bool,
    lookup: (String) throws -> LayerEntry?
) throws -> String {
    if path.utf8.count > TreePath.byteLimit || path.utf8.contains(0) {
        let reason = path.utf8.contains(0) ? "it holds a NUL byte" : "it has more than \(TreePath.byteLimit) bytes"
        throw SnapshotError(.invalid, "cannot use the path \(path.prefix(64).debugDescription): \(reason)")
    }
    // Names still to be walked, next one last.
    var rest = Array(TreePath.names(path).reversed())
    var current = ""
    var linksLeft = TreePath.symbolicLinkLimit
    while let name = rest.popLast() {
        if name == "." { continue }
        if name == ".." {
            current = TreePath.split(current).directory
            continue
        }
        let next = TreePath.join(current, name)
        if rest.isEmpty, !followLast { return next }
        guard let target = try lookup(next)?.linkTarget else {
            current = next
            continue
        }
        if linksLeft == 0 {
            throw SnapshotError(
                .tooManyLinks,
                "cannot find \(TreePath.shown(path)): more than \(TreePath.symbolicLinkLimit) symbolic links"
            )
        }
        linksLeft -= 1
        if target.utf8.first == UInt8(ascii: "/") { current = "" }
        rest += TreePath.names(target).reversed()
    }
    return current
}

/// Reads up to `count` bytes at an offset.
func readBytes(
    _ file: LinuxSystem.Descriptor,
    offset: Int64,
    count: Int
) throws(SystemCallError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
        let start = done
        let result: Result<Int, SystemCallError> = unsafe bytes.withUnsafeMutableBytes { buffer in
            do throws(SystemCallError) {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start...])
                return .success(unsafe try file.read(into: rest, at: offset + Int64(start)))
            } catch {
                return .failure(error)
            }
        }
        let got = try result.get()
        if got == 0 { break }
        done += got
    }
    if done < count { bytes.removeLast(count - done) }
    return bytes
}
