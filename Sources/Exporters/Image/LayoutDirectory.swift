// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// Writes an image into an OCI layout directory, beside what is there already.
///
/// Blobs come first and `index.json` last, each by rename: readers see the layout without the image
/// or with all of it.
struct LayoutDirectory {
    private static let indexByteLimit = 64 << 20

    let path: FilePath
    let content: ContentStore
    let cancellation: CancellationFlag

    func write(_ layout: Layout) throws {
        let root = try attempt("write \(path)") { try Directory(host: path, createMode: 0o755) }
        let blobs = try attempt("write \(path)") { try root.makeDirectories("blobs/sha256") }
        for entry in layout.entries {
            try cancellation.check()
            guard case .blob(let blob) = entry.content else { continue }
            try attempt("write \(path)/\(entry.name)") { try write(blob, in: blobs) }
        }
        try replace("oci-layout", in: root) { try $0.write(Layout.version) }
        // Two builds may add to one layout at once.
        let lock = try attempt("lock \(path)") {
            try root.open("index.json.lock", flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o644)
        }
        defer { try? root.remove(name: "index.json.lock") }
        _ = try attempt("lock \(path)") { try lock.lock(exclusive: true, wait: true) }
        let merged = try merge(layout, with: existingIndex(root))
        try replace("index.json", in: root) { try $0.write(merged.encoded) }
    }

    private func write(_ blob: OCI.Descriptor, in blobs: Directory) throws {
        let name = blob.digest.hex
        // Named by their digest, blobs of the right length are taken to be what they say.
        if let there = try blobs.statusIfExists(name: name), there.isRegular,
            Int64(clamping: there.size) == blob.size
        {
            return
        }
        let source = try content.open(blob.digest)
        try replace(name, in: blobs) { file in
            guard try file.copy(from: source) == blob.size else {
                throw content.quarantine(blob.digest, found: nil)
            }
        }
    }

    private func replace(
        _ name: String,
        in directory: Directory,
        _ body: (LinuxSystem.Descriptor) throws -> Void
    ) throws {
        let temporary = ".\(name).\(randomToken(count: 8)).tmp"
        do {
            try attempt("write \(path)/\(name)") {
                let file = try directory.createFile(temporary, mode: 0o644)
                try body(file)
                try directory.rename(temporary, to: directory, name, replacing: true)
            }
        } catch {
            try? directory.remove(name: temporary)
            throw error
        }
    }

    private func existingIndex(_ root: Directory) throws -> Index? {
        guard try root.statusIfExists(name: "index.json") != nil else { return nil }
        let bytes = try attempt("read \(path)/index.json") {
            try root.open("index.json", flags: O_RDONLY | O_NOFOLLOW).readToEnd(
                byteLimit: Self.indexByteLimit
            )
        }
        do {
            return try JSONDecoder().decode(Index.self, from: Data(bytes))
        } catch {
            throw ExportError(
                .conflict,
                "cannot add to \(path): its index.json is not one of an OCI layout; choose another directory",
                cause: error
            )
        }
    }

    /// The old list without what the new image takes the place of, then the new.
    private func merge(_ layout: Layout, with old: Index?) -> Index {
        guard var index = old else { return layout.index }
        let names = Set(layout.listed.compactMap { $0.annotations?[Layout.nameKey] })
        index.manifests.removeAll { listed in
            let name = listed.annotations?[Layout.nameKey]
            if let name { return names.contains(name) }
            return layout.listed.contains {
                $0.digest == listed.digest && $0.annotations?[Layout.nameKey] == nil
            }
        }
        index.manifests += layout.listed
        return index
    }
}
