// SPDX-License-Identifier: Apache-2.0

import Archives
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// An image in an OCI layout, with its layers merged.
struct BuiltImage: Sendable {
    struct Entry: Sendable {
        var kind: TarEntry.Kind
        var mode: UInt32
        var uid: UInt32
        var gid: UInt32
        var content: [UInt8]
    }

    let manifest: JSONValue
    let config: JSONValue
    /// The merged tree by paths without leading slash.
    private(set) var tree: [String: Entry] = [:]

    /// Reads the first image of a layout directory.
    init(layout: String) throws {
        let blobs = FilePath(layout).appending("blobs")
        func bytes(_ file: FilePath) throws -> [UInt8] {
            try Descriptor.open(host: file).readToEnd(byteLimit: 1 << 30)
        }
        func blob(_ descriptor: JSONValue?) throws -> FilePath {
            let digest = try #require(descriptor?["digest"]?.text)
            return blobs.appending(
                digest.split(separator: ":").map(String.init).joined(separator: "/")
            )
        }
        var manifest = try JSONValue(parsing: bytes(FilePath(layout).appending("index.json")))
        while let inner = manifest["manifests"]?.elements?.first {
            manifest = try JSONValue(parsing: bytes(blob(inner)))
        }
        self.manifest = manifest
        config = try JSONValue(parsing: bytes(blob(manifest["config"])))
        for layer in manifest["layers"]?.elements ?? [] {
            try apply(ArchiveReader(detecting: Descriptor.open(host: blob(layer))))
        }
    }

    /// Texts of the history's entries.
    var history: [String] {
        (config["history"]?.elements ?? []).map { $0["created_by"]?.text ?? "" }
    }

    private mutating func apply(_ layer: ArchiveReader) throws {
        var added: Set<String> = []
        func remove(_ path: String, keepsItself: Bool, from tree: inout [String: Entry]) {
            for known in tree.keys
            where known.hasPrefix(path.isEmpty ? "" : path + "/") || known == path {
                if added.contains(known) || (keepsItself && known == path) { continue }
                tree[known] = nil
            }
        }
        while let entry = try layer.next() {
            let parts = entry.path.split(separator: "/").filter { $0 != "." }.map(String.init)
            guard let name = parts.last else { continue }
            let path = parts.joined(separator: "/")
            let parent = parts.dropLast().joined(separator: "/")
            if name == ".wh..wh..opq" {
                remove(parent, keepsItself: true, from: &tree)
                continue
            }
            if name.hasPrefix(".wh.") {
                let hidden = (parts.dropLast() + [String(name.dropFirst(4))]).joined(separator: "/")
                remove(hidden, keepsItself: false, from: &tree)
                continue
            }
            if entry.kind != .directory { remove(path, keepsItself: false, from: &tree) }
            if case .hardLink(let target) = entry.kind {
                let first = target.split(separator: "/").joined(separator: "/")
                let standing: Entry? = tree[first]
                tree[path] = .some(
                    try #require(
                        standing,
                        "\(path) is a hard link to \(target), which is not there"
                    )
                )
            } else {
                tree[path] = Entry(
                    kind: entry.kind,
                    mode: entry.mode & 0o7777,
                    uid: entry.uid,
                    gid: entry.gid,
                    content: entry.kind == .regular ? try Self.content(layer, entry.size) : []
                )
            }
            added.insert(path)
        }
    }

    private static func content(_ layer: ArchiveReader, _ size: Int64) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(size))
        var count = 0
        while count < bytes.count {
            let more = try unsafe bytes.withUnsafeMutableBytes { buffer in
                try unsafe layer.readData(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                )
            }
            if more == 0 { break }
            count += more
        }
        return Array(bytes[..<count])
    }
}

extension BuiltImage.Entry {
    /// The entry in the terms of `expect.json`.
    var described: [String: JSONValue] {
        let mode = String(mode, radix: 8)
        var result: [String: JSONValue] = [
            "mode": .string(String(repeating: "0", count: max(0, 4 - mode.count)) + mode),
            "uid": .integer(uid),
            "gid": .integer(gid),
        ]
        switch kind {
        case .directory: result["type"] = .string("dir")
        case .fifo: result["type"] = .string("fifo")
        case .symbolicLink(let target):
            result["type"] = .string("symlink")
            result["link"] = .string(target)
        case .regular:
            result["type"] = .string("file")
            result["content"] = .string(String(decoding: content, as: UTF8.self))
            result["sha256"] = .string(Digest.of(content).hex)
        default: break
        }
        return result
    }
}
