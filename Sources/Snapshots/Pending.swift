// SPDX-License-Identifier: Apache-2.0

package import Archives
internal import LinuxSystem
package import OCI

extension SnapshotStore {
    func unpackBlob(_ blob: OCI.Descriptor, diffID: Digest, below: UnionView, into root: Directory) throws {
        throw SnapshotError(.failed, "pending")
    }

    package func export(
        _ layer: Layer,
        compression: Compression,
        clamp: Int64? = nil,
        force: Bool = false
    ) async throws -> (blob: OCI.Descriptor, diffID: Digest) {
        throw SnapshotError(.failed, "pending")
    }
}

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
