// SPDX-License-Identifier: Apache-2.0

internal import ProjectFiles

/// Largest sizes of what makes up a frontend; beyond them lies only abuse.
package enum FrontendLimit {
    /// Files of one tree.
    package static let fileCount = TreeDigest.Lines.fileLimit
    /// Directories within directories of one tree.
    package static let depth = 64
    /// Bytes of all files of one tree.
    package static let treeByteCount: Int64 = 2 << 30
    /// Bytes of one blob, which is a compressed tree.
    package static let blobByteCount: Int64 = 1 << 30
    /// Bytes of a bundle.
    package static let bundleByteCount: Int64 = 16 << 30
    /// Bytes of `frontend.toml`, and of its JSON form.
    package static let manifestByteCount = 256 << 10
    /// Bytes of an index or of the manifest of a tree.
    package static let documentByteCount = 4 << 20
    /// Platforms of one release.
    package static let platformCount = 64
    /// Tags of one repository that are looked at.
    package static let tagCount = 20_000
    /// Signatures of one release that are looked at.
    package static let signatureCount = 32
}
