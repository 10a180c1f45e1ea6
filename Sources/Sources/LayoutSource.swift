// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import Glibc
package import LinuxSystem
package import OCI
internal import Registry
package import Snapshots

/// An image in an OCI layout, a directory of the client, read in place.
///
/// Everything is opened beneath the directory without following symlinks, must be a regular file,
/// and is checked against digest and size. Layers are copied into the content store when somebody
/// looks into them.
///
/// Source: OCI image-spec v1.1, image-layout.md.
package final class LayoutSource: Sendable {
    private let directory: Directory
    private let name: String
    private let content: ContentStore
    private let snapshots: SnapshotStore

    /// Reads the layout in a directory.
    ///
    /// In errors it is called `name`: its path, or the name of the build context.
    package init(
        directory: Directory,
        name: String,
        content: ContentStore,
        snapshots: SnapshotStore
    ) {
        self.directory = directory
        self.name = name
        self.content = content
        self.snapshots = snapshots
    }

    /// Finds an image and its config for a platform.
    ///
    /// - Throws: `SourcesError`, `ContentStoreError`.
    package func resolve(_ request: LayoutRequest) async throws -> ResolvedImage {
        let digest = try await rootDigest(request)
        let documents = LayoutDocuments(layout: self)
        let root = try await documents.document(digest, mediaType: nil)
        let selection = ImageSelection(
            name: "\(name)@\(digest)",
            platform: request.platform,
            layerLimit: request.layerLimit,
            documents: documents
        )
        return try await selection.image(below: root)
    }

    /// The file tree of an image; its layers are copied and unpacked when somebody looks into them.
    package func tree(of image: ResolvedImage) -> FileTree {
        image.tree(in: snapshots) { [self] in try await fetch($0) }
    }

    /// Copies a blob into the content store, unless it is there.
    ///
    /// - Throws: `SourcesError`: `notFound`, or `digestMismatch` when the file is not the blob its
    ///   name says.
    package func fetch(_ blob: OCI.Descriptor) async throws {
        try await blocking { [self] in
            if content.contains(blob.digest) { return }
            let (file, size) = try openFile(blob)
            guard size == blob.size else {
                throw SourcesError(
                    .digestMismatch,
                    "cannot use blob \(blob.digest) of \(name): it has \(size) bytes, its descriptor names \(blob.size)"
                )
            }
            do {
                try copy(file, blob)
            } catch let error as ContentStoreError where error.fault == .input {
                throw SourcesError(
                    .digestMismatch,
                    "cannot use \(name): \(error.message)",
                    cause: error
                )
            }
        }
    }

    private func copy(_ file: LinuxSystem.Descriptor, _ blob: OCI.Descriptor) throws {
        let writer = try content.ingest(expected: blob.digest, expectedSize: blob.size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while true {
            let count = unsafe try file.read(into: buffer)
            if count == 0 { break }
            unsafe try writer.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
        try writer.commit()
    }

    // MARK: Reading in place

    /// Opens a blob.
    ///
    /// Blocks.
    private func openFile(
        _ blob: OCI.Descriptor
    ) throws -> (file: LinuxSystem.Descriptor, size: Int64) {
        try openFile("blobs/sha256/\(blob.digest.hex)", as: "blob \(blob.digest)")
    }

    private func openFile(
        _ path: String,
        as object: String
    ) throws -> (file: LinuxSystem.Descriptor, size: Int64) {
        do {
            let file = try directory.open(path, flags: O_RDONLY | O_NONBLOCK, scope: .noSymlinks)
            let status = try file.status()
            guard status.isRegular else {
                throw SourcesError(
                    .invalid,
                    "cannot use \(object) of \(name): \(path) is no regular file"
                )
            }
            return (file, Int64(clamping: status.size))
        } catch let error as SystemCallError {
            throw SourcesError(error, verb: "read", object: "\(object) of \(name)")
        }
    }

    /// A whole file that must be small.
    ///
    /// Blocks.
    fileprivate func read(_ path: String, as object: String, byteLimit: Int) throws -> [UInt8] {
        let (file, size) = try openFile(path, as: object)
        guard size <= Int64(byteLimit) else {
            throw SourcesError(
                .invalid,
                "cannot use \(object) of \(name): it has \(size) bytes, at most \(byteLimit) are allowed"
            )
        }
        do {
            return try file.readToEnd(byteLimit: byteLimit)
        } catch {
            throw SourcesError(error, verb: "read", object: "\(object) of \(name)")
        }
    }

    /// A whole small blob, from the layout, checked.
    ///
    /// Blocks.
    fileprivate func read(_ digest: Digest, byteLimit: Int) throws -> [UInt8] {
        let bytes = try read(
            "blobs/sha256/\(digest.hex)",
            as: "blob \(digest)",
            byteLimit: byteLimit
        )
        let found = Digest.of(bytes)
        guard found == digest else {
            throw SourcesError(
                .digestMismatch,
                "cannot use blob \(digest) of \(name): its bytes hash to \(found)"
            )
        }
        return bytes
    }

    // MARK: The index

    private static let tagAnnotations = [
        "org.opencontainers.image.ref.name", "io.containerd.image.name",
    ]
    private static let layoutFileByteLimit = 4 << 10

    /// What tags there are, for who named another one; only those of letters that can be shown.
    private static func tags(of entries: [OCI.Descriptor]) -> String {
        let tags = Set(
            entries.flatMap { entry in tagAnnotations.compactMap { entry.annotations?[$0] }.prefix(1) }
                .filter { $0.utf8.count <= 256 && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } }
        )
        guard !tags.isEmpty else { return "no entry of its index.json has a tag; name a digest" }
        let shown = tags.sorted().prefix(tagCountMax).joined(separator: ", ")
        return "its index.json has the tags \(shown)\(tags.count > tagCountMax ? " and more" : "")"
    }

    /// How many tags a message names.
    private static let tagCountMax = 10

    private func rootDigest(_ request: LayoutRequest) async throws -> Digest {
        if let digest = request.digest { return digest }
        let entries = try await blocking { [self] in try indexEntries() }
        guard let tag = request.tag else {
            if entries.count == 1, let only = entries.first { return only.digest }
            throw SourcesError(
                .invalid,
                "cannot choose an image of \(name): it has \(entries.count); name a tag or a digest"
            )
        }
        let found = entries.filter { entry in
            Self.tagAnnotations.contains { annotation in
                guard let value = entry.annotations?[annotation] else { return false }
                return value == tag || value.hasSuffix(":\(tag)")
            }
        }
        guard let first = found.first else {
            throw SourcesError(
                .notFound,
                "cannot find image \"\(tag)\" in \(name): \(Self.tags(of: entries))"
            )
        }
        guard found.allSatisfy({ $0.digest == first.digest }) else {
            throw SourcesError(
                .invalid,
                "cannot choose image \"\(tag)\" of \(name): several entries have that tag"
            )
        }
        return first.digest
    }

    /// The entries of index.json.
    ///
    /// Blocks.
    private func indexEntries() throws -> [OCI.Descriptor] {
        let marker = try read(
            "oci-layout",
            as: "the layout file",
            byteLimit: Self.layoutFileByteLimit
        )
        let version = (try? JSONValue(parsing: marker))?["imageLayoutVersion"]?.text
        guard version == "1.0.0" else {
            throw SourcesError(
                .unsupported,
                "cannot read OCI layout \(name): its version is \(version.map { "\"\($0.prefix(40))\"" } ?? "not told"), "
                    + "expected \"1.0.0\""
            )
        }
        let bytes = try read(
            "index.json",
            as: "index.json",
            byteLimit: RegistryLimit.manifestByteCount
        )
        do {
            let document = try ManifestDocument(parsing: bytes, mediaType: MediaType.index)
            guard case .index(let index) = document.content else { return [] }
            return index.manifests
        } catch {
            throw SourcesError(
                .invalid,
                "cannot read index.json of \(name): \(error.message)",
                cause: error
            )
        }
    }

    /// Stores a document that was read here, so that exporters find it.
    fileprivate func keep(_ bytes: [UInt8]) throws { try content.put(bytes) }
    fileprivate var label: String { name }
}

private struct LayoutDocuments: ImageDocuments {
    let layout: LayoutSource

    func document(_ descriptor: OCI.Descriptor) async throws -> ManifestDocument {
        try await document(descriptor.digest, mediaType: descriptor.mediaType)
    }

    func document(_ digest: Digest, mediaType: String?) async throws -> ManifestDocument {
        let bytes = try await blocking {
            let bytes = try layout.read(digest, byteLimit: RegistryLimit.manifestByteCount)
            try layout.keep(bytes)
            return bytes
        }
        do {
            return try ManifestDocument(parsing: bytes, mediaType: mediaType)
        } catch {
            throw SourcesError(
                .invalid,
                "cannot use blob \(digest) of \(layout.label): \(error.message)",
                cause: error
            )
        }
    }

    func config(_ descriptor: OCI.Descriptor) async throws -> [UInt8] {
        try await blocking {
            let bytes = try layout.read(descriptor.digest, byteLimit: RegistryLimit.configByteCount)
            guard Int64(bytes.count) == descriptor.size else {
                throw SourcesError(
                    .digestMismatch,
                    "cannot use blob \(descriptor.digest) of \(layout.label): it has \(bytes.count) "
                        + "bytes, its descriptor names \(descriptor.size)"
                )
            }
            try layout.keep(bytes)
            return bytes
        }
    }
}
