// SPDX-License-Identifier: Apache-2.0

package import Archives
internal import ContentStore
internal import LinuxSystem
package import OCI

extension SnapshotStore {
    /// Packs a layer into a blob of the content store; a layer of an image gives the blob it came in.
    ///
    /// What was packed is remembered beside the layer, so it is done once. The same layer and options give the same
    /// bytes on every machine.
    ///
    /// - Parameters:
    ///   - compression: For layers that have no blob yet, and for others when `force` is set.
    ///   - clamp: Times after this one, in seconds since 1970, become this one.
    ///   - force: Pack anew what came in another compression.
    /// - Returns: The blob, by OCI's media types, and the digest of its uncompressed tar. An image's own blob may not
    ///   be in the content store.
    package func export(
        _ layer: Layer,
        compression: Compression,
        clamp: Int64? = nil,
        force: Bool = false
    ) async throws -> (blob: OCI.Descriptor, diffID: Digest) {
        let request = Self.name(of: compression, clamp)
        if clamp == nil, let blob = layer.blob, let diffID = layer.diffID, layer.isFromImage,
            !force || MediaType.layerCompression(blob.mediaType) == compression.mediaCompression
        {
            return (blob, diffID)
        }
        let content = try await layer.content()
        return try await blocking { [self] in
            if let known = try packed(layer.id, request) { return known }
            if clamp == nil, layer.isFromImage, let own = layer.blob, let diffID = layer.diffID,
                self.content.contains(own.digest)
            {
                let result = (try recompress(own, diffID: diffID, compression), diffID)
                if contains(layer.id) { try remember(result, request, of: layer.id) }
                return result
            }
            let result = try pack(content, compression, clamp)
            if contains(layer.id) { try remember(result, request, of: layer.id) }
            // An image's layer keeps the name its image gave it.
            if clamp == nil, !layer.isFromImage { layer.learn(diffID: result.diffID, blob: result.blob) }
            return result
        }
    }

    private static func name(of compression: Compression, _ clamp: Int64?) -> String {
        let name =
            switch compression {
            case .none: "none"
            case .gzip(let level): "gzip-\(level ?? Compression.gzipLevel)"
            case .zstd(let level): "zstd-\(level ?? Compression.zstdLevel)"
            }
        return clamp.map { "\(name)@\($0)" } ?? name
    }

    /// What an earlier export made, where its blob is still there.
    private func packed(
        _ id: LayerID,
        _ request: String
    ) throws -> (blob: OCI.Descriptor, diffID: Digest)? {
        guard contains(id), let meta = try readMeta(id), let diffID = meta.diffIDs?[request],
            let index = meta.requests?.firstIndex(of: request),
            let blobs = meta.blobs, blobs.indices.contains(index), content.contains(blobs[index].digest)
        else { return nil }
        return (blobs[index], diffID)
    }

    private func remember(
        _ result: (blob: OCI.Descriptor, diffID: Digest),
        _ request: String,
        of id: LayerID
    ) throws {
        var meta = try readMeta(id) ?? LayerMeta()
        var blobs = meta.blobs ?? []
        var requests = meta.requests ?? []
        if let index = requests.firstIndex(of: request), blobs.indices.contains(index) {
            blobs[index] = result.blob
        } else {
            blobs.append(result.blob)
            requests.append(request)
        }
        meta.blobs = blobs
        meta.requests = requests
        meta.diffIDs = (meta.diffIDs ?? [:]).merging([request: result.diffID]) { _, new in new }
        if !request.contains("@"), !id.hasPrefix(Layer.imagePrefix) { meta.diffID = result.diffID }
        try writeMeta(id, meta)
    }

    /// Packs the very tar of a blob another way.
    ///
    /// - Throws: `digestMismatch` when the blob does not hold the tar that `diffID` names.
    private func recompress(
        _ blob: OCI.Descriptor,
        diffID: Digest,
        _ compression: Compression
    ) throws -> OCI.Descriptor {
        let source = unsafe Decompressor(try content.open(blob.digest))
        let writer = try content.ingest(expected: nil, expectedSize: nil)
        do {
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
            defer { unsafe buffer.deallocate() }
            var plain = Digester()
            let compressor = unsafe try compression.makeCompressor { unsafe try writer.write($0) }
            while true {
                let count = try unsafe source.read(into: buffer)
                if count == 0 { break }
                let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
                unsafe plain.update(bytes)
                try unsafe compressor.write(bytes)
            }
            try compressor.finish()
            guard plain.finish() == diffID else {
                throw SnapshotError(
                    .digestMismatch,
                    "cannot compress the layer \(blob.digest) anew: its tar hashes to \(plain.finish()), the image config says \(diffID)"
                )
            }
            let (digest, size) = try writer.commit()
            return OCI.Descriptor(mediaType: compression.mediaType, digest: digest, size: size)
        } catch {
            writer.cancel()
            throw error
        }
    }

    private func pack(
        _ layer: any LayerContent,
        _ compression: Compression,
        _ clamp: Int64?
    ) throws -> (blob: OCI.Descriptor, diffID: Digest) {
        let writer = try content.ingest(expected: nil, expectedSize: nil)
        do {
            var plain = Digester()
            let compressor = unsafe try compression.makeCompressor { unsafe try writer.write($0) }
            var archive = unsafe TarWriter { bytes in
                unsafe plain.update(bytes)
                unsafe try compressor.write(bytes)
            }
            try LayerPacker(layer: layer, clamp: clamp).pack(into: &archive)
            try archive.finish()
            try compressor.finish()
            let (digest, size) = try writer.commit()
            let blob = OCI.Descriptor(mediaType: compression.mediaType, digest: digest, size: size)
            return (blob, plain.finish())
        } catch {
            writer.cancel()
            throw error
        }
    }
}

/// Writes one layer as the tar that images carry: deletions as whiteout files, nothing of other layers.
///
/// Source: OCI image-spec v1.1, layer.md.
private struct LayerPacker {
    private static let bufferByteCount = 256 << 10

    let layer: any LayerContent
    let clamp: Int64?

    func pack(into archive: inout TarWriter) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.bufferByteCount,
            alignment: 16
        )
        defer { unsafe buffer.deallocate() }
        /// First names of files with several.
        var firstNames: [LayerEntry.Identity: String] = [:]
        var stack = try children(of: "")
        while let path = stack.popLast() {
            guard let entry = try layer.entry(path) else { continue }
            if entry.kind == .whiteout {
                let (directory, name) = TreePath.split(path)
                try archive.begin(mark(TreePath.join(directory, ".wh." + name)))
                continue
            }
            guard var header = header(of: entry, path) else { continue }
            if entry.isRegular, let link = entry.link {
                if let first = firstNames[link] {
                    header.kind = .hardLink(target: first)
                    header.size = 0
                } else {
                    firstNames[link] = path
                }
            }
            if case .hardLink = header.kind {
                try archive.begin(header)
                continue
            }
            header.attributes = try layer.attributes(path).map { ($0.name, $0.value) }
            try archive.begin(header)
            if entry.isRegular { try unsafe copy(path, entry.size, into: &archive, buffer) }
            if case .directory(let opaque) = entry.kind {
                if opaque { try archive.begin(mark(TreePath.join(path, ".wh..wh..opq"))) }
                stack += try children(of: path)
            }
        }
    }

    /// Paths in a directory, last first, for the stack.
    private func children(of directory: String) throws -> [String] {
        try layer.children(directory)
            .sorted { $1.utf8.lexicographicallyPrecedes($0.utf8) }
            .map { TreePath.join(directory, $0) }
    }

    private func mark(_ path: String) -> TarEntry { TarEntry(path: path, kind: .regular, mode: 0) }

    private func header(of entry: LayerEntry, _ path: String) -> TarEntry? {
        let kind: TarEntry.Kind
        switch entry.kind {
        case .directory: kind = .directory
        case .regular: kind = .regular
        case .symbolicLink(let target): kind = .symbolicLink(target: target)
        case .characterDevice(let major, let minor): kind = .characterDevice(major: major, minor: minor)
        case .blockDevice(let major, let minor): kind = .blockDevice(major: major, minor: minor)
        case .fifo: kind = .fifo
        // A socket means something only to the process that listens on it.
        case .socket, .whiteout: return nil
        }
        var header = TarEntry(path: path, kind: kind, mode: entry.mode)
        header.uid = entry.uid
        header.gid = entry.gid
        header.size = entry.isRegular ? Int64(clamping: entry.size) : 0
        // Whole seconds, as in BuildKit's layers.
        header.seconds = clamp.map { min($0, entry.mtime.seconds) } ?? entry.mtime.seconds
        return header
    }

    private func copy(
        _ path: String,
        _ size: UInt64,
        into archive: inout TarWriter,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws {
        let file = try layer.open(path)
        var rest = size
        while rest > 0 {
            let limit = Int(min(rest, UInt64(Self.bufferByteCount)))
            let count = try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit]))
            if count == 0 { break }
            try unsafe archive.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            rest -= UInt64(count)
        }
        try layer.confirmUnchanged(path, file)
    }
}

extension Compression {
    /// The media type of a layer packed this way.
    fileprivate var mediaType: String {
        switch self {
        case .none: MediaType.layer
        case .gzip: MediaType.layerGzip
        case .zstd: MediaType.layerZstd
        }
    }

    fileprivate var mediaCompression: MediaType.LayerCompression? {
        MediaType.layerCompression(mediaType)
    }
}
