// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import ContentStore
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// Releases in a bundle: the tar of an OCI layout, plain or compressed.
///
/// Only files that a layout has are taken from it; its blobs go to a scratch directory of this process.
struct BundleReleases: ReleaseSource {
    private static let blobFolder = "blobs/sha256/"

    private let layout: LayoutReleases

    /// Opens a bundle and unpacks it; blocks on the disk.
    ///
    /// - Throws: `notFound`, `badRelease`, `tooLarge`.
    init(_ path: FilePath, package: FrontendNameFilter, state: StateDirectory) throws {
        let file: LinuxSystem.Descriptor
        do {
            file = try LinuxSystem.Descriptor.open(host: path, flags: O_RDONLY | O_NONBLOCK)
        } catch {
            throw FrontendStoreError(.notFound, "cannot open the bundle \(path): \(error)", cause: error)
        }
        let scratch = try state.scratch("bundle").directory
        do {
            try Self.unpack(ArchiveReader(detecting: file), to: scratch, path)
        } catch let error as ArchiveError {
            throw FrontendStoreError(.badRelease, "cannot use the bundle \(path): \(error)", cause: error)
        }
        layout = try LayoutReleases(scratch, package: package, place: path.string)
    }

    private static func unpack(_ archive: ArchiveReader, to scratch: Directory, _ path: FilePath) throws {
        let blobs = try attempt("unpack \(path)") { try scratch.makeDirectories("blobs/sha256", mode: 0o700) }
        var bytesLeft = FrontendLimit.bundleByteCount
        while let entry = try archive.next() {
            var name = entry.path[...]
            while name.hasPrefix("./") { name = name.dropFirst(2) }
            let place: (directory: Directory, name: String)
            if entry.kind == .regular, name == LayoutListing.indexName {
                place = (scratch, LayoutListing.indexName)
            } else if entry.kind == .regular, name.hasPrefix(blobFolder),
                let digest = Digest(hex: name.dropFirst(blobFolder.utf8.count))
            {
                place = (blobs, digest.hex)
            } else {
                // `oci-layout`, directories, and what other tools add.
                continue
            }
            do {
                let file = try place.directory.createFile(place.name, mode: 0o600)
                bytesLeft -= Int64(clamping: try archive.extract(to: file, byteLimit: bytesLeft))
            } catch let error as SystemCallError {
                throw FrontendStoreError(
                    error.errno == .fileExists ? .badRelease : .failed,
                    "cannot use the bundle \(path): \(shown(place.name)): \(error)",
                    cause: error
                )
            }
        }
    }

    var place: String { layout.place }
    func tags() -> [String] { layout.tags() }
    func document(tagged tag: String) async throws -> [UInt8]? { try await layout.document(tagged: tag) }
    func document(_ digest: Digest) async throws -> [UInt8]? { try await layout.document(digest) }
    func blob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor? { try await layout.blob(blob) }
}
