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
        self = try #require(try Self.all(layout: layout).first)
    }

    /// Reads all images of a layout directory, in the order of its indexes.
    static func all(layout: String) throws -> [BuiltImage] {
        let blobs = FilePath(layout).appending("blobs")
        func below(_ manifest: JSONValue) throws -> [BuiltImage] {
            guard let inner = manifest["manifests"]?.elements else {
                return [try BuiltImage(manifest: manifest, blobs: blobs)]
            }
            return try inner.flatMap { try below(JSONValue(parsing: Self.bytes(Self.blob($0, in: blobs)))) }
        }
        return try below(JSONValue(parsing: bytes(FilePath(layout).appending("index.json"))))
    }

    private init(manifest: JSONValue, blobs: FilePath) throws {
        self.manifest = manifest
        config = try JSONValue(parsing: Self.bytes(Self.blob(manifest["config"], in: blobs)))
        for layer in manifest["layers"]?.elements ?? [] {
            try apply(ArchiveReader(detecting: Descriptor.open(host: Self.blob(layer, in: blobs))))
        }
    }

    private static func bytes(_ file: FilePath) throws -> [UInt8] {
        try Descriptor.open(host: file).readToEnd(byteLimit: 1 << 30)
    }

    private static func blob(_ descriptor: JSONValue?, in blobs: FilePath) throws -> FilePath {
        let digest = try #require(descriptor?["digest"]?.text)
        return blobs.appending(digest.split(separator: ":").map(String.init).joined(separator: "/"))
    }

    /// The platform as it is asked for, such as `linux/arm/v7`.
    var platform: String {
        ["os", "architecture", "variant"].compactMap { config[$0]?.text }.joined(separator: "/")
    }

    /// The history's entries without their times and without the comment that all of a Dockerfile have.
    var history: [JSONValue] {
        (config["history"]?.elements ?? []).map { entry in
            .object(
                entry.members.filter {
                    $0.name != "created" && !($0.name == "comment" && $0.value.text == "buildkit.dockerfile.v0")
                }
            )
        }
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
