// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// What `meta.json` beside a layer's directory says.
///
/// Written only when there is something to say.
struct LayerMeta: Codable {
    /// The digest of the layer's uncompressed tar.
    var diffID: Digest?
    /// Compressed forms of the layer, oldest first; their bytes may have been collected since.
    var blobs: [OCI.Descriptor]?
    /// The compression each of ``blobs`` was made with, as ``SnapshotStore/export(_:compression:clamp:)`` was asked.
    var requests: [String]?
    /// The digest of the uncompressed tar by request: clamped times make another tar.
    var diffIDs: [String: Digest]?
    /// The boot of the machine in which the layer was unpacked, until it was synced to disk: after another boot its
    /// bytes may be lost.
    var unsyncedBoot: String?
}

extension SnapshotStore {
    private static let metaByteLimit = 1 << 20

    func readMeta(_ id: LayerID) throws -> LayerMeta? {
        let file: LinuxSystem.Descriptor
        do {
            file = try snapshots.open("\(id)/meta.json", flags: O_RDONLY | O_NOFOLLOW, scope: .noSymlinks)
        } catch {
            if error.isNotFound { return nil }
            throw SnapshotError("read what is known of layer \(id)", error)
        }
        let bytes = try attempt("read what is known of layer \(id)") {
            try file.readToEnd(byteLimit: Self.metaByteLimit)
        }
        // A damaged note is worth nothing, and nothing depends on it.
        return try? JSONDecoder().decode(LayerMeta.self, from: Data(bytes))
    }

    /// Replaces the note at once; the last writer wins, which is fine for facts that never change.
    func writeMeta(_ id: LayerID, _ meta: LayerMeta) throws {
        try writeMeta(meta, in: snapshots.directory(id, scope: .noSymlinks))
    }

    func writeMeta(_ meta: LayerMeta, in directory: Directory) throws {
        let bytes = try JSONEncoder().encode(meta)
        let name = state.nextName("meta")
        try attempt("note what is known of a layer") {
            try state.temporary.createFile(name, mode: 0o600).write(bytes)
            try state.temporary.rename(name, to: directory, "meta.json", replacing: true)
        }
    }

    func markDurable(_ id: LayerID) throws {
        guard var meta = try readMeta(id), meta.unsyncedBoot != nil else { return }
        meta.unsyncedBoot = nil
        try writeMeta(id, meta)
    }
}

/// Tells one boot of this machine from another.
let bootIdentity: String = {
    guard
        let file = try? LinuxSystem.Descriptor.open(host: "/proc/sys/kernel/random/boot_id"),
        let bytes = try? file.readToEnd(byteLimit: 100)
    else { return "unknown" }
    return String(decoding: bytes, as: UTF8.self).filter { $0 != "\n" }
}()
