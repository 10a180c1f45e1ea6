// SPDX-License-Identifier: Apache-2.0

internal import OCI

extension ProjectFile {
    /// Reads a `kiln.toml`.
    ///
    /// - Parameter file: What messages call it.
    /// - Throws: `toml`, `content` or `limit`, with line and column.
    package init(toml bytes: [UInt8], file: String = fileName) throws(ProjectError) {
        var reader = try ConfigReader(toml: bytes, file: file)
        self.file = file
        try reader.version()
        platforms = try Self.platforms(&reader)
        frontends = try Self.frontends(&reader)
        aliases = try Self.aliases(&reader)
        filePatterns = try Self.filePatterns(&reader)
        grants = try Self.grants(&reader)
        var policy = try reader.table("policy")
        unlistedPolicy = try policy?.value("unlisted", Self.unlistedPolicy)
        try policy?.finish()
        origins = try reader.originRules()
        try reader.finish()
    }

    private static func platforms(_ reader: inout ConfigReader) throws(ProjectError) -> [Platform] {
        var platforms: [Platform] = []
        for node in try reader.array("platforms", countLimit: platformLimit) ?? [] {
            let platform = try reader.value(node, what: "a platform", Self.platform)
            guard !platforms.contains(platform) else {
                throw reader.failure("platform \(platform) stands twice", at: node.offset)
            }
            platforms.append(platform)
        }
        return platforms
    }

    private static func platform(_ text: String) throws(ProjectError) -> Platform {
        do {
            return try Platform(parsing: text).normalized
        } catch {
            throw ProjectError(.value, error.message)
        }
    }

    private static func frontends(_ reader: inout ConfigReader) throws(ProjectError) -> [Requirement] {
        var result: [Requirement] = []
        for member in try reader.members("frontends", countLimit: entryLimit) {
            let name = try reader.frontendName(key: member)
            result.append(try requirement(name, member, reader))
        }
        return result
    }

    private static func requirement(
        _ name: FrontendName,
        _ member: ConfigTable.Member,
        _ reader: ConfigReader
    ) throws(ProjectError) -> Requirement {
        let line = reader.line(of: member.keyOffset)
        if case .string = member.node.value {
            let version = try reader.value(member.node, what: "a constraint", VersionConstraint.init(parsing:))
            guard name.isReserved else {
                throw reader.failure(
                    """
                    frontend "\(name)" has no source; write "\(name)" = { version = "\(version)", source = "oci://…" } or \
                    { path = "…" }
                    """,
                    at: member.keyOffset
                )
            }
            return Requirement(name: name, version: version, origin: .bundled, line: line)
        }
        var entry = try reader.reader(member, name: "[frontends.\"\(name)\"]")
        let version = try entry.value("version", VersionConstraint.init(parsing:))
        let package = try entry.value("package", FrontendName.init(parsing:))
        let source = try entry.value("source", nonEmpty)
        let path = try entry.value("path", nonEmpty)
        try entry.finish()
        let origin: Requirement.Origin
        switch (source, path) {
        case (let source?, nil): origin = .source(source)
        case (nil, let path?): origin = .path(path)
        case (nil, nil) where name.isReserved: origin = .bundled
        case (nil, nil): throw entry.missing("source", "write source = \"oci://…\" or path = \"…\"")
        case (_?, _?): throw entry.failure("\(entry.name) has both a source and a path; keep one", at: entry.offset)
        }
        guard let version = version ?? (path == nil ? nil : .any) else {
            throw entry.missing("version", "write version = \"^1\"")
        }
        return Requirement(name: name, package: package, version: version, origin: origin, line: line)
    }

    private static func aliases(_ reader: inout ConfigReader) throws(ProjectError) -> [FrontendName: FrontendName] {
        var result: [FrontendName: FrontendName] = [:]
        for member in try reader.members("alias", countLimit: entryLimit) {
            let name = try reader.frontendName(key: member)
            let what = "\"\(shown(member.key))\""
            result[name] = try reader.value(member.node, what: what, FrontendName.init(parsing:))
        }
        return result
    }

    private static func filePatterns(_ reader: inout ConfigReader) throws(ProjectError) -> [FilePattern] {
        var result: [FilePattern] = []
        for member in try reader.members("files", countLimit: entryLimit) {
            guard (1...256).contains(member.key.utf8.count) else {
                throw reader.failure("a file pattern has 1 to 256 bytes", at: member.keyOffset)
            }
            let what = "\"\(shown(member.key))\""
            let name = try reader.value(member.node, what: what, FrontendName.init(parsing:))
            result.append(FilePattern(pattern: member.key, frontend: name, line: reader.line(of: member.keyOffset)))
        }
        return result
    }

    private static func grants(_ reader: inout ConfigReader) throws(ProjectError) -> [FrontendName: Grant] {
        var result: [FrontendName: Grant] = [:]
        for member in try reader.members("grant", countLimit: entryLimit) {
            let name = try reader.frontendName(key: member)
            var entry = try reader.reader(member, name: "[grant.\"\(name)\"]")
            var grant = try entry.grant()
            grant.hostRuntime = try entry.boolean("host-runtime") ?? false
            try entry.finish()
            result[name] = grant
        }
        return result
    }

    private static func unlistedPolicy(_ text: String) throws(ProjectError) -> UnlistedPolicy {
        guard let policy = UnlistedPolicy(rawValue: text) else {
            let allowed = UnlistedPolicy.allCases.map(\.rawValue).joined(separator: ", ")
            throw ProjectError(.value, "policy \"\(shown(text))\" is not known; allowed are \(allowed)")
        }
        return policy
    }
}

/// A text that is there.
func nonEmpty(_ text: String) throws(ProjectError) -> String {
    guard !text.isEmpty else { throw ProjectError(.value, "the text is empty") }
    return text
}

extension ConfigReader {
    /// Checks `version = 1`.
    mutating func version() throws(ProjectError) {
        guard let member = take("version") else { throw missing("version", "write version = 1") }
        guard case .integer(let number) = member.node.value else {
            throw failure("\"version\" is \(member.node.kindName); expected the integer 1", at: member.node.offset)
        }
        guard number == 1 else {
            throw failure(
                "version \(number) of this file is not known; this version of kiln reads 1",
                at: member.node.offset
            )
        }
    }

    /// Reads `[[mirror]]` and `[trust]`.
    mutating func originRules() throws(ProjectError) -> OriginRules {
        var rules = OriginRules.none
        for node in try array("mirror", countLimit: ProjectFile.entryLimit) ?? [] {
            guard case .table(let table) = node.value else {
                throw failure("\"mirror\" holds \(node.kindName); write [[mirror]]", at: node.offset)
            }
            var entry = ConfigReader(source: source, table: table, name: "[[mirror]]", offset: node.offset)
            let match = try entry.value("match", nonEmpty)
            let target = try entry.value("to", nonEmpty)
            try entry.finish()
            guard let match else { throw entry.missing("match", "write match = \"ghcr.io/acme/*\"") }
            guard let target else { throw entry.missing("to", "write to = \"registry.example/acme/*\"") }
            rules.mirrors.append(OriginRules.Mirror(match: match, target: target))
        }
        for member in try members("trust", countLimit: ProjectFile.entryLimit) {
            var entry = try reader(member, name: "[trust.\"\(shown(member.key))\"]")
            let keys = try entry.strings("keys", countLimit: 64) ?? []
            let isRequired = try entry.boolean("required") ?? false
            try entry.finish()
            guard !keys.isEmpty else { throw entry.missing("keys", "write keys = [\"ed25519:…\"]") }
            rules.trust.append(OriginRules.Trust(match: member.key, keys: keys, isRequired: isRequired))
        }
        return rules
    }
}
