// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import SystemPackage

/// An open file descriptor that is closed when its last holder lets go.
///
/// Every descriptor made here is close-on-exec. The class is safe to share: it holds a number that never changes, and
/// the kernel serialises what is done with it.
package final class Descriptor: Sendable {
    /// The number in this process.
    ///
    /// Valid while the object lives; never store it on its own.
    package let number: CInt

    /// Takes over an open descriptor.
    package init(owning number: CInt) {
        precondition(number >= 0, "a descriptor number is not negative")
        self.number = number
    }

    deinit { close(number) }

    /// Opens a path of the host, following symlinks; for paths the user of this machine chose.
    package static func open(
        host path: FilePath,
        flags: CInt = O_RDONLY,
        mode: UInt32 = 0
    ) throws(SystemCallError) -> Descriptor {
        let number = unsafe path.withPlatformString { unsafe Glibc.open($0, flags | O_CLOEXEC, mode) }
        if number < 0 { throw SystemCallError("open", path.string, .last) }
        return Descriptor(owning: number)
    }

    /// Takes hold of a path of the host without opening what is there, such as a socket; it can be mounted elsewhere.
    package static func place(host path: FilePath) throws(SystemCallError) -> Descriptor {
        try open(host: path, flags: cl_open_flag_path())
    }

    /// Makes a pipe; both ends are close-on-exec.
    package static func pipe() throws(SystemCallError) -> (read: Descriptor, write: Descriptor) {
        var ends: (CInt, CInt) = (-1, -1)
        let result = unsafe withUnsafeMutablePointer(to: &ends) { pointer in
            unsafe pointer.withMemoryRebound(to: CInt.self, capacity: 2) { unsafe cl_pipe2($0, 0) }
        }
        try check(result, "create", "a pipe")
        return (Descriptor(owning: ends.0), Descriptor(owning: ends.1))
    }

    /// Makes an anonymous file in memory; its name only shows up in `/proc`.
    package static func memory(
        _ name: String,
        sealable: Bool = false
    ) throws(SystemCallError)
        -> Descriptor
    {
        let number = unsafe name.withCString { unsafe cl_memfd_create($0, sealable ? 1 : 0) }
        return Descriptor(owning: try check(number, "create", "a memory file"))
    }

    /// The same file, seen through a mount of its own that nobody else has: who reaches it by this descriptor, and be it
    /// the program that runs from it by `/proc/self/exe`, cannot write to it.
    ///
    /// Good for running and for opening by `/proc`, not for reading itself. Source: open_tree(2), mount_setattr(2).
    ///
    /// - Throws: `EPERM` without CAP_SYS_ADMIN.
    package func readOnlyMount() throws(SystemCallError) -> Descriptor {
        Descriptor(owning: try check(cl_read_only_mount(number), "make a read-only mount of", "a file"))
    }

    /// A second descriptor of the same open file.
    package func duplicate() throws(SystemCallError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        if copy < 0 { throw SystemCallError("duplicate", "a descriptor", .last) }
        return Descriptor(owning: copy)
    }

    /// Facts about the open file.
    package func status() throws(SystemCallError) -> FileStatus {
        var raw = cl_stat()
        try check(unsafe cl_statx(number, "", 0, &raw), "read the status of", "an open file")
        return FileStatus(raw)
    }

    /// Reads at most `buffer.count` bytes; 0 means the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemCallError) -> Int {
        while true {
            let count = unsafe Glibc.read(number, buffer.baseAddress, buffer.count)
            if count >= 0 { return count }
            if Errno.last != .interrupted { throw SystemCallError("read", "a file", .last) }
        }
    }

    /// Reads at most `buffer.count` bytes at an absolute offset; 0 means the end.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: Int64
    ) throws(SystemCallError) -> Int {
        while true {
            let count = unsafe pread(number, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if Errno.last != .interrupted { throw SystemCallError("read", "a file", .last) }
        }
    }

    /// Reads to the end, refusing more than `byteLimit` bytes with `EFBIG`.
    package func readToEnd(byteLimit: Int) throws(SystemCallError) -> [UInt8] {
        var bytes: [UInt8] = []
        let hint = (try? status()).map { Int(clamping: $0.size) } ?? 0
        bytes.reserveCapacity(min(hint, byteLimit))
        var chunk = [UInt8](repeating: 0, count: max(4096, min(hint + 1, 1 << 18)))
        while true {
            let count = try readChunk(&chunk)
            if count == 0 { return bytes }
            if bytes.count + count > byteLimit {
                throw SystemCallError("read", "a file of more than \(byteLimit) bytes", .fileTooLarge)
            }
            bytes.append(contentsOf: chunk[0..<count])
        }
    }

    private func readChunk(_ chunk: inout [UInt8]) throws(SystemCallError) -> Int {
        // Typed throws do not pass through withUnsafeMutableBytes of an array: carry the result out.
        let result: Result<Int, SystemCallError> = unsafe chunk.withUnsafeMutableBytes { buffer in
            do throws(SystemCallError) {
                return .success(try unsafe read(into: buffer))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Writes all bytes, at the current offset.
    package func write(all bytes: UnsafeRawBufferPointer) throws(SystemCallError) {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = unsafe Glibc.write(number, rest.baseAddress, rest.count)
            if count < 0 {
                if Errno.last == .interrupted { continue }
                throw SystemCallError("write", "a file", .last)
            }
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Writes all bytes, at the current offset.
    package func write(_ bytes: some Sequence<UInt8>) throws(SystemCallError) {
        let contiguous = Array(bytes)
        let result: Result<Void, SystemCallError> = unsafe contiguous.withUnsafeBytes { buffer in
            do throws(SystemCallError) {
                return .success(try unsafe write(all: buffer))
            } catch {
                return .failure(error)
            }
        }
        try result.get()
    }

    /// Waits until the file's bytes and size are on disk.
    ///
    /// An error means the bytes may be lost: do not retry.
    package func sync() throws(SystemCallError) {
        if fsync(number) < 0 { throw SystemCallError("sync", "a file", .last) }
    }

    /// Waits until the whole file system of this descriptor is on disk.
    package func syncFileSystem() throws(SystemCallError) {
        try check(cl_syncfs(number), "sync", "a file system")
    }

    /// Cuts or extends the file to a size in bytes.
    package func truncate(to size: Int64) throws(SystemCallError) {
        if ftruncate(number, off_t(size)) < 0 { throw SystemCallError("resize", "a file", .last) }
    }

    /// Moves the offset at which the next read or write without an offset begins, in bytes from the beginning.
    package func seek(to offset: Int64) throws(SystemCallError) {
        if lseek(number, off_t(offset), SEEK_SET) < 0 { throw SystemCallError("seek in", "a file", .last) }
    }

    /// Makes a memory file unchangeable for good.
    package func seal() throws(SystemCallError) {
        try check(cl_memfd_seal(number), "seal", "a memory file")
    }

    /// Copies the whole of `source`, by reference where the file system can, into this empty file.
    ///
    /// - Returns: How many bytes were copied.
    @discardableResult
    package func copy(from source: Descriptor) throws(SystemCallError) -> Int64 {
        try check(cl_copy_file(source.number, number), "copy", "a file")
    }

    /// Takes an advisory lock on the whole file; it ends with the last descriptor of this open file.
    ///
    /// - Returns: `false` when somebody else holds it and `wait` is off.
    package func lock(exclusive: Bool, wait: Bool) throws(SystemCallError) -> Bool {
        let result = cl_flock(number, exclusive ? 1 : 0, wait ? 0 : 1)
        if result == -EAGAIN { return false }
        try check(result, "lock", "a file")
        return true
    }

    /// Takes an exclusive advisory lock on one byte, which need not exist: one file can carry many locks.
    ///
    /// - Parameter offset: Not negative.
    /// - Returns: `false` when another open file holds it.
    package func tryLock(byteAt offset: Int64) throws(SystemCallError) -> Bool {
        let result = cl_lock_byte(number, offset, 0)
        if result == -EAGAIN { return false }
        try check(result, "lock", "a byte of a file")
        return true
    }

    /// Whether another open file holds a lock on one byte.
    package func isLocked(byteAt offset: Int64) throws(SystemCallError) -> Bool {
        try check(cl_byte_is_locked(number, offset), "read the lock of", "a byte of a file") != 0
    }

    /// Gives the advisory lock on one byte back.
    package func unlock(byteAt offset: Int64) { _ = cl_lock_byte(number, offset, 1) }

    /// Gives the advisory lock back.
    package func unlock() { _ = cl_unlock(number) }
}

extension Descriptor {
    /// A descriptor of its own for an open file that this process was started with, such as 1 for its output.
    package convenience init(duplicating number: CInt) throws(SystemCallError) {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 3)
        if copy < 0 { throw SystemCallError("use", "the descriptor \(number)", .last) }
        self.init(owning: copy)
    }
}
