// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI

/// The files of an OCI image layout for one image, in the order in which an archive holds them: by
/// name.
///
/// Source: OCI image-spec v1.1, image-layout.md; containerd's `io.containerd.image.name`; Docker's
/// `manifest.json`.
struct Layout: Sendable {
    enum Content: Sendable {
        case directory
        case bytes([UInt8])
        case blob(OCI.Descriptor)
    }

    struct Entry: Sendable {
        /// Relative path; a directory's ends in a slash.
        var name: String
        var content: Content
    }

    static let version = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)
    static let createdKey = "org.opencontainers.image.created"
    static let referenceKey = "org.opencontainers.image.ref.name"
    static let nameKey = "io.containerd.image.name"

    /// What `index.json` lists: the image once for each of its names.
    let listed: [OCI.Descriptor]
    private let image: WrittenImage
    private let names: [Reference]
    private let isDocker: Bool

    init(_ image: WrittenImage, names: [Reference], isDocker: Bool) {
        self.image = image
        self.names = names
        self.isDocker = isDocker
        listed =
            names.isEmpty
            ? [image.root]
            : names.map { name in
                var descriptor = image.root
                var annotations = descriptor.annotations ?? [:]
                annotations[Self.nameKey] = name.description
                // The specification wants the bare tag here.
                annotations[Self.referenceKey] = name.tag ?? name.description
                descriptor.annotations = annotations
                return descriptor
            }
    }

    var index: Index { Index(manifests: listed) }

    var entries: [Entry] {
        var entries = [
            Entry(name: "blobs/", content: .directory),
            Entry(name: "blobs/sha256/", content: .directory),
            Entry(name: "index.json", content: .bytes(index.encoded)),
            Entry(name: "oci-layout", content: .bytes(Self.version)),
        ]
        for blob in image.blobs {
            entries.append(Entry(name: Self.path(blob.digest), content: .blob(blob)))
        }
        if isDocker, let manifest = dockerManifest {
            entries.append(Entry(name: "manifest.json", content: .bytes(manifest)))
        }
        return entries.sorted { $0.name < $1.name }
    }

    static func path(_ digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }

    /// What `docker load` reads.
    private var dockerManifest: [UInt8]? {
        guard let member = image.members.first else { return nil }
        let tags = names.filter { $0.tag != nil }.map(\.familiar)
        return JSONValue.array([
            .object([
                JSONMember("Config", .string(Self.path(member.config.digest))),
                JSONMember("RepoTags", tags.isEmpty ? .null : .strings(tags)),
                JSONMember("Layers", .strings(member.layers.map { Self.path($0.digest) })),
            ])
        ]).encoded
    }
}
