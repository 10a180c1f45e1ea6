// SPDX-License-Identifier: Apache-2.0

import Archives
import ContentStore
import Foundation
import LinuxSystem
import OCI
import Snapshots
import SystemPackage

/// A state directory of its own, gone with the test.
final class Fixture: Sendable {
    let path: FilePath
    let state: StateDirectory
    let content: ContentStore
    let store: SnapshotStore
    private let name: String

    init(mode: SnapshotStore.Mode = .overlay) throws {
        name = "kiln-snapshots-\(randomToken(count: 8))"
        path = FilePath("/tmp/\(name)")
        state = try StateDirectory(path: path.appending("state"))
        content = try ContentStore(state: state)
        store = try SnapshotStore(state: state, content: content, mode: mode)
    }

    deinit { try? Directory(host: "/tmp").removeTree(name: name) }

    /// A store of another process on the same directory, as far as one process can play it.
    func secondStore() throws -> SnapshotStore {
        let state = try StateDirectory(path: path.appending("state"))
        return try SnapshotStore(state: state, content: ContentStore(state: state))
    }

    /// A layer of an image whose blob is in the store.
    func image(
        _ entries: [Entry],
        below: [Layer] = [],
        compression: Compression = .gzip(level: 1),
        diffID: Digest? = nil
    ) throws -> Layer {
        try image(tar: tar(entries), below: below, compression: compression, diffID: diffID)
    }

    func image(
        tar bytes: [UInt8],
        below: [Layer] = [],
        compression: Compression = .none,
        diffID: Digest? = nil
    ) throws -> Layer {
        let blob = try compress(bytes, compression)
        let digest = try content.put(blob)
        return store.imageLayer(
            blob: OCI.Descriptor(mediaType: MediaType.layer, digest: digest, size: Int64(blob.count)),
            diffID: diffID ?? Digest.of(bytes),
            below: below,
            fetch: {}
        )
    }

    func layer(
        on tree: FileTree = .scratch,
        _ body: @escaping @Sendable (TreeWriter) throws -> Void
    ) async throws -> Layer {
        try await store.write(on: tree, body)
    }

    func tree(_ body: @escaping @Sendable (TreeWriter) throws -> Void) async throws -> FileTree {
        FileTree(layers: [try await layer(body)])
    }
}

/// An entry of a test's archive.
struct Entry {
    var header: TarEntry
    var bytes: [UInt8]

    static func file(
        _ path: String,
        _ text: String = "",
        mode: UInt32 = 0o644,
        uid: UInt32 = 0,
        gid: UInt32 = 0
    ) -> Entry {
        var header = TarEntry(path: path, kind: .regular, mode: mode)
        header.uid = uid
        header.gid = gid
        header.seconds = 1000
        return Entry(header: header, bytes: Array(text.utf8))
    }

    static func directory(_ path: String, mode: UInt32 = 0o755) -> Entry {
        Entry(header: TarEntry(path: path, kind: .directory, mode: mode), bytes: [])
    }

    static func link(_ path: String, _ target: String) -> Entry {
        Entry(header: TarEntry(path: path, kind: .symbolicLink(target: target), mode: 0o777), bytes: [])
    }

    static func hard(_ path: String, _ target: String) -> Entry {
        Entry(header: TarEntry(path: path, kind: .hardLink(target: target), mode: 0o644), bytes: [])
    }

    func with(_ change: (inout TarEntry) -> Void) -> Entry {
        var copy = self
        change(&copy.header)
        return copy
    }
}

func tar(_ entries: [Entry]) throws -> [UInt8] {
    var output: [UInt8] = []
    var writer = unsafe TarWriter { unsafe output.append(contentsOf: $0) }
    for entry in entries {
        var header = entry.header
        header.size = Int64(entry.bytes.count)
        try writer.begin(header)
        try unsafe entry.bytes.withUnsafeBytes { unsafe try writer.write($0) }
    }
    try writer.finish()
    return output
}

func compress(_ bytes: [UInt8], _ compression: Compression) throws -> [UInt8] {
    var output: [UInt8] = []
    let compressor = unsafe try compression.makeCompressor { unsafe output.append(contentsOf: $0) }
    try unsafe bytes.withUnsafeBytes { unsafe try compressor.write($0) }
    try compressor.finish()
    return output
}

struct TestFailure: Error {
    let text: String
}

func run(_ program: String, _ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
    let answer = try HelperProgram(
        path: FilePath(program),
        arguments: arguments,
        environment: ["PATH": "/usr/local/bin:/usr/bin:/bin"]
    )
    .run(input: input, outputByteLimit: 1 << 26, timeLimit: .seconds(20))
    guard answer.status == 0 else { throw TestFailure(text: "\(program): \(answer.complaint)") }
    return answer.output
}

extension TreeReader {
    /// All of a tree as text by path: kind, mode, owner, time where asked for, bytes, target, attributes, link group.
    func dump(times: Bool = false) throws -> [String: String] {
        var result: [String: String] = [:]
        var groups: [LayerEntry.Identity: String] = [:]
        try walk { entry in
            if entry.path.isEmpty { return true }
            var text = "\(String(entry.mode, radix: 8)) \(entry.uid):\(entry.gid) "
            switch entry.kind {
            case .directory: text += "dir"
            case .regular:
                text += "file " + String(decoding: try readFile(entry.path, byteLimit: 1 << 24), as: UTF8.self)
            default: text += "\(entry.kind)"
            }
            for attribute in try attributes(entry.path) { text += " \(attribute.name)=\(attribute.value)" }
            if times { text += " @\(entry.mtime.seconds).\(entry.mtime.nanoseconds)" }
            if let link = entry.entry.link, entry.isRegular {
                if let first = groups[link] { text += " =\(first)" } else { groups[link] = entry.path }
            }
            result[entry.path] = text
            return true
        }
        return result
    }

    func text(_ path: String) throws -> String {
        String(decoding: try readFile(path, byteLimit: 1 << 20), as: UTF8.self)
    }

    func names(_ path: String = "") throws -> [String] { try readDirectory(path).map(\.name) }
}

extension TreeWriter {
    func file(
        _ path: String,
        _ text: String = "",
        mode: UInt32 = 0o644,
        owner: FileOwner? = nil,
        at time: Int64? = nil
    ) throws {
        try makeDirectory(TreePath.split(path).directory, mode: 0o755, makeParents: true)
        try makeFile(
            path,
            mode: mode,
            data: Array(text.utf8),
            owner: owner,
            timestamp: time.map { FileStatus.Time(seconds: $0) }
        )
    }
}

/// The code a function fails with; `nil` when it does not, or with another error.
func code(_ body: () async throws -> Void) async -> SnapshotError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? SnapshotError)?.code
    }
}
