// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FoundationEssentials
internal import Glibc
package import LinuxSystem
internal import OCI
internal import Synchronization
internal import SystemPackage

/// How steps that use one cache mount at the same time share it.
package enum CacheSharing: Sendable, Hashable {
    /// All write to one directory.
    case shared
    /// Each gets a directory of its own; a free one is taken again later.
    case isolated
    /// One after the other.
    case locked
}

/// A directory that outlives builds, for a cache mount; held until the object goes.
package final class CacheDirectory: Sendable {
    /// What the step sees.
    ///
    /// Plain files, no overlay notes.
    package let directory: Directory
    /// Whether it has just been made, from its seed or empty.
    package let isNew: Bool
    private let lock: LinuxSystem.Descriptor

    init(directory: Directory, isNew: Bool, lock: LinuxSystem.Descriptor) {
        self.directory = directory
        self.isNew = isNew
        self.lock = lock
    }
}

/// A cache directory as `du` shows it.
package struct CacheDirectoryInfo: Sendable {
    /// Names it in ``SnapshotStore/removeCacheDirectory(_:)``.
    package let name: String
    /// The id it was asked for with.
    package let id: String
    /// Space on disk in bytes.
    package let size: Int64
    /// When it was last handed out.
    package let lastUsed: FileStatus.Time
}

extension SnapshotStore {
    private struct Note: Codable {
        var id: String
    }

    /// Gives the persistent directory of a cache mount, making it where it is missing.
    ///
    /// Waits while others hold it, where `sharing` asks for that; a cancelled wait ends with `CancellationError`. The
    /// locks hold between processes and end with them.
    ///
    /// - Parameters:
    ///   - id: Any text; it is hashed and never becomes part of a path.
    ///   - seed: What a new directory begins with; another seed makes another directory.
    ///   - mode: Permission bits of the root of a new directory.
    package func cacheDirectory(
        id: String,
        sharing: CacheSharing,
        seed: FileTree? = nil,
        seedPath: String = "",
        owner: FileOwner = .root,
        mode: UInt32 = 0o755
    ) async throws -> CacheDirectory {
        let view = try await seed?.view()
        var key = Digester()
        key.update("\(id.utf8.count):\(id)\n")
        for layer in seed?.layers ?? [] { key.update("\(layer.id)\n") }
        if seed != nil { key.update(seedPath) }
        let name = key.finish().hex
        var delay = Duration.milliseconds(5)
        while true {
            let found = try await blocking { [self] in
                try tryCacheDirectory(
                    name: name,
                    id: id,
                    sharing: sharing,
                    seed: view,
                    seedPath: seedPath,
                    owner: owner,
                    mode: mode
                )
            }
            if let found { return found }
            try await Task.sleep(for: delay)
            delay = min(delay * 2, .milliseconds(200))
        }
    }

    /// All cache directories with the space they take.
    package func cacheDirectories() throws -> [CacheDirectoryInfo] {
        try attempt("list the cache mounts") {
            let mounts = try mounts()
            var list: [CacheDirectoryInfo] = []
            for entry in try mounts.entries() where entry.kind == .directory {
                guard let place = try? mounts.directory(entry.name, scope: .noSymlinks),
                    let file = try? place.open("note.json"),
                    let status = try? file.status(),
                    let bytes = try? file.readToEnd(byteLimit: 1 << 20),
                    let note = try? JSONDecoder().decode(Note.self, from: Data(bytes))
                else { continue }
                list.append(
                    CacheDirectoryInfo(
                        name: entry.name,
                        id: note.id,
                        size: try allocatedSize(place),
                        lastUsed: status.modified
                    )
                )
            }
            return list.sorted { $0.name < $1.name }
        }
    }

    /// Removes a cache directory that nobody holds.
    ///
    /// - Returns: `false` when somebody holds it; then it stays.
    @discardableResult
    package func removeCacheDirectory(_ name: String) throws -> Bool {
        guard name.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") })
        else { throw SnapshotError(.invalid, "cannot remove the cache mount \(name.debugDescription): not a name") }
        guard let lock = try state.hold("cache-\(name)", exclusive: true, wait: false) else { return false }
        defer { lock.unlock() }
        try attempt("remove the cache mount \(name)") {
            let trash = state.nextName("trash")
            do {
                try mounts().rename(name, to: state.temporary, trash)
            } catch let error as SystemCallError where error.isNotFound {
                return
            }
            try state.temporary.removeTree(name: trash)
        }
        return true
    }

    private func mounts() throws(SystemCallError) -> Directory {
        try state.root.makeDirectories("cache/mounts", mode: 0o700)
    }

    /// How many private copies of one cache mount there may be.
    private static let privateLimit = 1000

    private func tryCacheDirectory(
        name: String,
        id: String,
        sharing: CacheSharing,
        seed: UnionView?,
        seedPath: String,
        owner: FileOwner,
        mode: UInt32
    ) throws -> CacheDirectory? {
        for copy in 0..<(sharing == .isolated ? Self.privateLimit : 1) {
            let name = copy == 0 ? name : "\(name)-\(copy)"
            guard let lock = try state.hold("cache-\(name)", exclusive: sharing != .shared, wait: false) else {
                continue
            }
            if let directory = try standingCache(name) {
                return CacheDirectory(directory: directory, isNew: false, lock: lock)
            }
            // Only one may make it; a shared holder finds it made by the first.
            return try state.exclusive("make-cache-\(name)") {
                if let directory = try standingCache(name) {
                    return CacheDirectory(directory: directory, isNew: false, lock: lock)
                }
                let directory = try makeCache(name, id, seed, seedPath, owner, mode)
                return CacheDirectory(directory: directory, isNew: true, lock: lock)
            }
        }
        return nil
    }

    private func standingCache(_ name: String) throws -> Directory? {
        try attempt("open a cache mount") {
            do {
                let place = try mounts().directory(name, scope: .noSymlinks)
                try place.setTime(name: "note.json", currentTime())
                return try place.directory("fs", scope: .noSymlinks)
            } catch let error as SystemCallError where error.isNotFound {
                return nil
            }
        }
    }

    private func makeCache(
        _ name: String,
        _ id: String,
        _ seed: UnionView?,
        _ seedPath: String,
        _ owner: FileOwner,
        _ mode: UInt32
    ) throws -> Directory {
        let scratch = try state.scratch("cache")
        do {
            return try attempt("make a cache mount") {
                try scratch.directory.makeDirectory("fs", mode: 0o755)
                let root = try scratch.directory.directory("fs")
                _ = try ownerRules.own(root.descriptor, owner.uid, owner.gid)
                try root.descriptor.setMode(mode & 0o7777)
                if let seed { try fill(root, from: seed, seedPath) }
                try scratch.directory.createFile("note.json", mode: 0o600)
                    .write(JSONEncoder().encode(Note(id: id)))
                try state.temporary.rename(scratch.name, to: mounts(), name)
                return root
            }
        } catch {
            try? state.temporary.removeTree(name: scratch.name)
            throw error
        }
    }

    private func fill(_ root: Directory, from seed: UnionView, _ path: String) throws {
        let resolved = try resolvePath(path, followLast: true) { try seed.node($0)?.entry }
        guard let node = try seed.node(resolved), node.entry.isDirectory else {
            if resolved.isEmpty { return }
            throw SnapshotError(
                .notFound,
                "cannot fill the cache mount from \(TreePath.shown(path)): no such directory"
            )
        }
        let upper = UpperLayer(
            host: root,
            hidesLower: true,
            attributeNamespace: attributeNamespace,
            ownerRules: ownerRules
        )
        _ = try ownerRules.own(root.descriptor, node.entry.uid, node.entry.gid)
        try root.descriptor.setMode(node.entry.mode)
        try UnionCopier(view: seed, upper: upper, linking: false).copyChildren(resolved, to: upper.root)
        try upper.finish()
    }
}
