// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// The media type a layer gets in an image.
///
/// - Parameters:
///   - type: The type the layer's blob came with.
///   - oci: Whether the image uses OCI's types or Docker's.
///   - keepsNonDistributable: Whether a layer that must not be redistributed stays marked so.
/// - Returns: The type of equal compression; a type that is no layer's comes back as it is.
func layerMediaType(_ type: String, oci: Bool, keepsNonDistributable: Bool) -> String {
    guard let compression = MediaType.layerCompression(type) else { return type }
    let isForeign =
        keepsNonDistributable && (type.contains(".nondistributable.") || type.contains(".foreign."))
    switch (oci, isForeign, compression) {
    case (true, false, .uncompressed): return MediaType.layer
    case (true, false, .gzip): return MediaType.layerGzip
    case (true, false, .zstd): return MediaType.layerZstd
    case (true, true, .uncompressed): return MediaType.layerNonDistributable
    case (true, true, .gzip): return MediaType.layerNonDistributableGzip
    case (true, true, .zstd): return MediaType.layerNonDistributableZstd
    case (false, false, .uncompressed): return MediaType.dockerLayer
    case (false, false, .gzip): return MediaType.dockerLayerGzip
    case (false, _, .zstd): return MediaType.dockerLayerZstd
    case (false, true, .uncompressed): return MediaType.dockerForeignLayer
    case (false, true, .gzip): return MediaType.dockerForeignLayerGzip
    }
}
