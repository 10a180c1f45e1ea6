// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import SystemPackage

extension Directory {
    /// Takes an exclusive advisory lock on the directory itself; it ends with the last descriptor of this open directory.
    ///
    /// Unlike the locks of files it needs no right to write, so no file has to be made for it. It is `flock`'s, which
    /// knows nothing of those of ``Descriptor/lock(exclusive:wait:)``.
    ///
    /// - Returns: `false` when somebody else holds it and `wait` is off, or when this file system has no such locks.
    package func lock(wait: Bool) throws(SystemCallError) -> Bool {
        while flock(descriptor.number, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0 {
            let error = Errno.last
            switch error {
            case .interrupted: continue
            case .wouldBlock, .badFileDescriptor, .noLocks, .notSupported, .invalidArgument: return false
            default: throw SystemCallError("lock", "a directory", error)
            }
        }
        return true
    }
}
