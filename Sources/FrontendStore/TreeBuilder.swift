// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// Writes the files of a package into an empty directory and computes their tree digest on the way.
///
/// What is written is normalised: files have one of two modes, directories one, nobody's owner, time, or attribute
/// is taken over, and directories without files do not exist. So two trees of one digest are the same to a frontend.
/// Used by one thread.
struct TreeBuilder {
    private static let bufferByteCount = 256 << 10
    /// Trees of more files are made durable by one sync of the file system.
    private static let singleSyncCount = 64

    /// The permission bits of what is written.
    enum Modes {
        /// For the store: nobody changes it.
        case readOnly
        /// For a working copy.
        case writable

        func file(isExecutable: Bool) -> UInt32 {
            switch self {
            case .readOnly: isExecutable ? 0o555 : 0o444
            case .writable: isExecutable ? 0o755 : 0o644
            }
        }

        var directory: UInt32 { self == .readOnly ? 0o555 : 0o755 }
    }

    private let root: Directory
    private let modes: Modes
    private var lines = TreeDigest.Lines()
    private var paths = PackagePaths()
    private var links: [String] = []
    /// Paths of the directories made so far.
    private var directories: Set<String> = []
    /// The directory that was written to last.
    private var last: (path: String, directory: Directory)
    private var fileCount = 0
    private let byteLimit: Int64
    private var bytesLeft: Int64

    /// - Parameter root: Empty, and nobody else's.
    init(root: Directory, modes: Modes = .readOnly, byteLimit: Int64 = FrontendLimit.treeByteCount) {
        self.byteLimit = byteLimit
        bytesLeft = byteLimit
        self.root = root
        self.modes = modes
        last = ("", root)
    }

    /// Adds a file whose bytes `read` gives, 0 at its end.
    ///
    /// - Throws: `badPackage`, `tooLarge`, what `read` throws.
    mutating func addFile(
        _ path: String,
        isExecutable: Bool,
        read: (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws {
        let (directory, name) = try place(path)
        let file = try attempt("write \"\(shown(path))\"") { try directory.createFile(name, mode: 0o600) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferByteCount, alignment: 16)
        defer { unsafe buffer.deallocate() }
        var digester = Digester()
        var size: Int64 = 0
        while true {
            let count = try unsafe read(buffer)
            if count == 0 { break }
            bytesLeft -= Int64(count)
            guard bytesLeft >= 0 else {
                throw FrontendStoreError(
                    .tooLarge,
                    "cannot use the package: it holds more than the \(byteLimit) bytes that are allowed"
                )
            }
            let piece = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            unsafe digester.update(piece)
            try attempt("write \"\(shown(path))\"") { try unsafe file.write(all: piece) }
            size += Int64(count)
        }
        try attempt("write \"\(shown(path))\"") {
            try file.setMode(modes.file(isExecutable: isExecutable))
            fileCount += 1
            if fileCount <= Self.singleSyncCount { try file.sync() }
        }
        do {
            try lines.add(mode: isExecutable ? .executable : .file, size: size, sha256: digester.finish(), path: path)
        } catch {
            throw Self.refusal(error)
        }
    }

    /// Adds a symbolic link.
    mutating func addLink(_ path: String, to target: String) throws {
        try PackagePaths.check(link: path, to: target)
        let (directory, name) = try place(path)
        try attempt("write \"\(shown(path))\"") { try directory.makeSymbolicLink(name, to: target) }
        do {
            try lines.add(linkTo: target, path: path)
        } catch {
            throw Self.refusal(error)
        }
        links.append(path)
    }

    /// Adds all entries of an archive.
    ///
    /// - Throws: `badPackage` for what is no file, directory or link, and for what leads out of the package; what reading
    ///   throws.
    mutating func add(_ archive: ArchiveReader) throws {
        /// Whether each file that was written is executable.
        var written: [String: Bool] = [:]
        while let entry = try archive.next() {
            let path = Self.plain(entry.path)
            switch entry.kind {
            case .directory: continue
            case .regular:
                let isExecutable = entry.mode & 0o100 != 0
                try unsafe addFile(path, isExecutable: isExecutable) { unsafe try archive.readData(into: $0) }
                written[path] = isExecutable
            case .hardLink(let target):
                let original = Self.plain(target)
                guard let isExecutable = written[original] else {
                    throw PackagePaths.refusal(
                        entry.path,
                        "it is a hard link to \"\(shown(target))\", which is no file before it"
                    )
                }
                let file = try attempt("read \"\(shown(original))\"") {
                    try root.open(original, flags: O_RDONLY | O_NOFOLLOW, scope: .noSymlinks)
                }
                try unsafe addFile(path, isExecutable: isExecutable) { unsafe try file.read(into: $0) }
                written[path] = isExecutable
            case .symbolicLink(let target): try addLink(path, to: target)
            case .characterDevice, .blockDevice: throw PackagePaths.refusal(entry.path, "a package holds no devices")
            case .fifo: throw PackagePaths.refusal(entry.path, "a package holds no pipes")
            }
        }
    }

    /// Completes the tree: every link leads to something inside, modes are set, all of it is on disk.
    ///
    /// Nothing may be added afterwards.
    mutating func finish() throws -> TreeDigest {
        for path in links { try LinkCheck.require(path, stays: root) }
        last = ("", root)
        try attempt("write the package") {
            // Deepest first, so that each is still writable when its children are done.
            for path in directories.sorted(by: { $0.utf8.count > $1.utf8.count }) {
                let directory = try root.directory(path, scope: .noSymlinks)
                try directory.descriptor.setMode(modes.directory)
                if fileCount <= Self.singleSyncCount { try directory.sync() }
            }
            try root.descriptor.setMode(modes.directory)
            if fileCount <= Self.singleSyncCount { try root.sync() } else { try root.descriptor.syncFileSystem() }
        }
        return lines.finish()
    }

    /// The name as `tar` of a directory writes it, without `./` before it.
    private static func plain(_ path: String) -> String {
        var rest = path[...]
        while rest.hasPrefix("./") { rest = rest.dropFirst(2) }
        return String(rest)
    }

    /// The directory a new path lies in, made where it is missing.
    private mutating func place(_ path: String) throws -> (directory: Directory, name: String) {
        // The digest's own rules come first: what passes them has no "..", no "//" and no leading slash.
        var probe = TreeDigest.Lines()
        do {
            try probe.add(linkTo: "", path: path)
        } catch {
            throw Self.refusal(error)
        }
        try paths.add(path)
        guard let slash = path.lastIndex(of: "/") else { return (root, path) }
        let (parent, name) = (String(path[..<slash]), String(path[path.index(after: slash)...]))
        if last.path == parent { return (last.directory, name) }
        var current = root
        var sofar = ""
        for part in parent.split(separator: "/") {
            sofar += sofar.isEmpty ? part : "/" + part
            if directories.insert(sofar).inserted {
                try attempt("write \"\(shown(sofar))\"") { try current.makeDirectory(String(part), mode: 0o755) }
            }
            current = try attempt("write \"\(shown(sofar))\"") {
                try current.directory(String(part), scope: .noSymlinks)
            }
        }
        last = (parent, current)
        return (current, name)
    }

    private static func refusal(_ error: ProjectError) -> FrontendStoreError {
        FrontendStoreError(
            error.code == .limit ? .tooLarge : .badPackage,
            "cannot use the package: \(error.message)",
            cause: error
        )
    }
}

/// Where links of a package lead.
enum LinkCheck {
    /// - Throws: `badPackage` unless a link leads to something in `root`, however many links are on the way.
    static func require(_ path: String, stays root: Directory) throws {
        do {
            // Beneath: the kernel refuses every step out of the directory.
            _ = try root.open(path, flags: cPath, scope: .beneath)
        } catch {
            throw PackagePaths.refusal(
                path,
                "the link leads out of the package or nowhere (\(error.errno.description.lowercased()))"
            )
        }
    }

    /// `O_PATH`, which Glibc shows only under _GNU_SOURCE: the file is found, not opened.
    private static let cPath: CInt = 0o10000000
}
