// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import ContentStore
internal import LinuxSystem
internal import OCI
internal import Registry
internal import Snapshots
internal import Sources
internal import Synchronization
internal import SystemPackage

/// The images one build uses: what a tag was found to mean stays the same for the whole build.
final class BuildImages: Sendable {
    private let images: ImageSource
    private let layouts: [String: FilePath]
    private let content: ContentStore
    private let snapshots: SnapshotStore
    private let cache: BuildCache
    private let pins: SourcePins
    private let opened = Mutex<[String: LayoutSource]>([:])

    /// An image that was found, and how to get at its files.
    struct Found: Sendable {
        let image: ResolvedImage
        /// Where its blobs can be had again, in the words of ``BlobOrigin``.
        let origin: String
        let tree: @Sendable () -> FileTree
    }

    /// - Parameter pins: What tags mean in the build's project.
    init(
        services: EngineServices,
        layouts: [String: FilePath],
        progress: ProgressHandler?,
        pins: SourcePins = SourcePins()
    ) {
        images = ImageSource(
            client: pins.isOffline ? services.registry.offline() : services.registry,
            snapshots: services.snapshots,
            metadata: RememberedFacts(cache: services.cache),
            progress: progress
        )
        self.layouts = layouts
        self.pins = pins
        content = services.content
        snapshots = services.snapshots
        cache = services.cache
    }

    /// Finds what a source operation or a frontend's question names.
    ///
    /// - Parameter identifier: `docker-image://…` or `oci-layout://…`.
    func find(
        _ identifier: String,
        attributes: [String: String],
        platform: Platform,
        mode: ImageResolveMode? = nil
    ) async throws -> Found {
        if identifier.hasPrefix("oci-layout://") {
            let request = try LayoutRequest(
                identifier: identifier,
                attributes: attributes,
                platform: platform
            )
            let layout = try layout(request.store)
            let image = try await layout.resolve(request)
            let origin = BlobOrigin.layout(layouts[request.store] ?? "")
            return Found(image: image, origin: origin.text) { layout.tree(of: image) }
        }
        var request = try ImageRequest(
            identifier: identifier,
            attributes: attributes,
            platform: platform
        )
        if let mode { request.resolveMode = mode }
        let key = try pins.apply(to: &request)
        let reference = request.reference
        let image = try await images.resolve(request)
        if let key { try pins.confirm(image, as: key) }
        let origin = BlobOrigin.repository(reference.name)
        return Found(image: image, origin: origin.text) { [images] in
            images.tree(of: image, reference: reference)
        }
    }

    /// Remembers where a found image's blobs are, for builds that only know its layers.
    ///
    /// The last place seen counts: an image that is cached may have been found elsewhere when it was.
    func noteOrigin(_ found: Found, name: String) async throws {
        try await cache.noteOrigin(
            of: found.image.layers.map(\.blob.digest),
            found.origin,
            description: "layer of \(name)"
        )
    }

    private func layout(_ store: String) throws -> LayoutSource {
        if let layout = opened.withLock({ $0[store] }) { return layout }
        guard let path = layouts[store] else {
            throw EngineError(
                .invalidRequest,
                "cannot read the OCI layout \"\(store)\": the build was not given it; pass --build-context NAME=oci-layout://DIR"
            )
        }
        let layout = LayoutSource(
            directory: try Directory(host: path),
            name: path.string,
            content: content,
            snapshots: snapshots
        )
        return opened.withLock { opened in
            let first = opened[store] ?? layout
            opened[store] = first
            return first
        }
    }
}

/// Where the blobs of image layers come from, as text that outlives the build.
enum BlobOrigin {
    /// A repository, as `docker.io/library/busybox`.
    case repository(String)
    /// An OCI layout on this machine.
    case layout(FilePath)

    private static let layoutScheme = "oci-layout:"

    var text: String {
        switch self {
        case .repository(let name): name
        case .layout(let path): Self.layoutScheme + path.string
        }
    }

    init(_ text: String) {
        if text.hasPrefix(Self.layoutScheme) {
            self = .layout(FilePath(String(text.dropFirst(Self.layoutScheme.count))))
        } else {
            self = .repository(text)
        }
    }
}

/// Fetches blobs of layers that the cache knows but the store does not hold any more.
struct OriginFetcher: BlobFetcher {
    let registry: RegistryClient
    let content: ContentStore
    let snapshots: SnapshotStore

    func fetch(_ blob: OCI.Descriptor, origin: String?) async throws {
        guard let origin else {
            throw EngineError(
                .environment,
                "cannot fetch the layer \(blob.digest): nobody noted where it came from"
            )
        }
        switch BlobOrigin(origin) {
        case .repository(let name):
            try await registry.fetch(blob, from: Repository(try Reference(parsing: name)))
        case .layout(let path):
            let layout = LayoutSource(
                directory: try Directory(host: path),
                name: path.string,
                content: content,
                snapshots: snapshots
            )
            try await layout.fetch(blob)
        }
    }
}

/// What tags and addresses led to, remembered in the build cache.
struct RememberedFacts: MetadataStore {
    let cache: BuildCache

    func remembered(_ key: String) throws -> (value: String, age: Duration)? {
        guard let found = try cache.rememberedAnswer(to: key) else { return nil }
        return (String(decoding: found.answer, as: UTF8.self), .seconds(found.ageSeconds))
    }

    func remember(_ value: String, for key: String) throws {
        cache.rememberAnswer(Array(value.utf8), for: key)
    }
}
