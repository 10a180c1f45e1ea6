// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import OCI
internal import Snapshots

/// An image, or an index of images, whose blobs are in the content store or can be brought there.
struct WrittenImage: Sendable {
    /// One image of it.
    struct Member: Sendable {
        var manifest: OCI.Descriptor
        var config: OCI.Descriptor
        /// Lowest first.
        var layers: [OCI.Descriptor]
        /// The layers' source, to bring a blob that is not in the store.
        var tree: FileTree
        var created: Timestamp?
    }

    /// The manifest or index, with the annotations and platform it has where it is listed.
    var root: OCI.Descriptor
    /// Only for a single image.
    var configDigest: Digest?
    var members: [Member]

    /// All blobs, each once: documents first, then layers from the lowest.
    var blobs: [OCI.Descriptor] {
        var seen: Set<Digest> = []
        var all = [root]
        for member in members { all += [member.manifest, member.config] }
        for member in members { all += member.layers }
        return all.filter { seen.insert($0.digest).inserted }
    }
}

/// Makes the config, manifest and index of results, and their layers' blobs.
struct ImageWriter {
    let exporter: Exporter
    let request: ExportRequest
    let options: ImageOptions
    let progress: @Sendable (ExportProgress) -> Void

    func write() async throws -> WrittenImage {
        if !request.isMultiPlatform, request.results.count != 1 {
            throw ExportError(
                .defect,
                "cannot export \(request.results.count) results as one image; give them as a map of platforms"
            )
        }
        var members: [WrittenImage.Member] = []
        for result in request.results { members.append(try await write(result)) }
        guard request.isMultiPlatform || members.isEmpty else {
            return WrittenImage(
                root: members[0].manifest,
                configDigest: members[0].config.digest,
                members: members
            )
        }
        let index = Index(
            mediaType: options.usesOCITypes ? MediaType.index : MediaType.dockerManifestList,
            manifests: members.map(\.manifest),
            annotations: options.annotations.on(.index)
        )
        var root = try await put(
            document: index.json,
            type: index.mediaType ?? MediaType.index,
            "manifest list"
        )
        root.annotations = nonEmpty(options.annotations.on(.indexDescriptor))
        return WrittenImage(root: root, members: members)
    }

    private func write(_ result: PlatformResult) async throws -> WrittenImage.Member {
        let epoch = try options.epoch(request, result)
        let layers = try await reporting("exporting layers", progress) {
            try await exportLayers(result, epoch)
        }
        let finish = ImageConfigFinish(
            layers: layers.map { ImageConfigFinish.LayerFacts(diffID: $0.diffID, note: $0.note) },
            epoch: epoch,
            baseHistory: try ImageConfigFinish.history(result.baseConfig)
        )
        let given = result.config.flatMap { $0.isEmpty ? nil : $0 }
        let (bytes, created) = try finish.finish(
            given ?? ImageConfigFinish.standard(result.platform)
        )
        let configType = options.usesOCITypes ? MediaType.config : MediaType.dockerConfig
        let config = try await put(bytes, type: configType, "config")
        let manifest = Manifest(
            mediaType: options.usesOCITypes ? MediaType.manifest : MediaType.dockerManifest,
            config: config,
            layers: layers.map(\.blob),
            annotations: options.annotations.on(.manifest, result.platform)
        )
        var descriptor = try await put(
            document: manifest.json,
            type: manifest.mediaType ?? MediaType.manifest,
            "manifest"
        )
        descriptor.platform = result.platform
        descriptor.annotations = nonEmpty(
            options.annotations.on(.manifestDescriptor, result.platform)
        )
        return WrittenImage.Member(
            manifest: descriptor,
            config: config,
            layers: manifest.layers,
            tree: result.tree,
            created: created
        )
    }

    // MARK: Layers

    private struct ExportedLayer {
        var blob: OCI.Descriptor
        var diffID: Digest
        var note: LayerNote
    }

    private func exportLayers(
        _ result: PlatformResult,
        _ epoch: Int64?
    ) async throws -> [ExportedLayer] {
        let baseDiffIDs = try ImageConfigFinish.diffIDs(result.baseConfig)
        var exported: [ExportedLayer] = []
        var isBase = true
        for (index, layer) in result.tree.layers.enumerated() {
            try Task.checkCancellation()
            // Layers of the base image keep their times: their digests are known to the world.
            isBase = isBase && index < baseDiffIDs.count && layer.diffID == baseDiffIDs[index]
            let clamp = options.rewritesTimestamps && !isBase ? epoch : nil
            var (blob, diffID) = try await exporter.snapshots.export(
                layer,
                compression: options.compression,
                clamp: clamp,
                force: options.forcesCompression
            )
            blob.mediaType = layerMediaType(
                blob.mediaType,
                oci: options.usesOCITypes,
                keepsNonDistributable: options.keepsNonDistributable
            )
            blob.annotations = options.usesOCITypes ? publicAnnotations(blob.annotations) : nil
            blob.platform = nil
            var note = result.layerNotes[layer.id] ?? LayerNote(description: "")
            if note.created == nil { note.created = await blobTime(blob.digest) }
            exported.append(ExportedLayer(blob: blob, diffID: diffID, note: note))
        }
        return exported
    }

    /// When a blob came into the store: the time of a layer of which nothing else is known.
    private func blobTime(_ digest: Digest) async -> Timestamp? {
        let content = exporter.content
        let status = try? await blocking { try content.open(digest).status() }
        return status.map {
            Timestamp(
                seconds: $0.modified.seconds,
                nanoseconds: Int32(clamping: $0.modified.nanoseconds)
            )
        }
    }

    /// Annotations without those that only meant something inside a store.
    private func publicAnnotations(_ given: [String: String]?) -> [String: String]? {
        let kept = given?.filter { key, _ in
            key != "containerd.io/uncompressed" && key != "buildkit/createdat"
                && !key.hasPrefix("containerd.io/distribution.source.")
        }
        return nonEmpty(kept ?? [:])
    }

    // MARK: Documents

    private func put(
        document: JSONValue,
        type: String,
        _ what: String
    ) async throws -> OCI.Descriptor {
        try await put(Array(document.encodedPretty().utf8), type: type, what)
    }

    private func put(_ bytes: [UInt8], type: String, _ what: String) async throws -> OCI.Descriptor {
        let content = exporter.content
        return try await reporting("exporting \(what) \(Digest.of(bytes))", progress) {
            let digest = try await blocking { try content.put(bytes) }
            return OCI.Descriptor(mediaType: type, digest: digest, size: Int64(bytes.count))
        }
    }

    private func nonEmpty(_ annotations: [String: String]) -> [String: String]? {
        annotations.isEmpty ? nil : annotations
    }
}
