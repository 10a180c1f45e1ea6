// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import LinuxSystem
internal import NIOHTTP1
package import OCI

extension RegistryClient {
    /// The types that are asked for; a registry converts or refuses when it has none of them.
    private static let acceptedTypes = [
        MediaType.index, MediaType.manifest, MediaType.dockerManifestList, MediaType.dockerManifest,
    ]

    /// Finds the manifest or index that a reference names, and stores it.
    ///
    /// A reference with a digest whose manifest is in the store never dials. A tag always dials, by
    /// a HEAD when `known` says what it meant the last time.
    ///
    /// - Parameters:
    ///   - reference: Without tag and digest it means `latest`.
    ///   - known: The digest this tag had, if that is remembered; saves fetching it again when it
    ///     still does.
    /// - Returns: The document, checked.
    /// - Throws: `RegistryError` as a whole sentence; `ContentStoreError` when the store cannot
    ///   take it.
    package func resolve(
        _ reference: Reference,
        known: Digest? = nil
    ) async throws -> ManifestDocument {
        let reference = reference.withDefaultTag
        let repository = Repository(reference)
        if let digest = reference.digest {
            return try await manifest(digest, in: repository)
        }
        let tag = reference.tag ?? "latest"
        return try await askingEach(of: repository, to: "resolve \(reference)") { endpoint in
            if let known, try await peek(tag, in: repository, at: endpoint) == known,
                let stored = try await storedManifest(known, mediaType: nil)
            {
                return stored
            }
            return try await fetchManifest(tag, expected: nil, in: repository, at: endpoint)
        }
    }

    /// The manifest or index of a digest: from the store, else from the registry, and then into the
    /// store.
    package func manifest(
        _ digest: Digest,
        mediaType: String? = nil,
        in repository: Repository
    ) async throws -> ManifestDocument {
        if let stored = try await storedManifest(digest, mediaType: mediaType) { return stored }
        return try await askingEach(of: repository, to: "pull manifest \(repository)@\(digest)") {
            endpoint in
            try await fetchManifest(
                digest.description,
                expected: digest,
                in: repository,
                at: endpoint
            )
        }
    }

    /// The digest a tag has now, by a HEAD; `nil` when the registry does not tell it that way.
    ///
    /// - Throws: `RegistryError`; a missing tag is `notFound`.
    package func digest(of tag: String, in repository: Repository) async throws -> Digest? {
        try await askingEach(of: repository, to: "resolve \(repository):\(tag)") { endpoint in
            try await peek(tag, in: repository, at: endpoint)
        }
    }

    /// A manifest that is in the store, or `nil` when it is not, or is damaged and was moved away.
    func storedManifest(_ digest: Digest, mediaType: String?) async throws -> ManifestDocument? {
        guard content.contains(digest) else { return nil }
        do {
            let bytes = try await blocking { [content] in
                try content.read(digest, byteLimit: RegistryLimit.manifestByteCount)
            }
            return try ManifestDocument(parsing: bytes, mediaType: mediaType)
        } catch let error as ContentStoreError
            where error.code == .corrupt || error.code == .notFound
        {
            return nil
        } catch let error as OCIError {
            throw RegistryError(
                .badResponse,
                "cannot use manifest \(digest): \(error.message)",
                cause: error
            )
        }
    }

    private func peek(
        _ tag: String,
        in repository: Repository,
        at endpoint: Endpoint
    ) async throws -> Digest? {
        let answer = try await session.perform(
            manifestCall(.HEAD, tag, repository, endpoint),
            at: endpoint
        )
        return answer.header("Docker-Content-Digest").flatMap { Digest($0) }
    }

    private func fetchManifest(
        _ name: String,
        expected: Digest?,
        in repository: Repository,
        at endpoint: Endpoint
    ) async throws -> ManifestDocument {
        let (answer, body) = try await session.document(
            manifestCall(.GET, name, repository, endpoint),
            at: endpoint,
            byteLimit: RegistryLimit.manifestByteCount
        )
        let found = Digest.of(body)
        if let expected, expected != found {
            throw RegistryError(
                .digestMismatch,
                "\(hostText(answer.url)) sent bytes that hash to \(found), expected \(expected)"
            )
        }
        if let announced = answer.header("Docker-Content-Digest"), announced.hasPrefix("sha256:"),
            announced != found.description
        {
            throw RegistryError(
                .digestMismatch,
                "\(hostText(answer.url)) sent bytes that hash to \(found), but announced "
                    + singleLine(announced, characterLimit: 80)
            )
        }
        let type = answer.header("Content-Type").map {
            String($0.prefix { $0 != ";" && $0 != " " })
        }
        let document = try ManifestDocument(parsing: body, mediaType: type)
        _ = try await blocking { [content] in try content.put(body) }
        return document
    }

    private func manifestCall(
        _ method: HTTPMethod,
        _ name: String,
        _ repository: Repository,
        _ endpoint: Endpoint
    ) -> RegistryCall {
        RegistryCall(
            method: method,
            target: .path(endpoint.path(repository, "manifests/\(name)")),
            scopes: [pullScope(repository, endpoint)],
            headers: HTTPHeaders(Self.acceptedTypes.map { ("Accept", $0) })
        )
    }

    func pullScope(_ repository: Repository, _ endpoint: Endpoint) -> Authorizer.Scope {
        "repository:\(endpoint.scopeName(repository)):pull"
    }
}
