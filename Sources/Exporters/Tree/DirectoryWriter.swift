// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import Snapshots
internal import SystemPackage

/// Writes a file tree into a directory of the client, merging it with what is there.
///
/// Names are only followed beneath the directory and never through a symlink, whatever stands there
/// or arrives. A file takes the place of a file by rename; a directory that is in the way of a file
/// is never deleted. Owners are set when the process may, mode, times and extended attributes
/// always.
final class DirectoryWriter {
    private let root: Directory
    private let shownPath: FilePath
    private let cancellation: CancellationFlag
    private let setsOwners = geteuid() == 0
    /// Files that were written, and by which tree; two trees may not write one.
    private var written: [String: String] = [:]
    /// Of the tree being written: its directories, parents first, and the first names of its files
    /// with several.
    private var directories: [(path: String, entry: TreeEntry)] = []
    private var firstNames: [LayerEntry.Identity: String] = [:]
    /// The directory that was written to last.
    private var parent: (path: String, directory: Directory)?

    init(_ path: FilePath, cancellation: CancellationFlag) throws {
        root = try attempt("write \(path)") { try Directory(host: path, createMode: 0o755) }
        shownPath = path
        self.cancellation = cancellation
    }

    /// Writes a tree.
    ///
    /// - Parameters:
    ///   - tree: What to write; its root's own facts are not.
    ///   - prefix: Directory below the destination to write into; "" for the destination itself.
    ///   - label: Names the tree in messages.
    ///   - epoch: The time all files get, in seconds; `nil` = each its own.
    /// - Throws: ``ExportError``, `conflict`, `unwritable`, `noSpace`; what reading the tree throws.
    func write(_ tree: TreeReader, below prefix: String, label: String, epoch: Int64?) throws {
        if !prefix.isEmpty {
            try attempt("write \(shownPath)/\(prefix)") { try makeDirectory(prefix) }
        }
        directories = []
        firstNames = [:]
        try tree.walk { entry in
            if entry.path.isEmpty { return true }
            try cancellation.check()
            let path = TreePath.join(prefix, entry.path)
            try attempt("write \(shownPath)/\(path)") {
                try place(entry, of: tree, at: path, label, epoch)
            }
            return true
        }
        // Modes and times last: a directory may not be writable, and writing into it sets its time.
        for (path, entry) in directories.reversed() {
            try attempt("write \(shownPath)/\(path)") {
                let directory = try root.directory(path, scope: .noSymlinks)
                try setFacts(of: entry, tree, on: directory.descriptor)
                try directory.setTime(name: ".", time(entry, epoch))
            }
        }
    }

    private func place(
        _ entry: TreeEntry,
        of tree: TreeReader,
        at path: String,
        _ label: String,
        _ epoch: Int64?
    ) throws {
        if entry.isDirectory {
            try makeDirectory(path)
            directories.append((path, entry))
            return
        }
        if let other = written.updateValue(label, forKey: path) {
            throw ExportError(
                .conflict,
                "cannot write \(shownPath)/\(path) from \(label): \(other) has it too; use platform-split=true"
            )
        }
        if let identity = entry.entry.link {
            if let first = firstNames[identity] { return try link(path, to: first) }
            firstNames[identity] = path
        }
        try write(entry, tree, path, epoch)
    }

    private func write(
        _ entry: TreeEntry,
        _ tree: TreeReader,
        _ path: String,
        _ epoch: Int64?
    ) throws {
        let (directoryPath, name) = TreePath.split(path)
        let directory = try open(directoryPath)
        if try directory.statusIfExists(name: name)?.isDirectory == true {
            throw ExportError(
                .conflict,
                "cannot write \(shownPath)/\(path): a directory stands there; remove it"
            )
        }
        let temporary = ".kiln-\(randomToken(count: 12)).tmp"
        do {
            switch entry.kind {
            case .regular:
                let file = try directory.createFile(temporary, mode: 0o600)
                try file.copySparse(from: tree.open(entry.path), size: entry.size)
                try setFacts(of: entry, tree, on: file)
            case .symbolicLink(let target):
                try directory.makeSymbolicLink(temporary, to: target)
                try setOwner(entry, directory, temporary)
            case .fifo:
                try makeNode(entry, FileStatus.Kind.fifo, in: directory, temporary)
            case .socket:
                try makeNode(entry, FileStatus.Kind.socket, in: directory, temporary)
            case .characterDevice(let major, let minor):
                try makeNode(
                    entry,
                    FileStatus.Kind.characterDevice,
                    (major, minor),
                    in: directory,
                    temporary
                )
            case .blockDevice(let major, let minor):
                try makeNode(
                    entry,
                    FileStatus.Kind.blockDevice,
                    (major, minor),
                    in: directory,
                    temporary
                )
            case .directory, .whiteout:
                return
            }
            try directory.setTime(name: temporary, time(entry, epoch))
            try directory.rename(temporary, to: directory, name, replacing: true)
        } catch {
            try? directory.remove(name: temporary)
            throw error
        }
    }

    private func makeNode(
        _ entry: TreeEntry,
        _ kind: FileStatus.Kind,
        _ device: (major: UInt32, minor: UInt32) = (0, 0),
        in directory: Directory,
        _ name: String
    ) throws {
        try directory.makeNode(
            name,
            mode: kind.rawValue | 0o600,
            major: device.major,
            minor: device.minor
        )
        try setOwner(entry, directory, name)
        try directory.setMode(name: name, entry.mode)
    }

    private func link(_ path: String, to first: String) throws {
        let (directoryPath, name) = TreePath.split(path)
        let (firstDirectory, firstName) = TreePath.split(first)
        let directory = try root.directory(directoryPath, scope: .noSymlinks)
        let temporary = ".kiln-\(randomToken(count: 12)).tmp"
        try directory.makeHardLink(
            temporary,
            to: root.directory(firstDirectory, scope: .noSymlinks),
            firstName
        )
        do {
            try directory.rename(temporary, to: directory, name, replacing: true)
        } catch {
            try? directory.remove(name: temporary)
            throw error
        }
        // Renaming a name onto another name of the same file does nothing at all.
        try? directory.remove(name: temporary)
    }

    /// Makes a directory; one that stands there stays, a file or symlink in its place goes.
    private func makeDirectory(_ path: String) throws {
        let (parentPath, name) = TreePath.split(path)
        let directory = try open(parentPath)
        if let there = try directory.statusIfExists(name: name) {
            if there.isDirectory { return }
            try directory.remove(name: name)
        }
        try directory.makeDirectory(name, mode: 0o700)
    }

    private func open(_ path: String) throws -> Directory {
        if let parent, parent.path == path { return parent.directory }
        let directory = try root.directory(path, scope: .noSymlinks)
        parent = (path, directory)
        return directory
    }

    // MARK: Facts

    private func time(_ entry: TreeEntry, _ epoch: Int64?) -> FileStatus.Time {
        epoch.map { FileStatus.Time(seconds: $0) } ?? entry.mtime
    }

    private func setOwner(_ entry: TreeEntry, _ directory: Directory, _ name: String) throws {
        if setsOwners { try directory.setOwner(name: name, user: entry.uid, group: entry.gid) }
    }

    /// Sets owner, mode and attributes of an open file or directory; in this order, as changing the
    /// owner drops set-uid bits and capabilities.
    private func setFacts(
        of entry: TreeEntry,
        _ tree: TreeReader,
        on file: LinuxSystem.Descriptor
    ) throws {
        if setsOwners { try file.setOwner(user: entry.uid, group: entry.gid) }
        try file.setMode(entry.mode)
        for attribute in try tree.attributes(entry.path) { try set(attribute, on: file) }
    }

    /// What the file system or this user cannot hold is left out, as `cp -a` does.
    private func set(
        _ attribute: ExtendedAttribute,
        on file: LinuxSystem.Descriptor
    ) throws(SystemCallError) {
        do {
            try file.setAttribute(attribute.name, attribute.value)
        } catch  where error.errno == .notSupported {
            return
        } catch  where error.errno == .notPermitted {
            return
        }
    }
}
