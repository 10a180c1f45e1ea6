// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
package import OCI
package import Registry
package import Snapshots
internal import Synchronization

/// Images of registries as sources of one build.
///
/// Within the life of one object a tag means one digest, however often it is asked for and whatever
/// happens in the registry: make one object a build. Layers are lazy: nothing but manifests and
/// configs is fetched until somebody looks into a tree.
package final class ImageSource: Sendable {
    private let client: RegistryClient
    private let snapshots: SnapshotStore
    private let metadata: any MetadataStore
    private let progress: ProgressHandler?
    private let images = Mutex<[ImageRequest: Task<ResolvedImage, any Error>]>([:])
    /// What tags turned out to mean in this build.
    private let roots = Mutex<[Reference: Digest]>([:])

    /// Makes the source for one build; `progress` is told about the layers that are downloaded.
    package init(
        client: RegistryClient,
        snapshots: SnapshotStore,
        metadata: any MetadataStore = ForgetfulMetadata(),
        progress: ProgressHandler? = nil
    ) {
        self.client = client
        self.snapshots = snapshots
        self.metadata = metadata
        self.progress = progress
    }

    /// Finds an image and its config for a platform.
    ///
    /// A reference with a digest whose documents are in the store never dials; nor does a tag that
    /// is remembered, where the request prefers what is local. Equal requests at the same time are
    /// answered together.
    ///
    /// - Throws: `RegistryError`, `SourcesError`; `digestMismatch` when the image is not the one of
    ///   the request's checksum.
    package func resolve(_ request: ImageRequest) async throws -> ResolvedImage {
        while true {
            let task = images.withLock { images in
                if let running = images[request] { return running }
                let task = Task { try await self.find(request) }
                images[request] = task
                return task
            }
            do {
                return try await withTaskCancellationHandler {
                    try await task.value
                } onCancel: {
                    task.cancel()
                }
            } catch {
                images.withLock { images in
                    if images[request] == task { images[request] = nil }
                }
                // Another waiter was cancelled and took the work with it: it is still wanted here.
                if error is CancellationError, !Task.isCancelled { continue }
                throw error
            }
        }
    }

    /// The file tree of an image; its layers are fetched and unpacked when somebody looks into
    /// them.
    package func tree(of image: ResolvedImage, reference: Reference) -> FileTree {
        let repository = Repository(reference)
        return image.tree(in: snapshots) { [client, progress] blob in
            try await client.fetch(blob, from: repository, progress: progress)
        }
    }

    private func find(_ request: ImageRequest) async throws -> ResolvedImage {
        let root = try await root(of: request)
        if let checksum = request.checksum, checksum != root.descriptor.digest {
            throw SourcesError(
                .digestMismatch,
                "cannot use image \(request.reference): it is \(root.descriptor.digest), expected \(checksum)"
            )
        }
        let selection = ImageSelection(
            name: request.reference.description,
            platform: request.platform,
            layerLimit: request.layerLimit,
            documents: RegistryDocuments(client: client, repository: Repository(request.reference))
        )
        return try await selection.image(below: root)
    }

    /// The manifest or index that a reference means.
    private func root(of request: ImageRequest) async throws -> ManifestDocument {
        var reference = request.reference
        if reference.digest != nil { return try await client.resolve(reference) }
        if let digest = roots.withLock({ $0[reference] }) {
            reference.digest = digest
            return try await client.resolve(reference)
        }
        let key = "image-tag:\(reference)"
        let known = try? await blocking { [metadata] in try metadata.remembered(key) }
            .flatMap { Digest($0.value) }
        if request.resolveMode == .preferLocal, let known {
            var pinned = reference
            pinned.digest = known
            // The registry may have dropped that manifest, and the store as well: then the tag is
            // asked for.
            if let document = try? await client.resolve(pinned) {
                return try await settle(reference, document)
            }
            try Task.checkCancellation()
        }
        let document = try await client.resolve(
            reference,
            known: request.resolveMode == .pull ? nil : known
        )
        let digest = document.descriptor.digest
        if digest != known {
            // A fact that cannot be written down is asked for again the next time.
            try? await blocking { [metadata] in try metadata.remember(digest.description, for: key)
            }
        }
        return try await settle(reference, document)
    }

    /// Fixes what a tag means in this build; of several answers at the same time the first one
    /// counts for all.
    private func settle(
        _ reference: Reference,
        _ document: ManifestDocument
    ) async throws -> ManifestDocument {
        let digest = document.descriptor.digest
        let settled = roots.withLock { roots in
            let first = roots[reference] ?? digest
            roots[reference] = first
            return first
        }
        guard settled != digest else { return document }
        var pinned = reference
        pinned.digest = settled
        return try await client.resolve(pinned)
    }
}

private struct RegistryDocuments: ImageDocuments {
    let client: RegistryClient
    let repository: Repository

    func document(_ descriptor: OCI.Descriptor) async throws -> ManifestDocument {
        try await client.manifest(
            descriptor.digest,
            mediaType: descriptor.mediaType,
            in: repository
        )
    }

    func config(_ descriptor: OCI.Descriptor) async throws -> [UInt8] {
        try await client.read(descriptor, from: repository)
    }
}

extension ResolvedImage {
    /// The image's layers as a tree; `fetch` brings a blob into the content store.
    func tree(
        in snapshots: SnapshotStore,
        fetch: @escaping @Sendable (OCI.Descriptor) async throws -> Void
    ) -> FileTree {
        layers.reduce(into: FileTree.scratch) { tree, layer in
            let top = snapshots.imageLayer(
                blob: layer.blob,
                diffID: layer.diffID,
                below: tree.layers,
                fetch: { try await fetch(layer.blob) }
            )
            tree.layers.append(top)
        }
    }
}
