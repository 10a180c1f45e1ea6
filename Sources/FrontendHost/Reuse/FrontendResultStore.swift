// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Glibc
package import LinuxSystem
internal import OCI

/// Results of frontends on disk, by program and by what it was told at the start.
///
/// Several engines may share one. A record appears whole or not at all; losing one costs nothing but time, so no error of the
/// store is ever an error of a build.
package struct FrontendResultStore: Sendable {
    /// How many records of one key are kept: a build goes back and forth between few states.
    private static let recordCountMax = 4
    /// How many keys are kept.
    private static let keyCountMax = 512
    /// How much all records may take, in bytes.
    private static let byteCountMax: UInt64 = 128 << 20

    private let directory: Directory

    /// - Parameter directory: Its own; everything in it may be removed at any time.
    package init(directory: Directory) { self.directory = directory }

    /// Names a program with everything it is told at the start.
    static func key(program: String, initialize: WireObject, build: WireObject) -> Digest {
        let told: WireObject = [
            "program": .string(program), "initialize": .object(initialize), "build": .object(build),
        ]
        return told.digest
    }

    /// The records of a key, the last used first.
    ///
    /// Blocks.
    func records(for key: Digest) -> [(name: String, record: SessionRecord)] {
        guard let folder = try? directory.directory(key.hex, scope: .noSymlinks) else { return [] }
        return files(in: folder).sorted { $0.used > $1.used }.compactMap { file in
            let limit = SessionRecord.byteLimit + SessionRecord.checkByteCount
            guard let bytes = try? folder.open(file.name, scope: .noSymlinks).readToEnd(byteLimit: limit)
            else { return nil }
            if let record = SessionRecord(bytes) { return (file.name, record) }
            // Written by another version, or damaged.
            try? folder.remove(name: file.name)
            return nil
        }
    }

    /// Notes that a record was of use.
    func touch(_ name: String, of key: Digest) {
        var now = timespec()
        guard unsafe clock_gettime(CLOCK_REALTIME, &now) == 0 else { return }
        let time = FileStatus.Time(seconds: Int64(now.tv_sec), nanoseconds: UInt32(truncatingIfNeeded: now.tv_nsec))
        try? directory.directory(key.hex, scope: .noSymlinks).open(name, scope: .noSymlinks).setTime(time)
    }

    /// Keeps a record, and removes what was not used for longest where there are too many.
    ///
    /// Blocks, for a sync.
    func save(_ record: SessionRecord, for key: Digest) {
        guard let bytes = record.encoded() else { return }
        let temporary = ".new-\(randomToken(count: 16))"
        do {
            let folder = try directory.makeDirectories(key.hex, mode: 0o700)
            let name = String(Digest.of(bytes).hex.prefix(32))
            guard try folder.statusIfExists(name: name) == nil else { return }
            let file = try folder.createFile(temporary, mode: 0o600)
            try file.write(bytes)
            try file.sync()
            try folder.rename(temporary, to: folder, name, replacing: true)
            try folder.sync()
            for old in files(in: folder).sorted(by: { $0.used > $1.used }).dropFirst(Self.recordCountMax) {
                try? folder.remove(name: old.name)
            }
            prune()
        } catch {
            try? directory.directory(key.hex, scope: .noSymlinks).remove(name: temporary)
        }
    }

    // MARK: What is kept

    /// One record, as a list of what is on disk shows it.
    package struct Kept: Sendable, Hashable {
        /// Names it in this store.
        package let id: String
        /// Name and version of the frontend; `nil` for a record that is not looked into or cannot be read.
        package let frontend: String?
        package let byteCount: Int64
        package let lastUsed: FileStatus.Time
    }

    /// Larger records are listed without being read.
    private static let listedByteLimit: UInt64 = 1 << 20

    /// Everything that is kept; blocks.
    package func list() -> [Kept] {
        ((try? directory.entries()) ?? []).flatMap { entry -> [Kept] in
            guard let folder = try? directory.directory(entry.name, scope: .noSymlinks) else { return [] }
            return files(in: folder).map { file in
                Kept(
                    id: "\(entry.name)/\(file.name)",
                    frontend: file.size > Self.listedByteLimit ? nil : Self.frontend(of: file.name, in: folder),
                    byteCount: Int64(clamping: file.size),
                    lastUsed: file.time
                )
            }
        }
    }

    private static func frontend(of name: String, in folder: Directory) -> String? {
        guard let file = try? folder.open(name, scope: .noSymlinks),
            let bytes = try? file.readToEnd(byteLimit: Int(listedByteLimit)), let record = SessionRecord(bytes)
        else { return nil }
        return printable("\(record.frontend.name) \(record.frontend.version)".utf8.prefix(200))
    }

    /// Removes a record by its ``Kept/id``; blocks.
    ///
    /// - Returns: `false` when it is not there.
    package func remove(_ id: String) -> Bool {
        let parts = id.split(separator: "/", maxSplits: 1)
        guard parts.count == 2, let folder = try? directory.directory(String(parts[0]), scope: .noSymlinks) else {
            return false
        }
        do {
            try folder.remove(name: String(parts[1]))
        } catch {
            return false
        }
        // The last one takes its folder along, unless another was put there just now.
        try? directory.remove(name: String(parts[0]), isDirectory: true)
        return true
    }

    private struct File {
        let name: String
        let time: FileStatus.Time
        let size: UInt64

        /// In nanoseconds, to be compared.
        var used: Int64 { time.seconds &* 1_000_000_000 &+ Int64(time.nanoseconds) }
    }

    private func files(in folder: Directory) -> [File] {
        ((try? folder.entries()) ?? []).compactMap { entry in
            guard let status = try? folder.statusIfExists(name: entry.name), status.isRegular else { return nil }
            return File(name: entry.name, time: status.modified, size: status.size)
        }
    }

    private func prune() {
        var keys: [(name: String, used: Int64, size: UInt64)] = []
        for entry in (try? directory.entries()) ?? [] {
            guard let folder = try? directory.directory(entry.name, scope: .noSymlinks) else { continue }
            let files = files(in: folder)
            keys.append((entry.name, files.map(\.used).max() ?? 0, files.reduce(0) { $0 &+ $1.size }))
        }
        var total: UInt64 = 0
        for (index, key) in keys.sorted(by: { $0.used > $1.used }).enumerated() {
            total &+= key.size
            if index >= Self.keyCountMax || total > Self.byteCountMax { try? directory.removeTree(name: key.name) }
        }
    }
}
