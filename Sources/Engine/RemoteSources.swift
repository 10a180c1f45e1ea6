// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import OCI
internal import ProjectFiles
internal import Sources

/// Files of the web and repositories of one build: what an address or a branch was found to mean stays the same for the
/// whole build.
struct RemoteSources: Sendable {
    let http: HTTPSource
    let git: GitSource
    private let pins: SourcePins

    /// - Parameter pins: What addresses and references mean in the build's project.
    init(services: EngineServices, pins: SourcePins) {
        self.pins = pins
        http = HTTPSource(
            client: services.registry,
            content: services.content,
            snapshots: services.snapshots,
            metadata: RememberedFacts(cache: services.cache),
            isOffline: pins.isOffline
        )
        git = GitSource(
            launcher: services.launcher,
            snapshots: services.snapshots,
            state: services.state,
            isOffline: pins.isOffline
        )
    }

    /// The file that a source operation or a frontend's question names.
    func file(_ identifier: String, _ attributes: [String: String]) throws -> HTTPFileRequest {
        var request = try HTTPFileRequest(identifier: identifier, attributes: attributes)
        try pins.apply(to: &request)
        return request
    }

    /// The checkout that a source operation or a frontend's question names.
    func checkout(_ identifier: String, _ attributes: [String: String]) throws -> GitRequest {
        var request = try GitRequest(identifier: identifier, attributes: attributes)
        try pins.apply(to: &request, identifier: identifier)
        return request
    }

    /// The secrets that fetching a source may use; none for sources of other kinds.
    ///
    /// - Throws: What ``file(_:_:)`` and ``checkout(_:_:)`` throw for an identifier or attributes they cannot read.
    static func login(_ identifier: String, _ attributes: [String: String]) throws -> [LoginSecret] {
        switch identifier.firstRange(of: "://").map({ identifier[..<$0.lowerBound] }) {
        case "http", "https": try HTTPFileRequest(identifier: identifier, attributes: attributes).login
        case "git": try GitRequest(identifier: identifier, attributes: attributes).login
        default: []
        }
    }

    /// Takes down what an address was found to mean, unless the build file itself says what it must be.
    func note(_ file: HTTPFile, _ identifier: String, _ attributes: [String: String]) {
        guard attributes[SourceAttribute.httpChecksum, default: ""].isEmpty, let key = SourceKey(identifier: identifier)
        else { return }
        pins.record?.add(.http(file.digest), as: key)
    }

    /// Takes down the commit that a reference was found to mean, unless the build file itself names one.
    func note(_ commit: GitCommit, _ identifier: String, _ attributes: [String: String]) {
        guard !GitRequest.isCommit(attributes[SourceAttribute.gitChecksum, default: ""]),
            let key = SourceKey(identifier: identifier)
        else { return }
        let remote = try? GitRequest(identifier: identifier, attributes: attributes).remote
        let usual = try? GitRequest(identifier: identifier, attributes: [:]).remote
        let isSafe = remote.map { !$0.hasPrefix("http") || !$0.contains("@") } ?? false
        // What may hold a login is not for a file that everybody reads.
        let noted = isSafe && remote != usual ? remote : nil
        pins.record?.add(.git(commit: commit.commit ?? commit.checksum, remote: noted), as: key)
    }

    /// Finds a file as ``HTTPSource/resolve(_:secrets:progress:)`` does.
    ///
    /// - Throws: `F218` besides, for a body that is not the one of the project's lock.
    func resolve(
        _ request: HTTPFileRequest,
        secrets: HTTPSource.Secrets,
        progress: (@Sendable (Int64) -> Void)? = nil
    ) async throws -> HTTPFile {
        do {
            return try await http.resolve(request, secrets: secrets, progress: progress)
        } catch let error as SourcesError {
            guard request.isPinned, let other = error.cause as? OtherBody, let key = SourceKey(identifier: request.url)
            else { throw error }
            throw ProjectError.sourceChanged(key, found: other.found, locked: other.expected)
        }
    }
}

extension GitRequest {
    /// Reads the identifier and attributes of a source operation.
    ///
    /// - Throws: `invalidDefinition` for an identifier that names no repository, `unsupported` for what this engine does
    ///   not do with one.
    init(identifier: String, attributes: [String: String]) throws {
        let rest = String(identifier.dropFirst("git://".count))
        guard let location = try? GitLocation(scheme: "https", schemeless: rest) else {
            throw EngineError(
                .invalidDefinition,
                "cannot read the source \"\(identifier.prefix(200))\": it names no repository"
            )
        }
        var remote = location.remote
        if let url = attributes[SourceAttribute.gitFullURL], !url.isEmpty {
            guard
                let full = try? GitLocation(
                    parsing: GitLocation.hasScheme(url) || url.contains("@") ? url : "https://\(url)"
                )
            else {
                throw EngineError(
                    .invalidDefinition,
                    "cannot read \"\(url.prefix(200))\": it is no address of a repository"
                )
            }
            remote = full.remote
        }
        self.init(remote: remote)
        reference = location.reference
        subdirectory = location.subdirectory
        for (name, value) in attributes where !value.isEmpty { try take(name, value) }
        if GitRequest.isCommit(reference), checksum.isEmpty { checksum = reference }
    }

    private mutating func take(_ name: String, _ value: String) throws {
        switch name {
        case SourceAttribute.gitKeepDirectory: keepsGitDirectory = value == "true"
        case SourceAttribute.gitSkipSubmodules: skipsSubmodules = value == "true"
        case SourceAttribute.gitFetchByCommit: fetchesByCommit = value == "true"
        case SourceAttribute.gitChecksum: checksum = value
        case SourceAttribute.gitAuthTokenSecret: authTokenSecret = value
        case SourceAttribute.gitAuthHeaderSecret: authHeaderSecret = value
        case SourceAttribute.gitMountSSHSocket: agent = value
        case SourceAttribute.gitKnownSSHHosts: knownHosts = value
        case SourceAttribute.gitModificationTime:
            guard ["checkout", "commit"].contains(value) else {
                throw EngineError(
                    .invalidDefinition,
                    "cannot use the attribute \(name)=\"\(value.prefix(40))\": expected checkout or commit"
                )
            }
            usesCommitTime = value == "commit"
        case SourceAttribute.gitBundle, SourceAttribute.gitCheckoutBundle, SourceAttribute.gitSignaturePublicKey,
            SourceAttribute.gitSignatureRejectExpired, SourceAttribute.gitSignatureRequireSignedTag,
            SourceAttribute.gitSignatureIgnoreSignedTag:
            throw EngineError(
                .unsupported,
                "cannot fetch \(shownRemote): this engine does not know the attribute \(name) yet"
            )
        default: return
        }
    }
}
