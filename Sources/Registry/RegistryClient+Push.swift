// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import NIOHTTP1
package import OCI

/// An image, or an index of images, on its way to a registry.
package struct PushRequest: Sendable {
    /// The manifest or index; it and all manifests below must be in the content store.
    package var root: ManifestDocument
    package var repository: Repository
    /// Tags that will point at the root; without any it can be had by its digest only.
    package var tags: [String]
    /// Repositories of the same registry that are known to hold a blob, so that it need not be
    /// sent.
    package var mountSources: [Digest: [Repository]] = [:]
    /// Takes any certificate of the registry, or plain HTTP, though it is not listed as insecure.
    package var isInsecure = false
    /// Brings a blob into the content store; called only for what the registry lacks, so a layer
    /// that was never pulled and that the registry has already is not pulled now.
    package var obtain: @Sendable (OCI.Descriptor) async throws -> Void

    package init(
        root: ManifestDocument,
        repository: Repository,
        tags: [String],
        obtain: @escaping @Sendable (OCI.Descriptor) async throws -> Void = { _ in }
    ) {
        self.root = root
        self.repository = repository
        self.tags = tags
        self.obtain = obtain
    }
}

extension RegistryClient {
    /// Sends an image with all it needs.
    ///
    /// Blobs go first and side by side, then manifests from the leaves up, tags last: what can be
    /// seen in the registry is whole at any time.
    ///
    /// - Throws: `RegistryError` as a whole sentence; what `obtain` throws; `ContentStoreError`;
    ///   `CancellationError`.
    package func push(_ request: PushRequest, progress: ProgressHandler? = nil) async throws {
        let names =
            request.tags.isEmpty
            ? ["@\(request.root.descriptor.digest)"] : request.tags.map { ":\($0)" }
        let undertaking = "push \(request.repository)\(names.joined(separator: ","))"
        do {
            let endpoint = configuration.pushEndpoint(
                request.repository,
                isInsecure: request.isInsecure
            )
            let plan = try await plan(request.root)
            try await withThrowingTaskGroup { group in
                for blob in plan.blobs {
                    group.addTask { [self] in
                        try await send(blob, of: request, to: endpoint, progress)
                    }
                }
                try await group.waitForAll()
            }
            for document in plan.manifests {
                try await put(
                    document,
                    as: document.descriptor.digest.description,
                    of: request,
                    to: endpoint
                )
                progress?(document.descriptor.progress(.done, document.descriptor.size))
            }
            for tag in request.tags {
                try await put(request.root, as: tag, of: request, to: endpoint)
            }
        } catch let error as RegistryError {
            throw error.failing(undertaking)
        }
    }

    // MARK: Planning

    private struct Plan {
        /// Each blob once.
        var blobs: [OCI.Descriptor] = []
        /// Children before their parents; the root is last.
        var manifests: [ManifestDocument] = []
    }

    private func plan(_ root: ManifestDocument) async throws -> Plan {
        var plan = Plan()
        var seen: Set<Digest> = []
        try await add(root, to: &plan, &seen, depth: 0)
        return plan
    }

    private func add(
        _ document: ManifestDocument,
        to plan: inout Plan,
        _ seen: inout Set<Digest>,
        depth: Int
    ) async throws {
        guard seen.insert(document.descriptor.digest).inserted else { return }
        switch document.content {
        case .image(let manifest):
            for blob in [manifest.config] + manifest.layers where seen.insert(blob.digest).inserted {
                if !Self.staysElsewhere(blob) { plan.blobs.append(blob) }
            }
        case .index(let index):
            guard depth < RegistryLimit.indexDepth,
                index.manifests.count <= RegistryLimit.indexManifestCount
            else {
                throw RegistryError(
                    .tooLarge,
                    "index \(document.descriptor.digest) has more than \(RegistryLimit.indexManifestCount) manifests or \(RegistryLimit.indexDepth) levels"
                )
            }
            for child in index.manifests {
                guard
                    let stored = try await storedManifest(child.digest, mediaType: child.mediaType)
                else {
                    throw RegistryError(.notFound, "manifest \(child.digest) is not in the store")
                }
                try await add(stored, to: &plan, &seen, depth: depth + 1)
            }
        }
        plan.manifests.append(document)
    }

    /// Whether a layer may not be redistributed and names the place where it is to be had.
    private static func staysElsewhere(_ blob: OCI.Descriptor) -> Bool {
        guard let urls = blob.urls, !urls.isEmpty else { return false }
        return blob.mediaType.contains(".nondistributable.") || blob.mediaType.contains(".foreign.")
    }

    // MARK: Manifests

    private func put(
        _ document: ManifestDocument,
        as name: String,
        of request: PushRequest,
        to endpoint: Endpoint
    ) async throws {
        let answer = try await session.perform(
            RegistryCall(
                method: .PUT,
                target: .path(endpoint.path(request.repository, "manifests/\(name)")),
                scopes: [pushScope(request.repository, endpoint)],
                headers: ["Content-Type": document.descriptor.mediaType],
                body: .bytes(document.bytes),
                accepted: [200, 201, 202]
            ),
            at: endpoint
        )
        if let text = answer.header("Docker-Content-Digest"), let stored = Digest(text),
            stored != document.descriptor.digest
        {
            throw RegistryError(
                .digestMismatch,
                "\(hostText(answer.url)) stored manifest \(document.descriptor.digest) as \(stored)"
            )
        }
    }

    // MARK: Blobs

    private func send(
        _ blob: OCI.Descriptor,
        of request: PushRequest,
        to endpoint: Endpoint,
        _ progress: ProgressHandler?
    ) async throws {
        let start = try await gate.run { try await negotiate(blob, request, endpoint) }
        guard case .needed(let location) = start else {
            progress?(blob.progress(.alreadyThere, blob.size))
            return
        }
        // Outside the gate: obtaining may be a download, which has to pass it too.
        try await request.obtain(blob)
        let file = try await blocking { [content] in try content.open(blob.digest) }
        let upload = BlobUpload(
            blob: blob,
            file: file,
            repository: request.repository,
            endpoint: endpoint,
            scopes: [pushScope(request.repository, endpoint)],
            session: session,
            partByteCount: max(1, configuration.uploadPartByteCount),
            progress: progress
        )
        try await gate.run { try await upload.run(from: location) }
        progress?(blob.progress(.done, blob.size))
    }

    private enum Start {
        /// The repository has the blob.
        case alreadyThere
        /// It must be sent; the registry may have begun an upload at an address.
        case needed(URL?)
    }

    private func negotiate(
        _ blob: OCI.Descriptor,
        _ request: PushRequest,
        _ endpoint: Endpoint
    ) async throws -> Start {
        let repository = request.repository
        if try await has(blob, repository, endpoint) { return .alreadyThere }
        let source = (request.mountSources[blob.digest] ?? []).first { source in
            source.host == repository.host && source != repository
        }
        guard let source else { return .needed(nil) }
        return try await mount(blob, from: source, repository, endpoint)
    }

    private func has(
        _ blob: OCI.Descriptor,
        _ repository: Repository,
        _ endpoint: Endpoint
    ) async throws -> Bool {
        let answer = try await session.perform(
            RegistryCall(
                method: .HEAD,
                target: .path(endpoint.path(repository, "blobs/\(blob.digest)")),
                scopes: [pushScope(repository, endpoint)],
                accepted: [200, 404]
            ),
            at: endpoint
        )
        return answer.status == 200
    }

    /// Asks the registry to take a blob over from another repository; where it will not, the blob
    /// must be sent.
    private func mount(
        _ blob: OCI.Descriptor,
        from source: Repository,
        _ repository: Repository,
        _ endpoint: Endpoint
    ) async throws -> Start {
        let path = endpoint.path(repository, "blobs/uploads/")
        let from = percentEncoded(endpoint.scopeName(source))
        let call = RegistryCall(
            method: .POST,
            target: .path("\(path)?mount=\(percentEncoded(blob.digest.description))&from=\(from)"),
            scopes: [pullScope(source, endpoint), pushScope(repository, endpoint)].sorted(),
            headers: ["Content-Length": "0"],
            accepted: [201, 202]
        )
        do {
            let answer = try await session.perform(call, at: endpoint)
            if answer.status == 201 { return .alreadyThere }
            return .needed(
                answer.header("Location").flatMap { address($0, relativeTo: answer.url) }
            )
        } catch let error as RegistryError where !error.isTransient {
            return .needed(nil)
        }
    }

    private func pushScope(_ repository: Repository, _ endpoint: Endpoint) -> Authorizer.Scope {
        "repository:\(endpoint.scopeName(repository)):pull,push"
    }
}
