// SPDX-License-Identifier: Apache-2.0

/// What a manifest says about a blob.
///
/// Source: OCI image-spec v1.1, descriptor.md.
public struct Descriptor: Codable, Hashable, Sendable {
    /// What the bytes are.
    public var mediaType: String
    /// Of the bytes.
    public var digest: Digest
    /// Length in bytes; not negative once validated.
    public var size: Int64
    /// Where else they can be had.
    public var urls: [String]?
    /// What tools want to know about them.
    public var annotations: [String: String]?
    /// What a manifest is for, in an index.
    public var platform: Platform?
    /// What a manifest is when it is no image.
    public var artifactType: String?

    /// Takes the members as they are.
    public init(
        mediaType: String,
        digest: Digest,
        size: Int64,
        annotations: [String: String]? = nil,
        platform: Platform? = nil
    ) {
        self.mediaType = mediaType
        self.digest = digest
        self.size = size
        self.annotations = annotations
        self.platform = platform
    }
}
