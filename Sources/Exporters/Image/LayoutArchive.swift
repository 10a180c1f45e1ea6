// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import ContentStore
internal import LinuxSystem
internal import OCI

/// Writes an OCI image layout as one tar, in the order of its names; nothing of the moment or the
/// machine is in it.
struct LayoutArchive {
    private static let bufferByteCount = 1 << 20

    let content: ContentStore
    let cancellation: CancellationFlag

    /// Writes all entries; blobs are copied from the content store and checked on the way.
    ///
    /// - Parameters:
    ///   - layout: What to write.
    ///   - output: Where to, from its current offset; writing may block.
    /// - Throws: `ContentStoreError`, `corrupt`, for a blob whose bytes are not those of its name.
    func write(_ layout: Layout, to output: LinuxSystem.Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.bufferByteCount,
            alignment: 4096
        )
        defer { unsafe buffer.deallocate() }
        var archive = unsafe TarWriter { unsafe try output.write(all: $0) }
        for entry in layout.entries {
            try cancellation.check()
            let name = entry.name.hasSuffix("/") ? String(entry.name.dropLast()) : entry.name
            switch entry.content {
            case .directory:
                try archive.begin(TarEntry(path: name, kind: .directory, mode: 0o755))
            case .bytes(let bytes):
                var header = TarEntry(path: name, kind: .regular, mode: 0o644)
                header.size = Int64(bytes.count)
                try archive.begin(header)
                try unsafe bytes.withUnsafeBytes { unsafe try archive.write($0) }
            case .blob(let blob):
                var header = TarEntry(path: name, kind: .regular, mode: 0o644)
                header.size = blob.size
                try archive.begin(header)
                let file = try content.open(blob.digest)
                var digester = Digester()
                while true {
                    let count = unsafe try file.read(into: buffer)
                    if count == 0 { break }
                    let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
                    unsafe digester.update(bytes)
                    try unsafe archive.write(bytes)
                    try cancellation.check()
                }
                let found = digester.finish()
                if found != blob.digest { throw content.quarantine(blob.digest, found: found) }
            }
        }
        try archive.finish()
    }
}
