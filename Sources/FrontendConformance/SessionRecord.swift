// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI

/// What one conversation with a frontend came to.
struct SessionRecord: Sendable {
    /// What it said about itself.
    var frontend: Wire.Program?
    var protocolVersion: ProtocolVersion?
    /// Methods it answers beside `build`.
    var provides: [String] = []
    /// Whether it was not asked to work, because it does not provide the method.
    var isIdle = false
    /// The answer to `build`; `nil` when there was none to get.
    var answer: Result<Wire.Build.Answer, ProtocolFailure>?
    /// The trees of the result and all others, by ref.
    var definitions: [String: CanonicalDefinition] = [:]
    /// How often it called each method.
    var callCounts: [String: Int] = [:]
    /// Diagnostics, as JSON.
    var diagnostics: [JSONValue] = []
    /// The end of its stderr.
    var standardError: [String] = []

    /// Everything that must be equal in equal builds, as a text that can be compared and read.
    ///
    /// - Parameter hasSource: Whether it holds the build file and the lines that operations come from, too.
    func canonicalText(hasSource: Bool) -> String {
        var members: [JSONMember] = []
        switch answer {
        case nil: members.append(JSONMember("answer", .null))
        case .failure(let failure):
            members.append(
                JSONMember(
                    "error",
                    .object([
                        JSONMember("kind", .string(failure.kind.name)),
                        JSONMember("message", .string(failure.message)),
                    ])
                )
            )
        case .success(let answer):
            members.append(JSONMember("results", .array(answer.results.map { result($0, hasSource: hasSource) })))
            members.append(JSONMember("index", .bool(answer.isIndex)))
            if !answer.metadata.isEmpty { members.append(JSONMember("metadata", bytes(answer.metadata))) }
        }
        if !diagnostics.isEmpty {
            // Platforms are worked on at the same time, so their order means nothing.
            let sorted = diagnostics.sorted { $0.encodedText < $1.encodedText }
            members.append(JSONMember("diagnostics", .array(sorted)))
        }
        return JSONValue.object(members).encodedPretty() + "\n"
    }

    private func result(_ part: Wire.BuiltPlatform, hasSource: Bool) -> JSONValue {
        var members = [JSONMember("id", .string(part.id))]
        if let platform = part.platform {
            members.append(JSONMember("platform", json(.object(platform.members))))
        }
        let definition = part.ref.flatMap { definitions[$0] }
        members.append(JSONMember("llb", definition?.json ?? .null))
        if hasSource, let source = definition?.source { members.append(JSONMember("source", source)) }
        if let config = part.config { members.append(JSONMember("config", value(config))) }
        if !part.metadata.isEmpty { members.append(JSONMember("metadata", bytes(part.metadata))) }
        return .object(members)
    }

    private func bytes(_ map: [String: [UInt8]]) -> JSONValue {
        .object(map.sorted { $0.key < $1.key }.map { JSONMember($0.key, value($0.value)) })
    }

    /// Bytes as JSON where they are, as text where they are that, and by their digest otherwise.
    private func value(_ bytes: [UInt8]) -> JSONValue {
        if let json = try? JSONValue(parsing: bytes) { return json }
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .object([JSONMember("sha256", .string(Digest.of(bytes).description))])
    }
}

/// A value of a message as JSON; members with null are left out, as they mean nothing.
func json(_ value: WireValue) -> JSONValue {
    switch value {
    case .null: .null
    case .bool(let flag): .bool(flag)
    case .integer(let number): .integer(number)
    case .number(let number): .number(String(number))
    case .string(let text): .string(text)
    case .array(let elements): .array(elements.map(json))
    case .object(let object): .object(object.members.map { JSONMember($0.name, json($0.value)) })
    case .bytes(let bytes): .string(String(decoding: bytes, as: UTF8.self))
    }
}
