// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import Registry
internal import SystemPackage

/// Which package of a layout is meant: a layout can hold many.
enum FrontendNameFilter: Sendable {
    case any
    case only(FrontendName)

    func accepts(_ name: String?) -> Bool {
        switch self {
        case .any: true
        // A layout that other tools made says no name: then it holds one package.
        case .only(let wanted): name == nil || name == wanted.text
        }
    }
}

/// The `index.json` of a layout: names of documents.
struct LayoutListing: Sendable {
    static let referenceKey = "org.opencontainers.image.ref.name"
    static let indexName = "index.json"

    private let digests: [String: Digest]

    /// - Throws: `badRelease`.
    init(parsing bytes: [UInt8], package: FrontendNameFilter, from place: String) throws(FrontendStoreError) {
        let document = try OCIDocument(parsing: bytes, from: place)
        guard case .index(let index) = document.content else {
            throw FrontendStoreError(.badRelease, "cannot use \(place): its index.json is no index of an OCI layout")
        }
        var digests: [String: Digest] = [:]
        for manifest in index.manifests where package.accepts(manifest.annotations?[FrontendRelease.nameKey]) {
            if let tag = manifest.annotations?[Self.referenceKey] { digests[tag] = manifest.digest }
        }
        self.digests = digests
    }

    var tags: [String] { digests.keys.sorted() }

    func digest(tagged tag: String) -> Digest? { digests[tag] }

    static func path(of digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }
}

/// Releases in the directory of an OCI layout.
struct LayoutReleases: ReleaseSource {
    private let root: Directory
    private let listing: LayoutListing
    let place: String

    /// Opens a layout; blocks on the disk.
    ///
    /// - Throws: `notFound`, `badRelease`.
    init(_ path: FilePath, package: FrontendNameFilter) throws {
        do {
            try self.init(Directory(host: path), package: package, place: path.string)
        } catch let error as SystemCallError {
            throw FrontendStoreError(.notFound, "cannot open the layout \(path): \(error)", cause: error)
        }
    }

    init(_ root: Directory, package: FrontendNameFilter, place: String) throws {
        self.root = root
        self.place = place
        let bytes: [UInt8]
        do {
            bytes = try root.open(LayoutListing.indexName, flags: O_RDONLY | O_NONBLOCK)
                .readToEnd(byteLimit: FrontendLimit.documentByteCount)
        } catch {
            throw FrontendStoreError(
                error.isNotFound ? .notFound : .failed,
                "cannot use \(place): it has no index.json that can be read: \(error)",
                cause: error
            )
        }
        listing = try LayoutListing(parsing: bytes, package: package, from: place)
    }

    func tags() -> [String] { listing.tags }

    func document(tagged tag: String) async throws -> [UInt8]? {
        guard let digest = listing.digest(tagged: tag) else { return nil }
        return try await checkedDocument(digest)
    }

    func document(_ digest: Digest) async throws -> [UInt8]? {
        try await blocking { [root, place] in
            guard let file = try Self.open(digest, in: root, place) else { return nil }
            return try attempt("read \(digest) of \(place)") {
                try file.readToEnd(byteLimit: FrontendLimit.documentByteCount)
            }
        }
    }

    func blob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor? {
        try await blocking { [root, place] in try Self.open(blob.digest, in: root, place) }
    }

    private static func open(_ digest: Digest, in root: Directory, _ place: String) throws -> LinuxSystem.Descriptor? {
        do {
            let file = try root.open(LayoutListing.path(of: digest), flags: O_RDONLY | O_NONBLOCK)
            guard try file.status().isRegular else {
                throw FrontendStoreError(.badRelease, "cannot use \(digest) of \(place): it is no file")
            }
            return file
        } catch let error as SystemCallError {
            if error.isNotFound { return nil }
            throw FrontendStoreError(.failed, "cannot read \(digest) of \(place): \(error)", cause: error)
        }
    }
}
