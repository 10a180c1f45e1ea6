// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import SystemPackage

/// A system call that failed, in the words of the house: verb, object, reason.
package struct SystemCallError: Error, Sendable, CustomStringConvertible {
    /// What was to be done, as an infinitive phrase without its object: "open", "rename".
    package let verb: String
    /// The path or thing it was to be done to, as the caller named it.
    package let object: String
    /// Why the kernel refused.
    package let errno: Errno

    package init(_ verb: String, _ object: String, _ errno: Errno) {
        self.verb = verb
        self.object = object
        self.errno = errno
    }

    package var description: String {
        "cannot \(verb) \(object): \(errno.description.lowercased())"
    }

    /// Whether the named thing does not exist.
    package var isNotFound: Bool { errno == .noSuchFileOrDirectory || errno == .notDirectory }

    /// Whether the disk, quota or inode table is full.
    package var isNoSpace: Bool { errno == .noSpace || errno == .diskQuotaExceeded }
}

/// Returns a C result that is not negative, or throws the errno it carries.
///
/// - Parameter result: A CLinux result: a value >= 0, or a negative errno.
@discardableResult
package func check<Result: SignedInteger>(
    _ result: Result,
    _ verb: @autoclosure () -> String,
    _ object: @autoclosure () -> String
) throws(SystemCallError) -> Result {
    if result >= 0 { return result }
    throw SystemCallError(verb(), object(), Errno(rawValue: CInt(truncatingIfNeeded: -result)))
}

extension Errno {
    /// The errno of the last C call on this thread; valid only right after the call failed.
    static var last: Errno { Errno(rawValue: Glibc.errno) }
}
