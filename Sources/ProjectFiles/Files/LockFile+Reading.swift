// SPDX-License-Identifier: Apache-2.0

internal import OCI

extension LockFile {
    /// Reads a `kiln.lock`.
    ///
    /// - Parameter file: What messages call it.
    /// - Throws: `json`, `content` or `limit`, with line and column.
    package init(json bytes: [UInt8], file: String = fileName) throws(ProjectError) {
        var reader = try ConfigReader(json: bytes, file: file, byteLimit: Self.byteLimit)
        guard let version = try reader.integer("lockVersion") else {
            throw reader.missing("lockVersion", "make it anew with kiln lock")
        }
        let minimumReader = try reader.value("minReader", SemanticVersion.init(parsing:))
        guard version == Self.version else {
            let needed = minimumReader.map { "kiln \($0) or newer" } ?? "a newer kiln"
            throw reader.failure(
                "lockVersion \(version) is not known; this version of kiln reads \(Self.version), upgrade to \(needed)",
                at: 0
            )
        }
        var frontends: [FrontendName: Frontend] = [:]
        for member in try reader.members("frontends", countLimit: Self.frontendLimit) {
            let name = try reader.frontendName(key: member)
            frontends[name] = try Self.frontend(member, name, reader)
        }
        var sources: [SourceKey: LockedSource] = [:]
        for member in try reader.members("sources", countLimit: Self.sourceLimit) {
            let key: SourceKey
            do {
                key = try SourceKey(locked: member.key)
            } catch {
                throw reader.failure(error.message, at: member.keyOffset)
            }
            sources[key] = try Self.source(member, key, reader)
        }
        try reader.finish()
        self.init(frontends: frontends, sources: sources)
    }

    private static func frontend(
        _ member: ConfigTable.Member,
        _ name: FrontendName,
        _ reader: ConfigReader
    ) throws(ProjectError) -> Frontend {
        var entry = try reader.reader(member, name: "frontend \"\(name)\"")
        let package = try entry.value("package", FrontendName.init(parsing:))
        let constraint = try entry.value("constraint") { text throws(ProjectError) in
            try VersionConstraint(parsing: text).text
        }
        let version = try entry.value("version", SemanticVersion.init(parsing:))
        let release = try entry.value("release", digest)
        let source = try entry.value("source", nonEmpty)
        let protocolText = try entry.value("protocol", nonEmpty)
        var platforms: [String: TreeDigest] = [:]
        for platform in try entry.members("platforms", countLimit: 256) {
            platforms[platform.key] = try entry.value(
                platform.node,
                what: "\"\(shown(platform.key))\"",
                TreeDigest.init(parsing:)
            )
        }
        var permissions = Grant.nothing
        if var asked = try entry.table("permissions") {
            permissions = try asked.grant()
            permissions.hostRuntime = try asked.boolean("host-runtime") ?? false
            try asked.finish()
        }
        try entry.finish()
        let remedy = "make the entry anew with kiln frontend update \(name)"
        guard let constraint else { throw entry.missing("constraint", remedy) }
        guard let version else { throw entry.missing("version", remedy) }
        guard let release else { throw entry.missing("release", remedy) }
        guard let source else { throw entry.missing("source", remedy) }
        guard let protocolText else { throw entry.missing("protocol", remedy) }
        return Frontend(
            package: package,
            constraint: constraint,
            version: version,
            release: release,
            source: source,
            platforms: platforms,
            permissions: permissions,
            protocolText: protocolText
        )
    }

    private static func source(
        _ member: ConfigTable.Member,
        _ key: SourceKey,
        _ reader: ConfigReader
    ) throws(ProjectError) -> LockedSource {
        var entry = try reader.reader(member, name: "source \"\(shown(key.text))\"")
        let remedy = "make the entry anew with kiln update \(key.familiar)"
        switch key.kind {
        case .image:
            let root = try entry.value("digest", digest)
            var platforms: [String: Digest] = [:]
            for platform in try entry.members("platforms", countLimit: 256) {
                let what = "\"\(shown(platform.key))\""
                platforms[platform.key] = try entry.value(platform.node, what: what, digest)
            }
            try entry.finish()
            guard let root else { throw entry.missing("digest", remedy) }
            return .image(root, platforms: platforms)
        case .git:
            let commit = try entry.value("commit") { text throws(ProjectError) in
                guard SourceKey.isCommit(text) else {
                    throw ProjectError(
                        .value,
                        "\"\(shown(text))\" is no commit; expected 40 or 64 lower-case hexadecimal digits"
                    )
                }
                return text
            }
            let remote = try entry.value("remote") { text throws(ProjectError) in
                guard !text.isEmpty, text.utf8.count <= remoteByteLimit,
                    text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
                else { throw ProjectError(.value, "\"\(shown(text))\" is no address of a repository") }
                return text
            }
            try entry.finish()
            guard let commit else { throw entry.missing("commit", remedy) }
            return .git(commit: commit, remote: remote)
        case .http:
            let body = try entry.value("digest", digest)
            try entry.finish()
            guard let body else { throw entry.missing("digest", remedy) }
            return .http(body)
        }
    }

    private static let remoteByteLimit = 4096

    private static func digest(_ text: String) throws(ProjectError) -> Digest {
        guard let digest = Digest(text) else {
            throw ProjectError(
                .value,
                "\"\(shown(text, limit: 80))\" is no digest; expected sha256: and 64 lower-case hexadecimal digits"
            )
        }
        return digest
    }
}
