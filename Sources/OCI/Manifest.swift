// SPDX-License-Identifier: Apache-2.0

/// The manifest of one image.
///
/// Source: OCI image-spec v1.1, manifest.md; Docker's schema 2 has the same members.
public struct Manifest: Codable, Hashable, Sendable {
    /// Always 2.
    public var schemaVersion: Int
    /// Its own media type.
    public var mediaType: String?
    /// What it is when it is no image.
    public var artifactType: String?
    /// The image config.
    public var config: Descriptor
    /// Lowest layer first.
    public var layers: [Descriptor]
    /// The manifest this one is about.
    public var subject: Descriptor?
    /// What tools want to know about it.
    public var annotations: [String: String]?

    /// A document of schema version 2.
    public init(
        mediaType: String = MediaType.manifest,
        artifactType: String? = nil,
        config: Descriptor,
        layers: [Descriptor],
        subject: Descriptor? = nil,
        annotations: [String: String]? = nil
    ) {
        schemaVersion = 2
        self.mediaType = mediaType
        self.artifactType = artifactType
        self.config = config
        self.layers = layers
        self.subject = subject
        self.annotations = annotations
    }

    /// The document; equal manifests give equal bytes.
    public var encoded: [UInt8] { json.encoded }

    /// The document as a value, members in the order Go writes them.
    public var json: JSONValue {
        var members = documentHead(schemaVersion, mediaType, artifactType)
        members.append(JSONMember("config", config.json))
        members.append(JSONMember("layers", .array(layers.map(\.json))))
        members += documentTail(subject, annotations)
        return .object(members)
    }
}

/// A list of manifests, one a platform.
///
/// Source: OCI image-spec v1.1, image-index.md; Docker's manifest list likewise.
public struct Index: Codable, Hashable, Sendable {
    /// Always 2.
    public var schemaVersion: Int
    /// Its own media type.
    public var mediaType: String?
    /// What it is when it is no image.
    public var artifactType: String?
    /// In the order they are searched for a platform.
    public var manifests: [Descriptor]
    /// The manifest this one is about.
    public var subject: Descriptor?
    /// What tools want to know about it.
    public var annotations: [String: String]?

    /// A document of schema version 2.
    public init(
        mediaType: String = MediaType.index,
        artifactType: String? = nil,
        manifests: [Descriptor],
        subject: Descriptor? = nil,
        annotations: [String: String]? = nil
    ) {
        schemaVersion = 2
        self.mediaType = mediaType
        self.artifactType = artifactType
        self.manifests = manifests
        self.subject = subject
        self.annotations = annotations
    }

    /// The document; equal indexes give equal bytes.
    public var encoded: [UInt8] { json.encoded }

    /// The document as a value, members in the order Go writes them.
    public var json: JSONValue {
        var members = documentHead(schemaVersion, mediaType, artifactType)
        members.append(JSONMember("manifests", .array(manifests.map(\.json))))
        members += documentTail(subject, annotations)
        return .object(members)
    }
}

private func documentHead(
    _ version: Int,
    _ mediaType: String?,
    _ artifactType: String?
) -> [JSONMember] {
    var members = [JSONMember("schemaVersion", .integer(version))]
    if let mediaType { members.append(JSONMember("mediaType", .string(mediaType))) }
    if let artifactType { members.append(JSONMember("artifactType", .string(artifactType))) }
    return members
}

private func documentTail(_ subject: Descriptor?, _ annotations: [String: String]?) -> [JSONMember] {
    var members: [JSONMember] = []
    if let subject { members.append(JSONMember("subject", subject.json)) }
    if let annotations, !annotations.isEmpty {
        members.append(JSONMember("annotations", .map(annotations)))
    }
    return members
}

extension Descriptor {
    /// The descriptor as a value, members in the order Go writes them.
    public var json: JSONValue {
        var members = [
            JSONMember("mediaType", .string(mediaType)),
            JSONMember("digest", .string(digest.description)),
            JSONMember("size", .integer(size)),
        ]
        if let urls, !urls.isEmpty { members.append(JSONMember("urls", .strings(urls))) }
        if let annotations, !annotations.isEmpty {
            members.append(JSONMember("annotations", .map(annotations)))
        }
        if let platform { members.append(JSONMember("platform", platform.json)) }
        if let artifactType { members.append(JSONMember("artifactType", .string(artifactType))) }
        return .object(members)
    }
}

extension Platform {
    /// The platform as a value, members in the order Go writes them.
    public var json: JSONValue { .object(jsonMembers) }

    var jsonMembers: [JSONMember] {
        var members = [
            JSONMember("architecture", .string(architecture)),
            JSONMember("os", .string(os)),
        ]
        if let osVersion, !osVersion.isEmpty {
            members.append(JSONMember("os.version", .string(osVersion)))
        }
        if let osFeatures, !osFeatures.isEmpty {
            members.append(JSONMember("os.features", .strings(osFeatures)))
        }
        if let variant, !variant.isEmpty { members.append(JSONMember("variant", .string(variant))) }
        return members
    }
}
