// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import LinuxSystem
internal import Snapshots

extension Exporter {
    /// Writes trees as one tar: the merged files, no layers and no deletions.
    func exportTar(
        _ request: ExportRequest,
        _ progress: @escaping @Sendable (ExportProgress) -> Void
    ) async throws -> ExportResponse {
        let options = try TreeOptions(request)
        let destination = try Self.destination(of: request)
        let trees = try await readTrees(request, options)
        try await reporting("sending tarball", progress) {
            try await cancellableBlocking { cancellation in
                try OutputFile.write(destination) { output in
                    let sink = BufferedOutput(output)
                    var archive = unsafe TarWriter { unsafe try sink.write($0) }
                    for tree in trees {
                        try TreeTar(tree: tree, cancellation: cancellation).write(to: &archive)
                    }
                    try archive.finish()
                    try sink.flush()
                }
            }
        }
        return ExportResponse()
    }
}

/// One tree on its way into a tar.
private struct TreeTar {
    private static let bufferByteCount = 256 << 10

    let tree: Exporter.ExportedTree
    let cancellation: CancellationFlag

    func write(to archive: inout TarWriter) throws {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Self.bufferByteCount,
            alignment: 16
        )
        defer { unsafe buffer.deallocate() }
        if !tree.directory.isEmpty {
            var header = TarEntry(path: tree.directory, kind: .directory, mode: 0o755)
            header.seconds = tree.epoch ?? 0
            try archive.begin(header)
        }
        var paths: [TreeEntry] = []
        try tree.reader.walk { entry in
            if !entry.path.isEmpty { paths.append(entry) }
            return true
        }
        var firstNames: [LayerEntry.Identity: String] = [:]
        for entry in paths {
            try cancellation.check()
            guard var header = header(of: entry) else { continue }
            if entry.isRegular, let link = entry.entry.link {
                if let first = firstNames[link] {
                    header.kind = .hardLink(target: first)
                    header.size = 0
                } else {
                    firstNames[link] = header.path
                }
            }
            if case .hardLink = header.kind {
                try archive.begin(header)
                continue
            }
            header.attributes = try tree.reader.attributes(entry.path).map { ($0.name, $0.value) }
            try archive.begin(header)
            if entry.isRegular { try unsafe copy(entry, into: &archive, buffer) }
        }
    }

    private func header(of entry: TreeEntry) -> TarEntry? {
        let kind: TarEntry.Kind
        switch entry.kind {
        case .directory: kind = .directory
        case .regular: kind = .regular
        case .symbolicLink(let target): kind = .symbolicLink(target: target)
        case .characterDevice(let major, let minor):
            kind = .characterDevice(major: major, minor: minor)
        case .blockDevice(let major, let minor): kind = .blockDevice(major: major, minor: minor)
        case .fifo: kind = .fifo
        case .socket, .whiteout: return nil
        }
        let path = tree.directory.isEmpty ? entry.path : "\(tree.directory)/\(entry.path)"
        var header = TarEntry(path: path, kind: kind, mode: entry.mode)
        header.uid = entry.uid
        header.gid = entry.gid
        header.size = entry.isRegular ? Int64(clamping: entry.size) : 0
        header.seconds = tree.epoch ?? entry.mtime.seconds
        return header
    }

    private func copy(
        _ entry: TreeEntry,
        into archive: inout TarWriter,
        _ buffer: UnsafeMutableRawBufferPointer
    ) throws {
        let file = try tree.reader.open(entry.path)
        var rest = entry.size
        while rest > 0 {
            let limit = Int(min(rest, UInt64(Self.bufferByteCount)))
            let count = try unsafe file.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<limit])
            )
            if count == 0 { break }
            try unsafe archive.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            rest -= UInt64(count)
        }
    }
}

/// Gathers small writes.
private final class BufferedOutput {
    private static let capacity = 256 << 10

    private let output: Descriptor
    private var pending: [UInt8] = []

    init(_ output: Descriptor) {
        self.output = output
        pending.reserveCapacity(Self.capacity)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        if pending.count + bytes.count > Self.capacity { try flush() }
        if bytes.count >= Self.capacity {
            unsafe try output.write(all: bytes)
        } else {
            unsafe pending.append(contentsOf: bytes)
        }
    }

    func flush() throws {
        try unsafe pending.withUnsafeBytes { unsafe try output.write(all: $0) }
        pending.removeAll(keepingCapacity: true)
    }
}
