// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
package import OCI

/// What a frontend's author says about it: `frontend.toml` at the root of its package.
package struct FrontendManifest: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        /// Frames on stdin and stdout.
        case native
        /// BuildKit's gateway, for images that were made for it.
        case buildkitGateway = "buildkit-gateway"
    }

    /// What stands around the executable.
    package enum Runtime: Sendable, Hashable {
        /// Nothing: the package holds all it needs.
        case package
        /// The machine's own `/usr`, `/bin`, `/lib*`, read-only.
        case host
        /// An image, always by digest.
        case image(Reference)
    }

    package let name: FrontendName
    package let version: SemanticVersion
    package let license: String?
    package let homepage: String?
    package let description: String?
    package let kind: Kind
    /// The newest minor of each major it speaks.
    package let protocolVersions: [String]
    /// Capabilities without which it cannot work.
    package let requires: [String]
    /// Capabilities it uses where they are offered.
    package let optional: [String]
    /// The executable and its arguments; relative to the package's root, or to the sub-tree of its platform.
    package let argv: [String]
    package let runtime: Runtime
    /// Sub-tree by platform (`linux/amd64`, `any`); empty: the package's root is the tree of any platform.
    package let platforms: [String: String]
    /// What it asks for; `hostRuntime` follows from ``runtime``.
    package let permissions: Grant
    /// Whether its result follows from its inputs and the answers it got, and from nothing else.
    package let isDeterministic: Bool
    /// In bytes; `nil` = the engine's own limit.
    package let memoryLimit: UInt64?
    /// Patterns of build files it is made for.
    package let detectFiles: [String]
    /// A JSON Schema of its options, in the package.
    package let optionsSchema: String?

    /// The name of the file in a package.
    package static let fileName = "frontend.toml"
    /// The platform key of what runs anywhere.
    package static let anyPlatform = "any"

    /// Reads a `frontend.toml`.
    ///
    /// - Parameter file: What messages call it.
    /// - Throws: `toml`, `content` or `limit`, with line and column.
    package init(toml bytes: [UInt8], file: String = fileName) throws(ProjectError) {
        try self.init(ConfigReader(toml: bytes, file: file))
    }

    /// Reads the same as JSON, as the config of an OCI artifact holds it.
    package init(json bytes: [UInt8], file: String) throws(ProjectError) {
        try self.init(ConfigReader(json: bytes, file: file, byteLimit: TOMLReader.byteLimit))
    }

    /// The sub-tree for a platform: its own, else the one for any; `nil` when it has none of both.
    package func subtree(for platform: Platform) -> String? {
        if platforms.isEmpty { return "" }
        return platforms[platform.normalized.description] ?? platforms[Self.anyPlatform]
    }
}

extension FrontendManifest {
    fileprivate init(_ document: ConfigReader) throws(ProjectError) {
        var reader = document
        guard let manifestVersion = try reader.integer("manifest") else {
            throw reader.missing("manifest", "write manifest = 1")
        }
        guard manifestVersion == 1 else {
            throw reader.failure("manifest \(manifestVersion) is not known; this version of kiln reads 1", at: 0)
        }
        guard let name = try reader.value("name", FrontendName.init(parsing:)) else {
            throw reader.missing("name", "write name = \"you/frontend\"")
        }
        self.name = name
        guard let version = try reader.value("version", SemanticVersion.init(parsing:)) else {
            throw reader.missing("version", "write version = \"0.1.0\"")
        }
        self.version = version
        license = try reader.string("license")
        homepage = try reader.string("homepage")
        description = try reader.string("description")

        guard var protocolReader = try reader.table("protocol") else {
            throw reader.missing("protocol", "write [protocol] versions = [\"1.0\"]")
        }
        kind = try protocolReader.value("kind", Self.kind) ?? .native
        let versions = try protocolReader.array("versions", countLimit: 16) ?? []
        requires = try protocolReader.strings("requires") ?? []
        optional = try protocolReader.strings("optional") ?? []
        try protocolReader.finish()
        var texts: [String] = []
        for node in versions {
            texts.append(try protocolReader.value(node, what: "a protocol version", Self.protocolVersion))
        }
        guard !texts.isEmpty || kind == .buildkitGateway else {
            throw protocolReader.missing("versions", "write versions = [\"1.0\"]")
        }
        protocolVersions = texts

        guard var entry = try reader.table("entry") else {
            throw reader.missing("entry", "write [entry] argv = [\"bin/frontend\"]")
        }
        let argv = try entry.strings("argv", countLimit: 64) ?? []
        runtime = try entry.value("runtime", Self.runtime) ?? .package
        try entry.finish()
        guard let program = argv.first, !program.isEmpty else {
            throw entry.missing("argv", "write argv = [\"bin/frontend\"]")
        }
        guard runtime != .package || !program.hasPrefix("/") else {
            throw entry.failure(
                "argv begins with the absolute path \"\(shown(program))\"; without a runtime it is relative to the package",
                at: entry.offset
            )
        }
        self.argv = argv
        platforms = try Self.platforms(&reader)

        var permissions = Grant.nothing
        if var asked = try reader.table("permissions") {
            permissions = try asked.grant()
            try asked.finish()
        }
        permissions.hostRuntime = runtime == .host
        self.permissions = permissions

        var cache = try reader.table("cache")
        isDeterministic = try cache?.boolean("deterministic") ?? false
        try cache?.finish()
        if isDeterministic, runtime == .host {
            throw reader.failure(
                """
                deterministic = true contradicts runtime = "host": such a frontend depends on the machine's interpreter; \
                leave one of them out
                """,
                at: cache?.table.member("deterministic")?.keyOffset ?? 0
            )
        }
        var limits = try reader.table("limits")
        memoryLimit = try limits?.value("memory", Self.byteCount)
        try limits?.finish()
        var detect = try reader.table("detect")
        detectFiles = try detect?.strings("files") ?? []
        try detect?.finish()
        var options = try reader.table("options")
        optionsSchema = try options?.value("schema", Self.relativePath)
        try options?.finish()
        try reader.finish()
    }

    private static func platforms(_ reader: inout ConfigReader) throws(ProjectError) -> [String: String] {
        var result: [String: String] = [:]
        for member in try reader.members("platforms", countLimit: 64) {
            let path = try reader.value(member.node, what: "\"\(shown(member.key))\"", relativePath)
            let key: String
            if member.key == anyPlatform {
                key = anyPlatform
            } else {
                do {
                    key = try Platform(parsing: member.key).normalized.description
                } catch {
                    throw reader.failure(error.message, at: member.keyOffset)
                }
            }
            guard result.updateValue(path, forKey: key) == nil else {
                throw reader.failure("platform \(key) stands twice", at: member.keyOffset)
            }
        }
        return result
    }

    private static func kind(_ text: String) throws(ProjectError) -> Kind {
        guard let kind = Kind(rawValue: text) else {
            throw ProjectError(.value, "kind \"\(shown(text))\" is not known; allowed are native and buildkit-gateway")
        }
        return kind
    }

    private static func protocolVersion(_ text: String) throws(ProjectError) -> String {
        guard ProtocolVersion(text) != nil else {
            throw ProjectError(.value, "\"\(shown(text))\" is no version of the protocol; expected a form such as 1.0")
        }
        return text
    }

    private static func runtime(_ text: String) throws(ProjectError) -> Runtime {
        if text == "host" { return .host }
        let reference: Reference
        do {
            reference = try Reference(parsing: text)
        } catch {
            throw ProjectError(.value, error.message)
        }
        guard reference.digest != nil else {
            throw ProjectError(
                .value,
                "runtime \"\(shown(text))\" has no digest; write REF@sha256:…, so that it always is the same"
            )
        }
        return .image(reference)
    }

    /// A path inside the package.
    private static func relativePath(_ text: String) throws(ProjectError) -> String {
        let segments = text.split(separator: "/", omittingEmptySubsequences: false)
        guard !segments.isEmpty, segments.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else {
            throw ProjectError(.value, "\"\(shown(text))\" is no path inside the package")
        }
        return text
    }

    /// Reads `256MiB`, `1GiB` or a number of bytes.
    private static func byteCount(_ text: String) throws(ProjectError) -> UInt64 {
        let units: [String: UInt64] = ["": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30]
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = UInt64(digits), let unit = units[String(text.dropFirst(digits.count))] else {
            throw ProjectError(.value, "\"\(shown(text))\" is no size; expected a form such as 256MiB")
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit)
        guard !overflow, bytes > 0, bytes <= 1 << 40 else {
            throw ProjectError(.value, "\"\(shown(text))\" is out of range; allowed are 1 byte to 1024 GiB")
        }
        return bytes
    }
}
