// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import Registry
internal import SystemPackage

/// The files of an OCI layout with releases in it, on their way to a directory or a bundle.
struct LayoutContents {
    enum File {
        case bytes([UInt8])
        case file(LinuxSystem.Descriptor, size: Int64)
    }

    private static let marker = Array(#"{"imageLayoutVersion":"1.0.0"}"#.utf8)
    private static let markerName = "oci-layout"

    private var listed: [OCI.Descriptor] = []
    private var files: [Digest: File] = [:]

    /// Adds a release under its version, with its signatures; blobs are added apart.
    mutating func add(_ release: FrontendRelease, signatures: [ReleaseSignature]) {
        var entry = release.descriptor
        entry.annotations = [
            FrontendRelease.nameKey: release.name.text,
            LayoutListing.referenceKey: VersionTagName.tag(of: release.version),
        ]
        listed.append(entry)
        add(release.bytes)
        for signature in signatures {
            let document = signature.document
            var entry = OCI.Descriptor(
                mediaType: MediaType.manifest,
                digest: Digest.of(document.manifest),
                size: Int64(document.manifest.count),
                annotations: [FrontendRelease.nameKey: release.name.text, LayoutListing.referenceKey: signature.tag]
            )
            entry.artifactType = ReleaseSignature.artifactType
            listed.append(entry)
            add(document.manifest)
            add(document.blob)
        }
    }

    mutating func add(_ bytes: [UInt8]) { files[Digest.of(bytes)] = .bytes(bytes) }

    mutating func add(_ blob: OCI.Descriptor, _ file: LinuxSystem.Descriptor) {
        files[blob.digest] = .file(file, size: blob.size)
    }

    /// What the list says, after what was there before: one entry a name and tag, in their order.
    private func index(after old: [OCI.Descriptor]) -> [UInt8] {
        func key(_ descriptor: OCI.Descriptor) -> [String] {
            [
                descriptor.annotations?[FrontendRelease.nameKey] ?? "",
                descriptor.annotations?[LayoutListing.referenceKey] ?? descriptor.digest.hex,
            ]
        }
        var entries: [[String]: OCI.Descriptor] = [:]
        for descriptor in old + listed { entries[key(descriptor)] = descriptor }
        let manifests = entries.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map(\.value)
        return Index(manifests: manifests).encoded
    }

    private var sortedFiles: [(digest: Digest, file: File)] {
        files.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
    }

    // MARK: Directory

    /// Adds to a layout, making it where it is missing; blocks on the disk.
    ///
    /// Readers see the old list or the new one, and never a name without its content. Two writers wait for each other.
    func write(to path: FilePath) throws {
        try attempt("write \(path)") {
            let root = try Directory(host: path, createMode: 0o755)
            let blobs = try root.makeDirectories("blobs/sha256")
            for (digest, file) in sortedFiles {
                if let status = try blobs.statusIfExists(name: digest.hex),
                    Int64(clamping: status.size) == Self.size(file)
                {
                    continue
                }
                try Self.replace(digest.hex, in: blobs) { target in
                    switch file {
                    case .bytes(let bytes): try target.write(bytes)
                    case .file(let source, _): try target.copy(from: source)
                    }
                }
            }
            try blobs.sync()
            try Self.replace(Self.markerName, in: root) { try $0.write(Self.marker) }
            let lock = try root.open(
                "\(LayoutListing.indexName).lock",
                flags: O_RDWR | O_CREAT | O_NOFOLLOW,
                mode: 0o644
            )
            _ = try lock.lock(exclusive: true, wait: true)
            defer { lock.unlock() }
            let index = index(after: try Self.listed(in: root, path))
            try Self.replace(LayoutListing.indexName, in: root) { try $0.write(index) }
            try root.sync()
            try? root.remove(name: "\(LayoutListing.indexName).lock")
        }
    }

    private static func listed(in root: Directory, _ path: FilePath) throws -> [OCI.Descriptor] {
        guard try root.statusIfExists(name: LayoutListing.indexName) != nil else { return [] }
        let bytes = try root.open(LayoutListing.indexName, flags: O_RDONLY | O_NOFOLLOW)
            .readToEnd(byteLimit: FrontendLimit.documentByteCount)
        let document = try OCIDocument(parsing: bytes, from: "\(path)/\(LayoutListing.indexName)")
        guard case .index(let index) = document.content else {
            throw FrontendStoreError(.conflict, "cannot add to \(path): its index.json is not one of an OCI layout")
        }
        return index.manifests
    }

    private static func replace(
        _ name: String,
        in directory: Directory,
        _ body: (LinuxSystem.Descriptor) throws -> Void
    ) throws {
        let temporary = ".\(name).\(randomToken(count: 8))"
        do {
            let file = try directory.createFile(temporary, mode: 0o600)
            try body(file)
            try file.setMode(0o644)
            try file.sync()
            try directory.rename(temporary, to: directory, name, replacing: true)
        } catch {
            try? directory.remove(name: temporary)
            throw error
        }
    }

    private static func size(_ file: File) -> Int64 {
        switch file {
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, let size): size
        }
    }

    // MARK: Bundle

    /// Writes the layout as one tar file, which equal contents make equal; blocks on the disk.
    func write(bundle path: FilePath) throws {
        guard let name = path.lastComponent?.string else {
            throw FrontendStoreError(.failed, "cannot write \(path): it is no file name")
        }
        try attempt("write \(path)") {
            let parent = path.removingLastComponent()
            let directory = try Directory(host: parent.isEmpty ? "." : parent)
            try Self.replace(name, in: directory) { file in
                var archive = unsafe TarWriter { unsafe try file.write(all: $0) }
                for folder in ["blobs", "blobs/sha256"] {
                    try archive.begin(TarEntry(path: folder, kind: .directory, mode: 0o755))
                }
                for (digest, file) in sortedFiles { try Self.write(file, LayoutListing.path(of: digest), to: &archive) }
                try Self.write(.bytes(index(after: [])), LayoutListing.indexName, to: &archive)
                try Self.write(.bytes(Self.marker), Self.markerName, to: &archive)
                try archive.finish()
            }
            try directory.sync()
        }
    }

    private static func write(_ file: File, _ name: String, to archive: inout TarWriter) throws {
        var entry = TarEntry(path: name, kind: .regular, mode: 0o644)
        entry.size = size(file)
        try archive.begin(entry)
        switch file {
        case .bytes(let bytes): try unsafe bytes.withUnsafeBytes { unsafe try archive.write($0) }
        case .file(let source, _):
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
            defer { unsafe buffer.deallocate() }
            var offset: Int64 = 0
            while true {
                let count = try unsafe source.read(into: buffer, at: offset)
                if count == 0 { break }
                try unsafe archive.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                offset += Int64(count)
            }
        }
    }
}
