// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import FrontendProtocol
internal import LLB
internal import LLBMessages
package import OCI
package import ProjectFiles
internal import Sources
package import SystemPackage

/// Finding out what sources are now, so that they can be pinned.
extension Engine {
    /// Finds out what a build reads from outside, and what that is now; nothing is built that its frontend need not read.
    ///
    /// What `lock` pins stays as it is there, and is found for the platforms that it lacks.
    ///
    /// - Parameters:
    ///   - platforms: Each image is also found for these, where it has them: what one machine does not need, another may.
    /// - Returns: The sources of this build, and no others.
    package func sources(
        of request: BuildRequest,
        lock: LockFile,
        platforms: [Platform],
        onEvent: @escaping @Sendable (BuildEvent) -> Void = { _ in }
    ) async throws -> [SourceKey: LockedSource] {
        var request = request
        // A frontend's remembered answers would hide its questions.
        request.reusesFrontendResults = false
        let record = SourceRecord()
        let pins = SourcePins(lock: lock, isOffline: request.isOffline, record: record)
        try await Build(services: services, request: request, pins: pins, onEvent: onEvent).resolveSources()
        let images = BuildImages(services: services, layouts: [:], progress: nil, pins: pins)
        for key in record.sources.keys.sorted() { try await find(key, for: platforms, in: images) }
        return record.sources
    }

    /// Compares a lock with what a build needs, as ``sources(of:lock:platforms:onEvent:)`` finds it out, for the platforms of the request.
    ///
    /// What is missing is looked for all the same, so that the frontend goes on and everything is found at once.
    ///
    /// - Throws: Nothing but `CancellationError`: other errors are a part of what is returned.
    package func check(
        _ lock: LockFile,
        against request: BuildRequest
    ) async throws -> SourceCheck {
        var request = request
        request.isLocked = true
        // A frontend's remembered answers would hide its questions.
        request.reusesFrontendResults = false
        let (record, audit) = (SourceRecord(), SourceAudit())
        let pins = SourcePins(lock: lock, isLocked: true, isOffline: request.isOffline, record: record, audit: audit)
        var failure: (any Error)?
        do {
            try await Build(services: services, request: request, pins: pins, onEvent: { _ in }).resolveSources()
        } catch {
            try Task.checkCancellation()
            failure = error
        }
        return SourceCheck(problems: audit.problems, sources: Set(record.sources.keys), failure: failure)
    }

    /// Asks what pinned sources are now.
    ///
    /// - Parameters:
    ///   - platforms: For which each is found, where it has them, besides those it is pinned for.
    ///   - secrets: Of which those with the usual names log in to servers.
    ///   - agents: SSH agents for repositories, by name.
    package func newestSources(
        _ pinned: [SourceKey: LockedSource],
        platforms: [Platform],
        secrets: [String: Secret] = [:],
        agents: [String: FilePath] = [:]
    ) async throws -> [SourceKey: LockedSource] {
        let session = BuildSession(
            directories: [:],
            layouts: [:],
            secrets: secrets,
            entitlements: [],
            agents: agents
        )
        let record = SourceRecord()
        let pins = SourcePins(record: record)
        let images = BuildImages(services: services, layouts: [:], progress: nil, pins: pins)
        let remotes = RemoteSources(services: services, pins: pins)
        for (key, source) in pinned.sorted(by: { $0.key < $1.key }) {
            guard case .image(_, let known) = source else {
                try await find(key, source, in: remotes, session)
                continue
            }
            var wanted = platforms
            for platform in try known.keys.sorted().map({ try Platform(parsing: $0).normalized })
            where !wanted.contains(platform) { wanted.append(platform) }
            try await find(key, for: wanted, in: images)
            guard record.sources[key] != nil else {
                throw EngineError(
                    .invalidRequest,
                    "cannot update \(key.familiar): it is there for none of the platforms \(wanted)"
                )
            }
        }
        return record.sources
    }

    /// Asks for the commit of a reference or the body of an address.
    private func find(
        _ key: SourceKey,
        _ pinned: LockedSource,
        in remotes: RemoteSources,
        _ session: BuildSession
    ) async throws {
        if case .git(_, let remote) = pinned {
            var attributes = remote.map { [SourceAttribute.gitFullURL: $0] } ?? [:]
            if let remote, GitRequest(remote: remote).isSSH {
                attributes[SourceAttribute.gitMountSSHSocket] = "default"
            }
            let commit = try await remotes.git.resolve(
                try remotes.checkout(key.text, attributes),
                secrets: { try await session.secret($0) },
                agents: { session.agents[$0] }
            )
            remotes.note(commit, key.text, attributes)
        } else {
            let request = try remotes.file(key.text, [:])
            let file = try await remotes.http.resolve(request, secrets: { try await session.secret($0) })
            remotes.note(file, key.text, [:])
        }
    }

    /// Finds an image for all platforms that it has; the record notes them.
    private func find(_ key: SourceKey, for platforms: [Platform], in images: BuildImages) async throws {
        guard key.kind == .image else { return }
        for platform in platforms {
            do {
                _ = try await images.find(key.text, attributes: [:], platform: platform, mode: .pull)
            } catch let error as SourcesError {
                // Not every image is there for every platform of a project.
                guard error.code == .notFound else { throw error }
            }
        }
    }
}

extension Build {
    /// Lets the frontend ask what it asks, and finds every source that its graphs name.
    func resolveSources() async throws {
        try await withBridge { inputs, bridge in
            for platform in try await result(inputs, bridge).platforms {
                guard let definition = platform.ref?.definition else { continue }
                let graph = try definition.graph()
                inputs.pins.audit?.notePlaces(of: graph, definition)
                for vertex in graph.vertices {
                    guard case .source(let source) = vertex.operation.op,
                        SourceKey(identifier: source.identifier) != nil
                    else { continue }
                    _ = try await bridge.resolveSource(
                        Wire.ResolveSource(
                            identifier: source.identifier,
                            attributes: source.attrs,
                            platform: vertex.platform
                        )
                    )
                }
            }
        }
    }
}
