// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import OCI
package import Snapshots
internal import SystemPackage

/// The tree of a scan, read from the client's directory itself.
///
/// Names and facts are those of the scan. Bytes are read from the files as they are now, so each
/// file is checked when it is opened and, by ``confirmUnchanged(_:_:)``, after it was read.
package final class HostTreeContent: LayerContent {
    private let tree: LocalTree
    private let root: Directory
    private let shownPath: String

    init(tree: LocalTree, root: Directory, shownPath: String) {
        self.tree = tree
        self.root = root
        self.shownPath = shownPath
    }

    package func entry(_ path: String) throws -> LayerEntry? {
        tree.find(path).map { LayerEntry(tree.nodes[$0].status, target: tree.nodes[$0].target) }
    }

    package func children(_ path: String) throws -> [String] {
        tree.find(path).map { tree.nodes[$0].children.map { tree.nodes[$0].name } } ?? []
    }

    package func fileDigest(_ path: String) throws -> Digest? {
        tree.find(path).flatMap { tree.nodes[$0].digest }
    }

    package func attributes(_ path: String) throws -> [ExtendedAttribute] {
        guard let node = tree.find(path) else { return [] }
        if !tree.nodes[node].hasAttributes { return tree.nodes[node].attributes }
        return try carriedAttributes(of: open(path))
    }

    /// Opens a regular file.
    ///
    /// - Throws: ``SourcesError``, `changing`, when it is not the file that was hashed.
    package func open(_ path: String) throws -> LinuxSystem.Descriptor {
        guard let node = tree.find(path), tree.nodes[node].status.isRegular else {
            throw SourcesError(.notFound, "cannot open \(shown(path)): no such file in the scan")
        }
        let file: LinuxSystem.Descriptor
        do {
            file = try root.open(path, flags: FileHashing.openFlags, scope: .noSymlinks)
        } catch  where error.isGone {
            throw changed(path)
        } catch {
            throw SourcesError(error, verb: "read", object: shown(path))
        }
        try confirmUnchanged(path, file)
        return file
    }

    /// Checks that an open file still is the one that was hashed; call it after its bytes were
    /// read.
    ///
    /// - Throws: ``SourcesError``, `changing`.
    package func confirmUnchanged(_ path: String, _ file: LinuxSystem.Descriptor) throws {
        guard let node = tree.find(path),
            try file.status().isUnchanged(since: tree.nodes[node].status)
        else {
            throw changed(path)
        }
    }

    private func changed(_ path: String) -> SourcesError {
        SourcesError(
            .changing,
            "cannot use \(shown(path)): it changed while the build ran; stop what writes to it and build again"
        )
    }

    private func shown(_ path: String) -> String {
        path.isEmpty ? shownPath : shownPath + "/" + path
    }
}

extension FileStatus {
    /// Whether this is the same file with the same bytes, mode and attributes as at an earlier
    /// look.
    func isUnchanged(since earlier: FileStatus) -> Bool {
        device == earlier.device && inode == earlier.inode && size == earlier.size
            && mode == earlier.mode
            && modified == earlier.modified && changed == earlier.changed
    }
}
