// SPDX-License-Identifier: Apache-2.0

internal import CLinux

/// What `statx` says about a file.
package struct FileStatus: Sendable, Hashable {
    /// The type of a file, from the upper bits of its mode.
    package enum Kind: UInt32, Sendable {
        case fifo = 0o010000
        case characterDevice = 0o020000
        case directory = 0o040000
        case blockDevice = 0o060000
        case regular = 0o100000
        case symbolicLink = 0o120000
        case socket = 0o140000
    }

    /// A moment of a file's clock, since 1970.
    package struct Time: Sendable, Hashable, Comparable {
        package var seconds: Int64
        package var nanoseconds: UInt32

        package init(seconds: Int64, nanoseconds: UInt32 = 0) {
            self.seconds = seconds
            self.nanoseconds = nanoseconds
        }

        package static func < (left: Time, right: Time) -> Bool {
            (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
        }
    }

    package var device: UInt64
    package var inode: UInt64
    /// Type and permission bits as the kernel packs them.
    package var mode: UInt32
    package var owner: UInt32
    package var group: UInt32
    package var linkCount: UInt32
    /// Length in bytes.
    package var size: UInt64
    /// Space on disk in bytes.
    package var allocatedSize: UInt64
    package var modified: Time
    package var changed: Time
    package var deviceMajor: UInt32
    package var deviceMinor: UInt32

    /// Tells these bytes from those that a file had before it was written, or that another file has: device, inode, size,
    /// and times of change.
    package var contentIdentity: String {
        let times = [modified, changed].map { "\($0.seconds).\($0.nanoseconds)" }
        return "\(device) \(inode) \(size) \(times[0]) \(times[1])"
    }

    init(_ raw: cl_stat) {
        device = raw.dev
        inode = raw.ino
        mode = raw.mode
        owner = raw.uid
        group = raw.gid
        linkCount = raw.nlink
        size = raw.size
        allocatedSize = raw.blocks &* 512
        modified = Time(seconds: raw.mtime_sec, nanoseconds: raw.mtime_nsec)
        changed = Time(seconds: raw.ctime_sec, nanoseconds: raw.ctime_nsec)
        deviceMajor = raw.rdev_major
        deviceMinor = raw.rdev_minor
    }

    /// The type; a mode the kernel never gives reads as a regular file.
    package var kind: Kind { Kind(rawValue: mode & 0o170000) ?? .regular }
    /// Permission bits with set-uid, set-gid and sticky.
    package var permissions: UInt32 { mode & 0o7777 }
    package var isDirectory: Bool { kind == .directory }
    package var isRegular: Bool { kind == .regular }
    package var isSymbolicLink: Bool { kind == .symbolicLink }
    /// Whether overlayfs reads this as "deleted here": a character device 0:0.
    package var isWhiteout: Bool {
        kind == .characterDevice && deviceMajor == 0 && deviceMinor == 0
    }
}
