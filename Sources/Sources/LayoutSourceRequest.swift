// SPDX-License-Identifier: Apache-2.0

package import OCI

/// An image that a build names in an OCI layout: `oci-layout://` and its attributes, read and
/// checked.
package struct LayoutRequest: Sendable, Hashable {
    /// The layout's name, which the client of the build ties to a directory; `oci.store` comes
    /// before the identifier.
    package var store: String
    /// Which entry of the layout; a digest comes before a tag, and without either the layout must
    /// hold one image.
    package var tag: String?
    package var digest: Digest?
    package var platform: Platform
    /// Take only this many of the image's layers, lowest first.
    package var layerLimit: Int?

    package init(
        store: String,
        tag: String? = nil,
        digest: Digest? = nil,
        platform: Platform,
        layerLimit: Int? = nil
    ) {
        self.store = store
        self.tag = tag
        self.digest = digest
        self.platform = platform.normalized
        self.layerLimit = layerLimit
    }

    /// Reads the identifier and attributes of a source operation.
    ///
    /// - Parameters:
    ///   - identifier: `NAME[:TAG][@DIGEST]`, with or without its `oci-layout://`.
    ///   - attributes: `oci.store`, `oci.layerlimit` and `image.checksum`; others are passed over.
    ///   - platform: The one the image must be for.
    /// - Throws: `SourcesError` with code `invalid`.
    package init(identifier: String, attributes: [String: String], platform: Platform) throws {
        let scheme = "oci-layout://"
        var rest =
            identifier.hasPrefix(scheme) ? identifier.dropFirst(scheme.count) : identifier[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            let text = rest[rest.index(after: at)...]
            guard let value = Digest(text) else {
                throw SourcesError(
                    .invalid,
                    "cannot use \(identifier): \"\(text)\" is no digest; expected sha256: and 64 hexadecimal digits"
                )
            }
            digest = value
            rest = rest[..<at]
        }
        var tag: String?
        if let colon = rest.lastIndex(of: ":"), !rest[colon...].contains("/") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        let store = attributes["oci.store"] ?? String(rest)
        guard !store.isEmpty, tag?.isEmpty != true else {
            throw SourcesError(
                .invalid,
                "cannot use \(identifier): expected oci-layout://NAME[:TAG][@DIGEST]"
            )
        }
        if let text = attributes["image.checksum"], !text.isEmpty {
            guard let checksum = Digest(text), digest == nil || digest == checksum else {
                throw SourcesError(
                    .invalid,
                    "cannot use \(identifier): it is not the expected \"\(text)\""
                )
            }
            digest = checksum
        }
        self.init(
            store: store,
            tag: tag,
            digest: digest,
            platform: platform,
            layerLimit: try attributes["oci.layerlimit"].map {
                try ImageRequest.layerLimit($0, "oci.layerlimit")
            }
        )
    }
}
