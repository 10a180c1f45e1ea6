// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import ContentStore
internal import LinuxSystem
internal import OCI

/// Writes an OCI image layout as one tar, in the order of its names; nothing of the moment or the machine is in it.
struct LayoutArchive {
    private static let bufferByteCount = 1 << 20

    let content: ContentStore
    let cancellation: CancellationFlag

    /// Writes all entries; blobs are copied from the content store. May block.
    func write(_ layout: Layout, to output: LinuxSystem.Descriptor) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferByteCount, alignment: 4096)
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
                while true {
                    let count = unsafe try file.read(into: buffer)
                    if count == 0 { break }
                    try unsafe archive.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                    try cancellation.check()
                }
            }
        }
        try archive.finish()
    }
}
