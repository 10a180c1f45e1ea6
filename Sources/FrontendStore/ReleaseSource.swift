// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import ProjectFiles

/// A place that has releases: tags that name documents, and blobs by digest.
///
/// What it gives is checked by whoever asks; see the extension.
protocol ReleaseSource: Sendable {
    /// The place in messages.
    var place: String { get }

    /// All names that documents have here.
    func tags() async throws -> [String]

    /// The document a tag names; `nil` when there is no such tag.
    func document(tagged tag: String) async throws -> [UInt8]?

    /// The document of a digest; `nil` when it is not here.
    func document(_ digest: Digest) async throws -> [UInt8]?

    /// A blob as an open file, at offset 0; `nil` when it is not here.
    func blob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor?
}

extension ReleaseSource {
    /// The document of a digest, checked.
    ///
    /// - Throws: `notFound`; ``WrongBytes``.
    func checkedDocument(_ digest: Digest) async throws -> [UInt8] {
        guard let bytes = try await document(digest) else {
            throw FrontendStoreError(.notFound, "\(place) does not have \(digest)")
        }
        let found = Digest.of(bytes)
        guard found == digest else { throw WrongBytes(place: place, found: found, expected: digest) }
        return bytes
    }

    /// A blob, its bytes hashed before anybody reads them.
    func checkedBlob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor {
        guard let file = try await self.blob(blob) else {
            throw FrontendStoreError(.notFound, "\(place) does not have \(blob.digest)")
        }
        let found = try await blocking { try attempt("read \(blob.digest)") { try hash(file, byteLimit: blob.size) } }
        guard found == blob.digest else { throw WrongBytes(place: place, found: found, expected: blob.digest) }
        return file
    }

    /// The small blob that a descriptor names.
    func bytes(_ blob: OCI.Descriptor, byteLimit: Int) async throws -> [UInt8] {
        guard (0...Int64(byteLimit)).contains(blob.size) else {
            throw FrontendStoreError(
                .tooLarge,
                "cannot use \(blob.digest) of \(place): it has \(blob.size) bytes, at most \(byteLimit) are allowed"
            )
        }
        let file = try await checkedBlob(blob)
        return try await blocking { try attempt("read \(blob.digest)") { try file.readToEnd(byteLimit: byteLimit) } }
    }

    /// The releases of a package, by version; those whose tag is no version are passed over.
    func versions(limit: Int = FrontendLimit.tagCount) async throws -> [(version: SemanticVersion, tag: String)] {
        try await tags().prefix(limit)
            .compactMap { tag in VersionTagName.version(of: tag).map { ($0, tag) } }
            .sorted { $0.version < $1.version }
    }

    /// The release that a tag names.
    ///
    /// - Throws: `notFound`, `badRelease`.
    func release(tagged tag: String) async throws -> FrontendRelease {
        guard let bytes = try await document(tagged: tag) else {
            throw FrontendStoreError(.notFound, "\(place) has no \(tag)")
        }
        return try FrontendRelease(parsing: bytes, from: place)
    }

    /// The release of a digest.
    func release(_ digest: Digest) async throws -> FrontendRelease {
        try FrontendRelease(parsing: await checkedDocument(digest), from: place)
    }
}

/// How versions are written as tags, which have no `+`: `1.4.2+build` is `1.4.2_build`.
enum VersionTagName {
    static func tag(of version: SemanticVersion) -> String {
        String(version.description.map { $0 == "+" ? "_" : $0 })
    }

    static func version(of tag: String) -> SemanticVersion? {
        try? SemanticVersion(parsing: String(tag.map { $0 == "_" ? "+" : $0 }))
    }
}

/// Bytes that do not hash to the digest they were asked by.
struct WrongBytes: Error, CustomStringConvertible {
    let place: String
    let found: Digest
    let expected: Digest

    var description: String { "\(place) has bytes of the digest \(found) under the name of \(expected)" }
}

/// Hashes a file from its beginning, and sets it back there; at most one byte more than `byteLimit`.
private func hash(_ file: LinuxSystem.Descriptor, byteLimit: Int64) throws(SystemCallError) -> Digest {
    var digester = Digester()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    defer { unsafe buffer.deallocate() }
    var offset: Int64 = 0
    while offset <= byteLimit {
        let count = unsafe try file.read(into: buffer, at: offset)
        if count == 0 { break }
        unsafe digester.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        offset += Int64(count)
    }
    try file.seek(to: 0)
    return digester.finish()
}
