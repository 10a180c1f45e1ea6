// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
package import ProjectFiles
internal import SystemPackage

/// Whether the files of a tree still are what they were.
extension FrontendStore {
    /// Hashes a tree unless its fingerprint is the one of the last time.
    ///
    /// - Throws: `damaged`.
    func check(_ tree: TreeDigest, _ name: String, _ directory: Directory) throws {
        let fingerprint = try Self.fingerprint(directory)
        if fingerprint == recordedFingerprint(name) { return }
        let found = try Self.hash(directory)
        guard found == tree else { throw DamagedTree(found: found, path: path(of: name).string).error }
        try record(fingerprint, name)
    }

    /// Remembers that a tree with this fingerprint was found right.
    ///
    /// It is only a memory: when it cannot be written, the tree is hashed again next time.
    func record(_ fingerprint: Digest, _ name: String) throws {
        do {
            try checked.write(note: fingerprint.description, name)
        } catch {
            throw FrontendStoreError(.failed, "cannot use the frontend store: \(error)", cause: error)
        }
    }

    private func recordedFingerprint(_ name: String) -> Digest? {
        checked.note(name).flatMap { Digest($0) }
    }

    /// What changes whenever anybody changes a file, without reading one.
    static func fingerprint(_ directory: Directory) throws -> Digest {
        var digester = Digester()
        try attempt("look at the frontend store") { try add(directory, "", to: &digester) }
        return digester.finish()
    }

    private static func add(_ directory: Directory, _ path: String, to digester: inout Digester) throws(SystemCallError)
    {
        add(try directory.status(), path, to: &digester)
        for entry in try directory.entries().sorted(by: { $0.name < $1.name }) {
            let path = path + "/" + entry.name
            let status = try directory.status(name: entry.name)
            if status.isDirectory {
                try add(try directory.directory(entry.name, scope: .noSymlinks), path, to: &digester)
            } else {
                add(status, path, to: &digester)
            }
        }
    }

    private static func add(_ status: FileStatus, _ path: String, to digester: inout Digester) {
        digester.update(
            """
            \(path)\0\(status.device) \(status.inode) \(status.mode) \(status.size) \(status.changed.seconds) \
            \(status.changed.nanoseconds)\n
            """
        )
    }

    /// The digest of the files that stand in a directory; what no tree may hold gives one that no tree has.
    static func hash(_ directory: Directory) throws -> TreeDigest {
        do {
            return try PackageContents(directory).digest()
        } catch let error as FrontendStoreError where error.code == .badPackage || error.code == .tooLarge {
            return TreeDigest(Digest.of("\0" + error.message))
        }
    }
}

/// A stored tree whose files are not those of its name.
package struct DamagedTree: Error, Sendable {
    package let found: TreeDigest
    /// Where it stands.
    package let path: String

    var error: FrontendStoreError {
        FrontendStoreError(
            .damaged,
            "cannot use the frontend in \(path): its files have the digest \(found); bring it anew with kiln frontend install",
            cause: self
        )
    }
}
