// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import SystemPackage

/// `AT_EMPTY_PATH`, which Glibc shows only under _GNU_SOURCE: an empty name means the descriptor itself.
private let atEmptyPath: CInt = 0x1000

/// An open directory, and what can be done beneath it.
///
/// Every path is relative to the directory and resolved by the kernel (`openat2`), never by string: with
/// ``Scope/beneath`` a path that would leave the directory fails, with ``Scope/inRoot`` it is read as if the directory
/// were `/`, as a process in a container would. Methods that take a `name` act on one path component and follow nothing.
package struct Directory: Sendable {
    /// How `..`, absolute symlinks and absolute paths are read.
    package enum Scope: Sendable {
        /// Leaving the directory is an error (`EXDEV`).
        case beneath
        /// The directory is the root of everything.
        case inRoot
        /// As ``beneath``, and any symlink on the way is an error (`ELOOP`).
        case noSymlinks

        fileprivate var resolve: UInt64 {
            switch self {
            case .beneath: cl_resolve_beneath() | cl_resolve_no_magiclinks()
            case .inRoot: cl_resolve_in_root() | cl_resolve_no_magiclinks()
            case .noSymlinks: cl_resolve_beneath() | cl_resolve_no_symlinks()
            }
        }
    }

    /// One name in a directory.
    package struct Entry: Sendable, Hashable {
        /// The name, as the bytes the file system gave, repaired where they are no UTF-8.
        package let name: String
        /// The type, where the file system tells it for free.
        package let kind: FileStatus.Kind?
    }

    package let descriptor: Descriptor

    package init(_ descriptor: Descriptor) { self.descriptor = descriptor }

    /// Opens a directory of the host by a path its user chose.
    package init(host path: FilePath) throws(SystemCallError) {
        descriptor = try Descriptor.open(host: path, flags: O_RDONLY | O_DIRECTORY)
    }

    /// Opens a directory of the host, making it and its parents (mode 0755) where they are missing.
    package init(host path: FilePath, createMode mode: UInt32) throws(SystemCallError) {
        var sofar = FilePath()
        if path.isAbsolute { sofar = "/" }
        for component in path.components {
            sofar.append(component)
            let last = sofar == path
            if unsafe sofar.withPlatformString({ unsafe Glibc.mkdir($0, last ? mode : 0o755) }) < 0,
                Errno.last != .fileExists
            {
                throw SystemCallError("create the directory", sofar.string, .last)
            }
        }
        try self.init(host: path)
    }

    // MARK: Opening

    /// Opens a file or directory below.
    ///
    /// - Parameters:
    ///   - flags: `O_*`; close-on-exec is added.
    ///   - mode: Permission bits when `O_CREAT` makes the file.
    package func open(
        _ path: String,
        flags: CInt = O_RDONLY,
        mode: UInt32 = 0,
        scope: Scope = .beneath
    ) throws(SystemCallError) -> Descriptor {
        let shown = path.isEmpty ? "." : path
        let number = unsafe shown.withCString { pointer in
            unsafe cl_openat2(
                descriptor.number,
                pointer,
                UInt64(UInt32(bitPattern: flags)),
                UInt64(mode),
                scope.resolve
            )
        }
        return Descriptor(owning: try check(number, "open", shown))
    }

    /// Opens a directory below; an empty path means this one.
    package func directory(
        _ path: String,
        scope: Scope = .beneath
    ) throws(SystemCallError)
        -> Directory
    {
        Directory(try open(path, flags: O_RDONLY | O_DIRECTORY, scope: scope))
    }

    /// Creates a new file; it must not exist.
    package func createFile(_ path: String, mode: UInt32) throws(SystemCallError) -> Descriptor {
        try open(path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
    }

    /// Makes a directory below, and any missing parents (mode 0755), and opens it.
    package func makeDirectories(
        _ path: String,
        mode: UInt32 = 0o755
    ) throws(SystemCallError)
        -> Directory
    {
        var current = self
        for component in path.split(separator: "/") {
            do {
                try current.makeDirectory(String(component), mode: mode)
            } catch  where error.errno == .fileExists {
                // Somebody else was quicker, or it always stood: opening tells whether it is a directory.
            }
            current = try current.directory(String(component), scope: .noSymlinks)
        }
        return current
    }

    // MARK: Facts

    /// Status of one name here, not following a symlink; an empty name means this directory.
    package func status(name: String = "") throws(SystemCallError) -> FileStatus {
        var raw = cl_stat()
        let result = unsafe name.withCString { unsafe cl_statx(descriptor.number, $0, 0, &raw) }
        try check(result, "read the status of", name)
        return FileStatus(raw)
    }

    /// Status of one name here, or `nil` when there is none.
    package func statusIfExists(name: String) throws(SystemCallError) -> FileStatus? {
        do {
            return try status(name: name)
        } catch  where error.isNotFound {
            return nil
        }
    }

    /// Where a symlink points, as it is written.
    package func readLink(name: String) throws(SystemCallError) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = unsafe readlinkat(descriptor.number, name, &buffer, buffer.count)
        if count < 0 { throw SystemCallError("read the link", name, .last) }
        return String(decoding: buffer[0..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// All names here, unordered, without `.` and `..`.
    package func entries() throws(SystemCallError) -> [Entry] {
        // A descriptor of its own: reading moves the offset, and this one may be shared.
        let own = try open(".", flags: O_RDONLY | O_DIRECTORY)
        let capacity = 32 << 10
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 8)
        defer { unsafe buffer.deallocate() }
        var entries: [Entry] = []
        while true {
            guard let base = buffer.baseAddress else { return entries }
            let count = unsafe cl_getdents(own.number, base, capacity)
            if try check(count, "list", "a directory") == 0 { return entries }
            // linux_dirent64: u64 ino, s64 offset, u16 record length, u8 type, name ended by zero.
            var offset = 0
            while offset < count {
                let record = unsafe base + offset
                let length = Int(unsafe record.loadUnaligned(fromByteOffset: 16, as: UInt16.self))
                let type = unsafe record.load(fromByteOffset: 18, as: UInt8.self)
                let name = unsafe String(
                    cString: (record + 19).assumingMemoryBound(to: CChar.self)
                )
                if name != ".", name != ".." {
                    entries.append(Entry(name: name, kind: FileStatus.Kind(rawValue: UInt32(type) << 12)))
                }
                offset += length
            }
        }
    }

    // MARK: Changing

    package func makeDirectory(_ name: String, mode: UInt32) throws(SystemCallError) {
        if unsafe mkdirat(descriptor.number, name, mode) < 0 {
            throw SystemCallError("create the directory", name, .last)
        }
    }

    package func makeSymbolicLink(_ name: String, to target: String) throws(SystemCallError) {
        if unsafe symlinkat(target, descriptor.number, name) < 0 {
            throw SystemCallError("create the link", name, .last)
        }
    }

    /// Makes a second name for a file that stands in another directory.
    package func makeHardLink(
        _ name: String,
        to directory: Directory,
        _ original: String
    ) throws(SystemCallError) {
        let result = unsafe linkat(
            directory.descriptor.number,
            original,
            descriptor.number,
            name,
            0
        )
        if result < 0 { throw SystemCallError("link", name, .last) }
    }

    /// Makes a device, FIFO or socket node; `mode` holds type and permissions.
    package func makeNode(
        _ name: String,
        mode: UInt32,
        major: UInt32 = 0,
        minor: UInt32 = 0
    ) throws(SystemCallError) {
        let result = unsafe name.withCString {
            unsafe cl_mknodat(descriptor.number, $0, mode, major, minor)
        }
        try check(result, "create the node", name)
    }

    /// Moves a name, possibly to another directory of the same file system.
    package func rename(
        _ name: String,
        to directory: Directory,
        _ newName: String,
        replacing: Bool = false
    ) throws(SystemCallError) {
        let result = unsafe cl_renameat2(
            descriptor.number,
            name,
            directory.descriptor.number,
            newName,
            replacing ? 0 : 1
        )
        try check(result, "rename", name)
    }

    /// Removes one name: a directory when it is empty, else the file itself.
    package func remove(name: String, isDirectory: Bool = false) throws(SystemCallError) {
        if unsafe unlinkat(descriptor.number, name, isDirectory ? AT_REMOVEDIR : 0) < 0 {
            throw SystemCallError("remove", name, .last)
        }
    }

    /// Removes a name and all below it; missing is fine.
    ///
    /// Never follows a symlink and never leaves the file system of names it was given.
    package func removeTree(name: String) throws(SystemCallError) {
        do {
            try remove(name: name)
            return
        } catch  where error.errno == .noSuchFileOrDirectory {
            return
        } catch  where error.errno == .isDirectory || error.errno == .notPermitted {
            // A directory: empty it first.
        }
        var stack = [(parent: self, name: name, visited: false)]
        while let top = stack.popLast() {
            if top.visited {
                do {
                    try top.parent.remove(name: top.name, isDirectory: true)
                } catch  where error.errno == .noSuchFileOrDirectory {
                    continue
                }
                continue
            }
            let inside: Directory
            do {
                inside = try top.parent.directory(top.name, scope: .noSymlinks)
            } catch  where error.errno == .permissionDenied {
                try top.parent.setMode(name: top.name, 0o700)
                inside = try top.parent.directory(top.name, scope: .noSymlinks)
            } catch  where error.errno == .noSuchFileOrDirectory {
                continue
            }
            stack.append((top.parent, top.name, true))
            for entry in try inside.entries() {
                var kind = entry.kind
                if kind == nil { kind = try inside.statusIfExists(name: entry.name)?.kind }
                if kind == .directory {
                    stack.append((inside, entry.name, false))
                } else {
                    do {
                        try inside.remove(name: entry.name)
                    } catch  where error.errno == .noSuchFileOrDirectory {
                        continue
                    }
                }
            }
        }
    }

    /// Sets permission bits of a name; a symlink has none and is an error.
    package func setMode(name: String, _ mode: UInt32) throws(SystemCallError) {
        let result = unsafe name.withCString {
            unsafe cl_fchmodat_nofollow(descriptor.number, $0, mode)
        }
        try check(result, "set the mode of", name)
    }

    /// Sets owner and group of a name, of a symlink itself.
    package func setOwner(name: String, user: UInt32, group: UInt32) throws(SystemCallError) {
        if unsafe fchownat(descriptor.number, name, user, group, AT_SYMLINK_NOFOLLOW | atEmptyPath) < 0 {
            throw SystemCallError("set the owner of", name, .last)
        }
    }

    /// Sets access and modification time of a name, of a symlink itself.
    package func setTime(name: String, _ time: FileStatus.Time) throws(SystemCallError) {
        let result = unsafe name.withCString {
            unsafe cl_utimensat(descriptor.number, $0, time.seconds, Int64(time.nanoseconds))
        }
        try check(result, "set the time of", name)
    }

    // MARK: Extended attributes

    /// Names of all extended attributes of a name, sorted.
    package func attributeNames(name: String) throws(SystemCallError) -> [String] {
        var buffer = [CChar](repeating: 0, count: 4096)
        while true {
            let count = unsafe cl_llistxattrat(descriptor.number, name, &buffer, buffer.count)
            if count == -Int(ERANGE), buffer.count < 1 << 20 {
                buffer = [CChar](repeating: 0, count: buffer.count * 4)
                continue
            }
            if count == -Int(EOPNOTSUPP) { return [] }
            let length = try check(count, "list the attributes of", name)
            return buffer[0..<length].split(separator: 0)
                .map { String(decoding: $0.map { UInt8(bitPattern: $0) }, as: UTF8.self) }
                .sorted()
        }
    }

    /// Value of an extended attribute, or `nil` when the file does not have it.
    package func attribute(_ attribute: String, name: String) throws(SystemCallError) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 256)
        while true {
            let count = unsafe cl_lgetxattrat(
                descriptor.number,
                name,
                attribute,
                &buffer,
                buffer.count
            )
            if count == -Int(ERANGE), buffer.count < 1 << 20 {
                buffer = [UInt8](repeating: 0, count: buffer.count * 16)
                continue
            }
            if count == -Int(ENODATA) || count == -Int(EOPNOTSUPP) { return nil }
            return Array(buffer[0..<(try check(count, "read the attribute \(attribute) of", name))])
        }
    }

    package func setAttribute(
        _ attribute: String,
        name: String,
        _ value: [UInt8]
    )
        throws(SystemCallError)
    {
        let result = unsafe cl_lsetxattrat(descriptor.number, name, attribute, value, value.count)
        try check(result, "set the attribute \(attribute) of", name)
    }

    package func removeAttribute(_ attribute: String, name: String) throws(SystemCallError) {
        let result = unsafe cl_lremovexattrat(descriptor.number, name, attribute)
        try check(result, "remove the attribute \(attribute) of", name)
    }

    // MARK: Durability

    /// Waits until names made, moved or removed here are on disk.
    package func sync() throws(SystemCallError) { try descriptor.sync() }

    /// The magic number of the file system, as `statfs` gives it.
    package func fileSystemType() throws(SystemCallError) -> UInt64 {
        var magic: UInt64 = 0
        try check(unsafe cl_fs_type(descriptor.number, &magic), "read the type of", "a file system")
        return magic
    }

    /// Bytes of the file system as a whole, and bytes still free for us.
    package func space() throws(SystemCallError) -> (total: UInt64, available: UInt64) {
        var total: UInt64 = 0
        var available: UInt64 = 0
        try check(
            unsafe cl_fs_space(descriptor.number, &total, &available),
            "read the free space of",
            "a file system"
        )
        return (total, available)
    }
}
