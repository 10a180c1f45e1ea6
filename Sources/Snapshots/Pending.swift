// SPDX-License-Identifier: Apache-2.0

package import OCI

extension TreeWriter {
    package func copy(
        from reader: TreeReader,
        _ source: String,
        to destination: String,
        _ options: CopyOptions
    ) throws {
        throw SnapshotError(.failed, "pending")
    }
}

extension TreeReader {
    package func contentDigest(
        _ path: String,
        followSymlinks: Bool = false,
        wildcard: Bool = false,
        include: [String] = [],
        exclude: [String] = [],
        requiredPaths: [String] = []
    ) throws -> Digest {
        throw SnapshotError(.failed, "pending")
    }
}
