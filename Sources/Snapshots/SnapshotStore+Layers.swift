// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
package import OCI

extension SnapshotStore {
    /// A layer of an image; nothing is fetched before somebody looks into it.
    ///
    /// The layer is named after the chain of diff ids up to it, so equal layers on equal bases are unpacked once, by
    /// whichever process comes first.
    ///
    /// - Parameters:
    ///   - blob: The compressed blob; gzip, zstd and plain tar are told apart by their bytes.
    ///   - diffID: The digest its uncompressed tar must have.
    ///   - below: The image's layers below, lowest first: they say what missing parent directories look like.
    ///   - fetch: Brings the blob into the content store; called when it is not there.
    package func imageLayer(
        blob: OCI.Descriptor,
        diffID: Digest,
        below: [Layer],
        fetch: @escaping @Sendable () async throws -> Void
    ) -> Layer {
        var chain = Digester()
        for layer in below { chain.update("\(layer.diffID?.description ?? layer.id)\n") }
        chain.update("\(diffID)\n")
        let id = "\(Layer.imagePrefix)\(chain.finish().hex)"
        return remember(id) {
            let unpacked = SharedWork<Directory> { [self] in
                if let directory = try await blocking({ try self.standingDirectory(id) }) { return directory }
                if !content.contains(blob.digest) { try await fetch() }
                let below = try await FileTree(layers: below).view()
                return try await blocking { try self.unpack(blob, diffID: diffID, below: below, id: id) }
            }
            let layer = Layer(
                id: id,
                diffID: diffID,
                blob: blob,
                content: { DirectoryContent(try await unpacked.value()) },
                directory: { try await unpacked.value() }
            )
            return layer
        }
    }

    /// A layer that is read where it lies, as a local source is.
    ///
    /// - Parameters:
    ///   - content: What it holds; it must not change while the layer is used.
    ///   - key: Names the content: equal keys mean equal content. It is hashed, so any text will do.
    package func hostLayer(_ content: any LayerContent, key: String) -> Layer {
        let id = "\(Layer.hostPrefix)\(Digest.of(key).hex)"
        return remember(id) {
            Layer(
                id: id,
                diffID: nil,
                blob: nil,
                content: { content },
                directory: { [self] in try await blocking { try self.copyToDisk(content, id: id) } }
            )
        }
    }

    /// Copies a host layer to disk, for a step that mounts it or an export.
    private func copyToDisk(_ content: any LayerContent, id: LayerID) throws -> Directory {
        if let directory = try standingDirectory(id) { return directory }
        return try makeNamedLayer(id) { root in
            let view = UnionView([content])
            try copyRootMetadata(of: view, to: root)
            try materialise(view, in: root, linking: false)
        }
    }

    /// The directory of a layer whose id tells its content, when it stands and can be trusted.
    func standingDirectory(_ id: LayerID) throws -> Directory? {
        guard contains(id) else { return nil }
        // Made before a power cut and never synced: files may be there without their bytes.
        guard let meta = try readMeta(id), meta.unsyncedBoot == nil || meta.unsyncedBoot == bootIdentity else {
            try remove(id)
            return nil
        }
        return try attempt("open layer \(id)") { try snapshots.directory("\(id)/fs", scope: .noSymlinks) }
    }

    /// Makes a layer whose id tells its content, unless another process was quicker.
    ///
    /// - Parameter fill: Writes the layer into an empty directory.
    func makeNamedLayer(
        _ id: LayerID,
        _ meta: LayerMeta = LayerMeta(),
        _ fill: (Directory) throws -> Void
    ) throws -> Directory {
        let scratch = try state.scratch("layer")
        do {
            let root = try attempt("make layer \(id)") {
                try scratch.directory.makeDirectory("fs", mode: 0o755)
                let root = try scratch.directory.directory("fs")
                // The umask may have taken bits from it.
                try root.descriptor.setMode(0o755)
                return root
            }
            try fill(root)
            var meta = meta
            meta.unsyncedBoot = bootIdentity
            try writeMeta(meta, in: scratch.directory)
            return try attempt("store layer \(id)") {
                if try publish(scratch.name, as: id) { return root }
                return try snapshots.directory("\(id)/fs", scope: .noSymlinks)
            }
        } catch {
            try? state.temporary.removeTree(name: scratch.name)
            throw error
        }
    }

    private func unpack(_ blob: OCI.Descriptor, diffID: Digest, below: UnionView, id: LayerID) throws -> Directory {
        try makeNamedLayer(id, LayerMeta(diffID: diffID, blobs: [blob], requests: [""])) { root in
            try unpackBlob(blob, diffID: diffID, below: below, into: root)
        }
    }
}
