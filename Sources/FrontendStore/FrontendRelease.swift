// SPDX-License-Identifier: Apache-2.0

package import OCI
package import ProjectFiles
internal import Registry

/// One version of a frontend as it is published: an OCI index with one manifest a platform.
///
/// Its digest names it for good. It lists the tree digest of every platform, so that all of them can be pinned without
/// downloading any.
package struct FrontendRelease: Sendable {
    /// The content for one platform, or for any.
    package struct Variant: Sendable, Hashable {
        /// `linux/amd64`, or `any`.
        package let platform: String
        package let tree: TreeDigest
        /// Of its manifest.
        package let manifest: OCI.Descriptor
    }

    package static let artifactType = "application/vnd.kiln.frontend.v1"
    /// Media type of the config: `frontend.toml` as JSON.
    package static let configType = "application/vnd.kiln.frontend.config.v1+json"
    static let nameKey = "vnd.kiln.frontend.name"
    static let versionKey = "org.opencontainers.image.version"
    static let treeKey = "vnd.kiln.frontend.tree"

    package let name: FrontendName
    package let version: SemanticVersion
    package let variants: [Variant]
    /// The index, byte for byte.
    package let bytes: [UInt8]

    /// The digest of the index.
    package var digest: Digest { Digest.of(bytes) }

    /// What an index that lists releases says about this one.
    var descriptor: OCI.Descriptor {
        var descriptor = OCI.Descriptor(mediaType: MediaType.index, digest: digest, size: Int64(bytes.count))
        descriptor.artifactType = Self.artifactType
        return descriptor
    }

    /// Tree digest by platform, as the lock has it.
    package var trees: [String: TreeDigest] {
        Dictionary(variants.map { ($0.platform, $0.tree) }) { first, _ in first }
    }

    /// The variant a platform gets: its own, else the one for any.
    package func variant(for platform: Platform) -> Variant? {
        let wanted = platform.normalized.description
        return variants.first { $0.platform == wanted }
            ?? variants.first { $0.platform == FrontendManifest.anyPlatform }
    }

    init(name: FrontendName, version: SemanticVersion, variants: [Variant]) {
        self.name = name
        self.version = version
        self.variants = variants
        let manifests = variants.map { variant in
            var descriptor = variant.manifest
            descriptor.artifactType = Self.artifactType
            descriptor.annotations = [Self.treeKey: variant.tree.description]
            descriptor.platform =
                variant.platform == FrontendManifest.anyPlatform ? nil : try? Platform(parsing: variant.platform)
            return descriptor
        }
        bytes =
            Index(
                artifactType: Self.artifactType,
                manifests: manifests,
                annotations: [Self.nameKey: name.text, Self.versionKey: version.description]
            ).encoded
    }

    /// Reads an index.
    ///
    /// - Parameter place: Where it came from, for messages.
    /// - Throws: `badRelease`.
    package init(parsing bytes: [UInt8], from place: String) throws(FrontendStoreError) {
        func refuse(_ reason: String) -> FrontendStoreError {
            FrontendStoreError(.badRelease, "cannot use the release from \(place): \(reason)")
        }
        let document = try OCIDocument(parsing: bytes, from: place)
        guard case .index(let index) = document.content else { throw refuse("it is no index of platforms") }
        guard index.artifactType == Self.artifactType else {
            throw refuse(
                "it is \(index.artifactType.map { "a \(shown($0))" } ?? "an image"), not a \(Self.artifactType)"
            )
        }
        guard index.manifests.count <= FrontendLimit.platformCount else {
            throw refuse(
                "it lists \(index.manifests.count) platforms, at most \(FrontendLimit.platformCount) are allowed"
            )
        }
        do throws(ProjectError) {
            name = try FrontendName(parsing: index.annotations?[Self.nameKey] ?? "")
            version = try SemanticVersion(parsing: index.annotations?[Self.versionKey] ?? "")
        } catch {
            throw refuse(error.message)
        }
        var variants: [Variant] = []
        for manifest in index.manifests {
            let platform = manifest.platform?.normalized.description ?? FrontendManifest.anyPlatform
            guard !variants.contains(where: { $0.platform == platform }) else {
                throw refuse("it lists \(shown(platform)) twice")
            }
            guard (0...Int64(FrontendLimit.documentByteCount)).contains(manifest.size) else {
                throw refuse("the manifest for \(shown(platform)) has \(manifest.size) bytes")
            }
            guard let text = manifest.annotations?[Self.treeKey], let tree = try? TreeDigest(parsing: text),
                tree.scheme == .files
            else { throw refuse("it says no tree digest for \(shown(platform))") }
            variants.append(Variant(platform: platform, tree: tree, manifest: manifest))
        }
        guard !variants.isEmpty else { throw refuse("it lists no platform") }
        self.variants = variants
        self.bytes = bytes
    }
}

/// The manifest of one platform of a release.
struct FrontendVariantManifest {
    let config: OCI.Descriptor
    let layer: OCI.Descriptor

    /// - Throws: `badRelease`.
    init(parsing bytes: [UInt8], from place: String) throws(FrontendStoreError) {
        func refuse(_ reason: String) -> FrontendStoreError {
            FrontendStoreError(.badRelease, "cannot use the release from \(place): \(reason)")
        }
        let document = try OCIDocument(parsing: bytes, from: place)
        guard case .image(let manifest) = document.content, manifest.artifactType == FrontendRelease.artifactType else {
            throw refuse("the manifest of a platform is no \(FrontendRelease.artifactType)")
        }
        guard let layer = manifest.layers.first, manifest.layers.count == 1 else {
            throw refuse("a platform has \(manifest.layers.count) layers, expected one")
        }
        guard (0...FrontendLimit.blobByteCount).contains(layer.size) else {
            throw FrontendStoreError(
                .tooLarge,
                "cannot use the release from \(place): its layer has \(layer.size) bytes, at most \(FrontendLimit.blobByteCount) are allowed"
            )
        }
        guard (0...Int64(FrontendLimit.manifestByteCount)).contains(manifest.config.size) else {
            throw FrontendStoreError(
                .tooLarge,
                "cannot use the release from \(place): its config has \(manifest.config.size) bytes, at most \(FrontendLimit.manifestByteCount) are allowed"
            )
        }
        config = manifest.config
        self.layer = layer
    }
}
