// SPDX-License-Identifier: Apache-2.0

package import OCI

/// An image as it was found for one platform: everything but the bytes of its layers.
package struct ResolvedImage: Sendable {
    /// One layer of an image, still in its registry perhaps.
    package struct Layer: Sendable, Hashable {
        package let blob: Descriptor
        /// The digest its uncompressed tar must have.
        package let diffID: Digest
    }

    /// What the tag or digest pointed at: an index or a manifest.
    ///
    /// Its digest is what a user pins.
    package let root: Descriptor
    /// The manifest that was chosen for the platform; equal to ``root`` where that is no index.
    package let manifest: Descriptor
    /// The image config, as it is in the registry.
    package let configBytes: [UInt8]
    package let config: ImageConfig
    /// Lowest first; no more than the request's layer limit.
    package let layers: [Layer]
    /// The platform that was asked for.
    package let platform: Platform

    private let layerLimit: Int?

    /// Checks that manifest and config belong together; `name` is the image in the words of an
    /// error.
    init(
        name: String,
        root: Descriptor,
        manifest: Descriptor,
        contents: Manifest,
        configBytes: [UInt8],
        platform: Platform,
        layerLimit: Int?
    ) throws {
        let config: ImageConfig
        do {
            config = try ImageConfig(parsing: configBytes)
        } catch {
            throw SourcesError(.invalid, "cannot use image \(name): \(error.message)", cause: error)
        }
        let diffIDs = config.rootFS.diffIDs ?? []
        guard diffIDs.count == contents.layers.count else {
            throw SourcesError(
                .invalid,
                "cannot use image \(name): its manifest has \(contents.layers.count) layers, its config \(diffIDs.count)"
            )
        }
        if let foreign = contents.layers.first(where: { !MediaType.isLayer($0.mediaType) }) {
            throw SourcesError(
                .unsupported,
                "cannot use image \(name): blob \(foreign.digest) of type \"\(foreign.mediaType.prefix(100))\" is no layer"
            )
        }
        if let layerLimit, layerLimit > diffIDs.count {
            throw SourcesError(
                .invalid,
                "cannot use image \(name): the layer limit is \(layerLimit), the image has \(diffIDs.count) layers"
            )
        }
        self.root = root
        self.manifest = manifest
        self.configBytes = configBytes
        self.config = config
        self.platform = platform
        self.layerLimit = layerLimit
        layers = zip(contents.layers, diffIDs).prefix(layerLimit ?? .max)
            .map { Layer(blob: $0, diffID: $1) }
    }

    /// BuildKit's first cache key of an image source: what was asked for, by digest and platform.
    package var manifestKey: Digest {
        var members = [
            JSONMember("Digest", .string(root.digest.description)),
            JSONMember("OS", .string(platform.os)),
            JSONMember("Arch", .string(platform.architecture)),
        ]
        if let variant = platform.variant, !variant.isEmpty {
            members.append(JSONMember("Variant", .string(variant)))
        }
        if let version = platform.osVersion, !version.isEmpty {
            members.append(JSONMember("OSVersion", .string(version)))
        }
        if let features = platform.osFeatures, !features.isEmpty {
            members.append(JSONMember("OSFeatures", .strings(features)))
        }
        if let layerLimit { members.append(JSONMember("Limit", .integer(layerLimit))) }
        return Digest.of(JSONValue.object(members).encoded)
    }

    /// BuildKit's second cache key: the chain of the layers, the same for all manifests with equal
    /// layers; `nil` for an image without any.
    package var chainKey: Digest? {
        guard config.rootFS.type == "layers" else { return nil }
        return Self.chainID(layers.map(\.diffID))
    }

    /// The name of a stack of layers.
    ///
    /// Source: OCI image-spec v1.1, config.md "Layer ChainID".
    static func chainID(_ diffIDs: [Digest]) -> Digest? {
        guard let first = diffIDs.first else { return nil }
        return diffIDs.dropFirst().reduce(first) { Digest.of("\($0) \($1)") }
    }
}
