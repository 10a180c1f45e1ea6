// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
package import OCI

/// The bytes of a manifest or index with their meaning, checked.
package struct ManifestDocument: Sendable {
    package enum Content: Sendable {
        case image(Manifest)
        case index(Index)
    }

    /// What names the document: its digest, length and media type.
    package let descriptor: Descriptor
    /// The document as it was received; its digest is of these bytes.
    package let bytes: [UInt8]
    package let content: Content

    /// Most layers that one image may have.
    package static let layerCountMax = 1_000
    /// Most manifests that one index may list.
    package static let manifestCountMax = 10_000

    /// Reads and checks a document.
    ///
    /// `mediaType` is what the server says it is, if anything. Where the document itself names its
    /// type, the two must not contradict each other.
    ///
    /// - Throws: `OCIError` with code `invalidManifest`: JSON that is broken or names a member
    ///   twice, members of both kinds of document, sizes below zero, too many layers, or a type
    ///   that is neither image nor index.
    package init(parsing bytes: [UInt8], mediaType: String? = nil) throws(OCIError) {
        let json = try JSONValue(parsing: bytes)
        guard case .object = json else { throw Self.invalid("it is no JSON object") }
        try Self.refuseRepeatedMembers(json)
        let type = try Self.type(of: json, announced: mediaType)
        if MediaType.isIndex(type) {
            if json["layers"] != nil || json["config"] != nil {
                throw Self.invalid("it is an index, and yet has members of an image")
            }
            let index: Index = try Self.decode(bytes)
            guard index.manifests.count <= Self.manifestCountMax else {
                throw Self.invalid(
                    "it lists \(index.manifests.count) manifests, at most \(Self.manifestCountMax) are allowed"
                )
            }
            try Self.checkSizes(index.manifests)
            content = .index(index)
        } else {
            if json["manifests"] != nil {
                throw Self.invalid("it is an image, and yet has members of an index")
            }
            let manifest: Manifest = try Self.decode(bytes)
            guard manifest.layers.count <= Self.layerCountMax else {
                throw Self.invalid(
                    "it has \(manifest.layers.count) layers, at most \(Self.layerCountMax) are allowed"
                )
            }
            try Self.checkSizes([manifest.config] + manifest.layers)
            content = .image(manifest)
        }
        self.bytes = bytes
        descriptor = Descriptor(mediaType: type, digest: Digest.of(bytes), size: Int64(bytes.count))
    }

    /// The media type that counts: the document's own, else the announced one, else what its
    /// members tell.
    private static func type(of json: JSONValue, announced: String?) throws(OCIError) -> String {
        guard json["schemaVersion"]?.integer == 2 else {
            throw invalid("its schemaVersion is not 2; older image formats cannot be read")
        }
        let announced = announced.flatMap { isKnown($0) ? $0 : nil }
        if let own = json["mediaType"] {
            guard let own = own.text, isKnown(own) else {
                throw invalid(
                    "its media type \(own.encodedText.prefix(100)) is no image and no index"
                )
            }
            if let announced, announced != own {
                throw invalid("it calls itself \(own), but was announced as \(announced)")
            }
            return own
        }
        if let announced { return announced }
        return json["manifests"] == nil ? MediaType.manifest : MediaType.index
    }

    private static func isKnown(_ type: String) -> Bool {
        MediaType.isIndex(type) || MediaType.isManifest(type)
    }

    private static func decode<Value: Decodable>(_ bytes: [UInt8]) throws(OCIError) -> Value {
        do {
            return try JSONDecoder().decode(Value.self, from: Data(bytes))
        } catch DecodingError.keyNotFound(let key, let context) {
            throw invalid("\(path(context.codingPath + [key])) is missing")
        } catch DecodingError.dataCorrupted(let context) {
            throw invalid(
                "\(path(context.codingPath)) is wrong: \(singleLine(context.debugDescription))"
            )
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(
            _,
            let context
        )
        {
            throw invalid("\(path(context.codingPath)) has the wrong type")
        } catch {
            throw invalid(singleLine("\(error)"))
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        let text = keys.map { key in key.intValue.map { "[\($0)]" } ?? ".\(key.stringValue)" }
            .joined()
        return text.isEmpty ? "the document" : String(text.drop { $0 == "." })
    }

    private static func checkSizes(_ descriptors: [Descriptor]) throws(OCIError) {
        for descriptor in descriptors where descriptor.size < 0 {
            throw invalid("blob \(descriptor.digest) has the size \(descriptor.size)")
        }
    }

    private static func refuseRepeatedMembers(_ json: JSONValue) throws(OCIError) {
        var rest = [json]
        while let value = rest.popLast() {
            var names: Set<String> = []
            for member in value.members {
                guard names.insert(member.name).inserted else {
                    throw invalid(
                        "its member \"\(singleLine(member.name, characterLimit: 80))\" stands twice"
                    )
                }
                rest.append(member.value)
            }
            rest.append(contentsOf: value.elements ?? [])
        }
    }

    private static func invalid(_ reason: String) -> OCIError {
        OCIError(.invalidManifest, "cannot read manifest: \(reason)")
    }
}
