// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import Synchronization
internal import SystemPackage

/// How owners are set on this machine.
///
/// Root sets them as they are written. In a user namespace that holds a single id, or without privileges, no other
/// owner can be set: then files belong to whoever runs Kiln, and a note is kept so that this is said once.
final class OwnerRules: Sendable {
    private let user = geteuid()
    private let group = getegid()
    /// The user and group a process makes files as, where nothing is set.
    private let refused = Mutex(false)

    /// Whether an owner could not be set since the process began.
    var wasRefused: Bool { refused.withLock { $0 } }

    /// Sets the owner of an open file just made by this process.
    ///
    /// - Returns: The owner it has now.
    func own(_ file: Descriptor, _ uid: UInt32, _ gid: UInt32) throws -> (uid: UInt32, gid: UInt32) {
        do {
            try file.setOwner(user: uid, group: gid)
            return (uid, gid)
        } catch  where isRefusal(error) {
            note()
            return (user, group)
        }
    }

    /// Sets the owner of a name just made by this process.
    ///
    /// - Returns: The owner it has now.
    func own(_ place: Directory, _ name: String, _ uid: UInt32, _ gid: UInt32) throws -> (uid: UInt32, gid: UInt32) {
        do {
            try place.setOwner(name: name, user: uid, group: gid)
            return (uid, gid)
        } catch  where isRefusal(error) {
            note()
            return (user, group)
        }
    }

    /// Whether an attribute that cannot be set is let pass: the file system or the lack of privilege forbids it.
    func forgives(_ error: SystemCallError) -> Bool {
        error.errno == .notSupported || error.errno == .notPermitted
    }

    private func isRefusal(_ error: SystemCallError) -> Bool {
        error.errno == .notPermitted || error.errno == .invalidArgument
    }

    private func note() { refused.withLock { $0 = true } }
}
