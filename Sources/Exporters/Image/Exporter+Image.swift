// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import OCI
internal import Registry
internal import Snapshots

extension Exporter {
    /// Makes an image, keeps it under its names and pushes it.
    func exportImage(
        _ request: ExportRequest,
        _ progress: @escaping @Sendable (ExportProgress) -> Void
    ) async throws -> ExportResponse {
        let options = try ImageOptions(request)
        let image = try await ImageWriter(
            exporter: self,
            request: request,
            options: options,
            progress: progress
        ).write()
        var response = describe(image)
        let names = options.names.map(\.description) + danglingNames(options, image.root.digest)
        if !names.isEmpty { response.values["image.name"] = names.joined(separator: ",") }

        if options.stores {
            try await obtainBlobs(image)
            for name in names {
                try await reporting("naming to \(name)", progress) {
                    let aliases =
                        options.namesCanonically && !name.contains("@")
                        ? ["", "@\(image.root.digest)"] : [""]
                    let root = image.root
                    let blobs = image.blobs.map(\.digest)
                    let store = ImageStore(state: state)
                    try await blocking {
                        for alias in aliases {
                            try store.set(name + alias, root: root, blobs: blobs)
                        }
                    }
                }
            }
        }
        if options.pushes { try await push(image, options, progress) }
        return response
    }

    private func danglingNames(_ options: ImageOptions, _ digest: Digest) -> [String] {
        guard !options.danglingPrefix.isEmpty,
            options.names.isEmpty || !options.danglingOnlyWhenUnnamed
        else {
            return []
        }
        return ["\(options.danglingPrefix)@\(digest)"]
    }

    private func push(
        _ image: WrittenImage,
        _ options: ImageOptions,
        _ progress: @escaping @Sendable (ExportProgress) -> Void
    ) async throws {
        let content = content
        let root = image.root
        let bytes = try await blocking {
            try content.read(root.digest, byteLimit: ImageConfigFinish.byteLimit)
        }
        let document: ManifestDocument
        do {
            document = try ManifestDocument(parsing: bytes, mediaType: root.mediaType)
        } catch {
            throw ExportError(.defect, "cannot push \(root.digest): \(error)", cause: error)
        }
        for name in options.names {
            try await reporting("pushing \(name)", progress) {
                var request = PushRequest(
                    root: document,
                    repository: Repository(name),
                    tags: options.pushesByDigest ? [] : [name.tag ?? "latest"],
                    obtain: { blob in try await obtain(blob, of: image) }
                )
                request.isInsecure = options.isInsecure
                try await registry.push(request)
            }
        }
    }

    /// Brings all blobs of an image into the content store.
    func obtainBlobs(_ image: WrittenImage) async throws {
        for blob in image.blobs { try await obtain(blob, of: image) }
    }

    /// Brings a layer's blob into the content store, unless it is there.
    private func obtain(_ blob: OCI.Descriptor, of image: WrittenImage) async throws {
        if content.contains(blob.digest) { return }
        for member in image.members {
            guard let index = member.layers.firstIndex(where: { $0.digest == blob.digest }) else {
                continue
            }
            // Looking into a layer fetches its blob.
            _ = try await member.tree.layers[index].content()
            if content.contains(blob.digest) { return }
        }
        throw ExportError(
            .defect,
            "cannot export blob \(blob.digest): it is not in the store and no layer brings it; build with --no-cache"
        )
    }

    /// What is told of an image whatever became of it.
    func describe(_ image: WrittenImage) -> ExportResponse {
        var response = ExportResponse()
        response.root = image.root
        response.blobs = image.blobs.map(\.digest)
        response.values["containerimage.digest"] = image.root.digest.description
        if let config = image.configDigest {
            response.values["containerimage.config.digest"] = config.description
        }
        response.values["containerimage.descriptor"] = Data(image.root.json.encoded)
            .base64EncodedString()
        return response
    }
}
