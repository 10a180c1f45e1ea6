// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

extension TreeWriter {
    /// Writes a new file whose content comes from an open file of the host, however long it is.
    ///
    /// Nothing may stand at the path; parents must exist.
    ///
    /// - Parameters:
    ///   - mode: Permission bits; more than 0o777 are dropped.
    ///   - content: Read from where it stands to its end.
    package func makeFile(
        _ path: String,
        mode: UInt32,
        owner: FileOwner?,
        timestamp: FileStatus.Time?,
        content: Descriptor
    ) throws {
        let resolved = try resolve(TreePath.clean(path))
        let (directory, name) = TreePath.split(resolved)
        try checkName(name, path)
        if try entry(resolved) != nil {
            throw SnapshotError(.exists, "cannot write \(TreePath.shown(path)): something stands there")
        }
        try upper.makeFile(in: parent(directory, of: path), name, metadata(mode: mode & 0o777, owner, timestamp)) {
            file in
            UInt64(clamping: try file.copy(from: content))
        }
    }
}
