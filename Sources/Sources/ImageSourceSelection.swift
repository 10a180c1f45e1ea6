// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import Registry

/// Where the documents of an image are read: a registry, or an OCI layout.
protocol ImageDocuments: Sendable {
    /// A manifest or index, checked against its digest.
    func document(_ descriptor: Descriptor) async throws -> ManifestDocument
    /// A whole image config, checked against its digest and size.
    func config(_ descriptor: Descriptor) async throws -> [UInt8]
}

/// Finds the image for a platform below a manifest or index.
struct ImageSelection {
    /// Indexes within indexes that are followed.
    private static let indexDepthMax = 4

    /// The image in the words of an error.
    let name: String
    let platform: Platform
    let layerLimit: Int?
    let documents: any ImageDocuments

    /// Chooses as BuildKit does: the entry of the best matching platform; entries that name none
    /// are judged by their config.
    ///
    /// An image that is no index is taken whatever its platform.
    func image(below root: ManifestDocument) async throws -> ResolvedImage {
        var seen: [Platform] = []
        if let image = try await find(in: root, root: root.descriptor, depth: 0, &seen) {
            return image
        }
        let offered = seen.isEmpty ? "none" : seen.map(\.description).joined(separator: ", ")
        throw SourcesError(
            .notFound,
            "cannot use image \(name): it has nothing for \(platform.description); it offers \(offered)"
        )
    }

    private func find(
        in document: ManifestDocument,
        root: Descriptor,
        depth: Int,
        _ seen: inout [Platform]
    ) async throws -> ResolvedImage? {
        switch document.content {
        case .image(let manifest):
            return try await image(manifest, document.descriptor, root)
        case .index(let index):
            guard depth < Self.indexDepthMax else {
                throw SourcesError(
                    .invalid,
                    "cannot use image \(name): its indexes are nested deeper than \(Self.indexDepthMax) levels"
                )
            }
            for entry in ranked(index.manifests, &seen) {
                let child = try await documents.document(entry)
                guard child.descriptor.size == entry.size else {
                    throw SourcesError(
                        .digestMismatch,
                        "cannot use image \(name): manifest \(entry.digest) has "
                            + "\(child.descriptor.size) bytes, the index names \(entry.size)"
                    )
                }
                guard let found = try await find(in: child, root: root, depth: depth + 1, &seen)
                else { continue }
                if entry.platform != nil || matches(found, &seen) { return found }
            }
            return nil
        }
    }

    private func image(
        _ manifest: Manifest,
        _ descriptor: Descriptor,
        _ root: Descriptor
    ) async throws -> ResolvedImage {
        try ResolvedImage(
            name: name,
            root: root,
            manifest: descriptor,
            contents: manifest,
            configBytes: try await documents.config(manifest.config),
            platform: platform,
            layerLimit: layerLimit
        )
    }

    /// The best entry with a matching platform, then those whose platform is not told.
    private func ranked(_ entries: [Descriptor], _ seen: inout [Platform]) -> [Descriptor] {
        let usable = entries.filter { entry in
            (MediaType.isIndex(entry.mediaType) || MediaType.isManifest(entry.mediaType))
                && entry.annotations?["vnd.docker.reference.type"] == nil
        }
        let named = usable.filter { $0.platform != nil }
        let platforms = named.compactMap(\.platform)
        seen += platforms
        let best =
            PlatformMatcher(running: platform).bestIndex(of: platforms).map { [named[$0]] } ?? []
        return best + usable.filter { $0.platform == nil }
    }

    private func matches(_ image: ResolvedImage, _ seen: inout [Platform]) -> Bool {
        if PlatformMatcher(running: platform).accepts(image.config.platform) { return true }
        seen.append(image.config.platform)
        return false
    }
}
