// SPDX-License-Identifier: Apache-2.0

package import OCI

/// Where the meaning of a tag may come from.
package enum ImageResolveMode: String, Sendable, Hashable {
    /// The registry is asked, and what it sent before is used as far as it still holds.
    case ask = "default"
    /// The registry is asked.
    case pull
    /// What was found the last time is good enough; the registry is asked only for what is not
    /// here.
    case preferLocal = "local"
}

/// What the user of an image wants it kept as; decides when the collector may take it.
package enum ImageRecordType: String, Sendable, Hashable {
    case regular, `internal`, frontend
}

/// An image that a build names: `docker-image://` and its attributes, read and checked.
package struct ImageRequest: Sendable, Hashable {
    package var reference: Reference
    package var platform: Platform
    package var resolveMode: ImageResolveMode
    package var recordType: ImageRecordType
    /// Take only this many of the image's layers, lowest first.
    package var layerLimit: Int?
    /// The digest that the reference must turn out to have.
    package var checksum: Digest?

    package init(
        reference: Reference,
        platform: Platform,
        resolveMode: ImageResolveMode = .ask,
        recordType: ImageRecordType = .regular,
        layerLimit: Int? = nil,
        checksum: Digest? = nil
    ) {
        self.reference = reference.withDefaultTag
        self.platform = platform.normalized
        self.resolveMode = resolveMode
        self.recordType = recordType
        self.layerLimit = layerLimit
        self.checksum = checksum
    }

    /// Reads the identifier and attributes of a source operation.
    ///
    /// - Parameters:
    ///   - identifier: With or without its `docker-image://`.
    ///   - attributes: `image.resolvemode`, `image.recordtype`, `image.layerlimit` and
    ///     `image.checksum`; others are passed over, as BuildKit does.
    ///   - platform: The one the image must be for.
    /// - Throws: `SourcesError` with code `invalid`.
    package init(identifier: String, attributes: [String: String], platform: Platform) throws {
        let scheme = "docker-image://"
        let text =
            identifier.hasPrefix(scheme) ? String(identifier.dropFirst(scheme.count)) : identifier
        do {
            self.init(reference: try Reference(parsing: text), platform: platform)
        } catch {
            throw SourcesError(.invalid, error.message, cause: error)
        }
        if let value = attributes["image.resolvemode"] {
            resolveMode = try Self.member(value, "image.resolvemode", "default, pull or local")
        }
        if let value = attributes["image.recordtype"], !value.isEmpty {
            recordType = try Self.member(value, "image.recordtype", "regular, internal or frontend")
        }
        layerLimit = try attributes["image.layerlimit"].map {
            try Self.layerLimit($0, "image.layerlimit")
        }
        checksum = try attributes["image.checksum"].map { value in
            guard let digest = Digest(value) else {
                throw Self.invalid("image.checksum", value, "sha256: and 64 hexadecimal digits")
            }
            return digest
        }
    }

    /// Reads a number of layers, at least 1.
    static func layerLimit(_ value: String, _ attribute: String) throws -> Int {
        guard let count = Int(value), count > 0 else {
            throw invalid(attribute, value, "a number from 1")
        }
        return count
    }

    private static func member<Value: RawRepresentable>(
        _ text: String,
        _ attribute: String,
        _ allowed: String
    ) throws -> Value where Value.RawValue == String {
        guard let value = Value(rawValue: text) else { throw invalid(attribute, text, allowed) }
        return value
    }

    private static func invalid(
        _ attribute: String,
        _ value: String,
        _ allowed: String
    ) -> SourcesError {
        SourcesError(
            .invalid,
            "cannot use image attribute \(attribute)=\"\(value)\": expected \(allowed)"
        )
    }
}
