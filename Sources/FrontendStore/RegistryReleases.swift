// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import Registry
internal import SystemPackage

/// Releases in a repository of a registry.
struct RegistryReleases: ReleaseSource {
    let repository: Repository
    let client: RegistryClient
    let content: ContentStore

    var place: String { repository.description }

    func tags() async throws -> [String] {
        try await client.tags(of: repository, countLimit: FrontendLimit.tagCount)
    }

    func document(tagged tag: String) async throws -> [UInt8]? {
        // Written out, it cannot be mistaken for anything else than a tag.
        guard let reference = try? Reference(parsing: "\(repository):\(tag)") else { return nil }
        return try await optional { try await client.resolve(reference).bytes }
    }

    func document(_ digest: Digest) async throws -> [UInt8]? {
        try await optional { try await client.manifest(digest, in: repository).bytes }
    }

    func blob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor? {
        guard try await optional({ try await client.fetch(blob, from: repository) }) != nil else { return nil }
        return try await blocking { [content] in try content.open(blob.digest) }
    }

    private func optional<Value>(_ body: () async throws -> Value) async throws -> Value? {
        do {
            return try await body()
        } catch let error as RegistryError {
            if error.code == .notFound { return nil }
            throw error
        }
    }
}

/// Releases in the files of an OCI layout on a web server.
struct WebReleases: ReleaseSource {
    /// Without a slash at its end.
    let address: String
    let client: RegistryClient
    let content: ContentStore
    let listing: LayoutListing

    init(address: String, package: FrontendNameFilter, client: RegistryClient, content: ContentStore) async throws {
        self.address = address
        self.client = client
        self.content = content
        guard
            let bytes = try await client.webFile(
                address + "/index.json",
                byteLimit: FrontendLimit.documentByteCount
            )
        else { throw FrontendStoreError(.notFound, "cannot use \(address): it has no index.json") }
        listing = try LayoutListing(parsing: bytes, package: package, from: address)
    }

    var place: String { address }

    func tags() -> [String] { listing.tags }

    func document(tagged tag: String) async throws -> [UInt8]? {
        guard let digest = listing.digest(tagged: tag) else { return nil }
        return try await checkedDocument(digest)
    }

    func document(_ digest: Digest) async throws -> [UInt8]? {
        try await client.webFile(
            address + "/" + LayoutListing.path(of: digest),
            byteLimit: FrontendLimit.documentByteCount
        )
    }

    func blob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor? {
        do {
            try await client.webBlob(blob, at: address + "/" + LayoutListing.path(of: blob.digest))
        } catch let error as RegistryError {
            if error.code == .notFound { return nil }
            throw error
        }
        return try await blocking { [content] in try content.open(blob.digest) }
    }
}
