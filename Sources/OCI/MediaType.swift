// SPDX-License-Identifier: Apache-2.0

/// The media types of image-spec v1.1 and of Docker's image manifest version 2, schema 2.
public enum MediaType {
    /// An OCI index.
    public static let index = "application/vnd.oci.image.index.v1+json"
    /// An OCI manifest.
    public static let manifest = "application/vnd.oci.image.manifest.v1+json"
    /// An OCI image config.
    public static let config = "application/vnd.oci.image.config.v1+json"
    /// The two bytes `{}`.
    public static let emptyJSON = "application/vnd.oci.empty.v1+json"
    /// An OCI layer, not compressed.
    public static let layer = "application/vnd.oci.image.layer.v1.tar"
    /// An OCI layer, gzip.
    public static let layerGzip = "application/vnd.oci.image.layer.v1.tar+gzip"
    /// An OCI layer, zstd.
    public static let layerZstd = "application/vnd.oci.image.layer.v1.tar+zstd"
    /// An OCI layer that is not pushed, not compressed.
    public static let layerNonDistributable =
        "application/vnd.oci.image.layer.nondistributable.v1.tar"
    /// An OCI layer that is not pushed, gzip.
    public static let layerNonDistributableGzip =
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    /// An OCI layer that is not pushed, zstd.
    public static let layerNonDistributableZstd =
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
    /// An in-toto statement.
    public static let inToto = "application/vnd.in-toto+json"

    /// Docker's list of manifests.
    public static let dockerManifestList =
        "application/vnd.docker.distribution.manifest.list.v2+json"
    /// Docker's manifest.
    public static let dockerManifest = "application/vnd.docker.distribution.manifest.v2+json"
    /// Docker's image config.
    public static let dockerConfig = "application/vnd.docker.container.image.v1+json"
    /// Docker's layer, not compressed.
    public static let dockerLayer = "application/vnd.docker.image.rootfs.diff.tar"
    /// Docker's layer, gzip.
    public static let dockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    /// Docker's layer, zstd.
    public static let dockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd"
    /// Docker's layer that is not pushed, not compressed.
    public static let dockerForeignLayer = "application/vnd.docker.image.rootfs.foreign.diff.tar"
    /// Docker's layer that is not pushed, gzip.
    public static let dockerForeignLayerGzip =
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"

    /// Whether a type names an index of manifests.
    public static func isIndex(_ type: String) -> Bool {
        type == index || type == dockerManifestList
    }

    /// Whether a type names the manifest of one image.
    public static func isManifest(_ type: String) -> Bool {
        type == manifest || type == dockerManifest
    }

    /// Whether a type names a filesystem layer.
    public static func isLayer(_ type: String) -> Bool {
        type.hasPrefix("application/vnd.oci.image.layer.")
            || type.hasPrefix("application/vnd.docker.image.rootfs.")
    }

    /// How the bytes of a layer are compressed; `nil` for a type that is no layer.
    public static func layerCompression(_ type: String) -> LayerCompression? {
        guard isLayer(type) else { return nil }
        if type.hasSuffix("gzip") { return .gzip }
        if type.hasSuffix("zstd") { return .zstd }
        return .uncompressed
    }

    /// The compression of a layer blob.
    public enum LayerCompression: Hashable, Sendable {
        case uncompressed, gzip, zstd
    }
}
