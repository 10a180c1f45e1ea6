// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import SystemPackage

/// What belongs to an open file besides its bytes. Faster and safer than by name: no path is walked again.
extension Descriptor {
    /// Sets permission bits, set-uid, set-gid and sticky.
    package func setMode(_ mode: UInt32) throws(SystemCallError) {
        if fchmod(number, mode) < 0 { throw SystemCallError("set the mode of", "an open file", .last) }
    }

    /// Sets owner and group.
    ///
    /// The kernel drops set-uid and set-gid: set the mode afterwards.
    package func setOwner(user: UInt32, group: UInt32) throws(SystemCallError) {
        if fchown(number, user, group) < 0 {
            throw SystemCallError("set the owner of", "an open file", .last)
        }
    }

    /// Sets access and modification time.
    package func setTime(_ time: FileStatus.Time) throws(SystemCallError) {
        let spec = timespec(tv_sec: Int(time.seconds), tv_nsec: Int(time.nanoseconds))
        let times = [spec, spec]
        if unsafe futimens(number, times) < 0 {
            throw SystemCallError("set the time of", "an open file", .last)
        }
    }

    package func setAttribute(_ attribute: String, _ value: [UInt8]) throws(SystemCallError) {
        let result = unsafe cl_fsetxattr(number, attribute, value, value.count)
        try check(result, "set the attribute \(attribute) of", "an open file")
    }

    /// Copies `size` bytes of `source` into this empty file, by reference where the file system can; holes stay holes.
    ///
    /// - Returns: How many bytes of data were copied; fewer than announced when the source is shorter.
    @discardableResult
    package func copySparse(from source: Descriptor, size: UInt64) throws(SystemCallError) -> Int64 {
        try check(cl_copy_sparse(source.number, number, Int64(clamping: size)), "copy", "a file")
    }
}
