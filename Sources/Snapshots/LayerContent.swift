// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import OCI

/// One name in one layer.
package struct LayerEntry: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        /// An opaque directory hides what lower layers hold at its path; another one is merged with it.
        case directory(opaque: Bool)
        case regular
        /// The target as it is written; it may lead anywhere.
        case symbolicLink(target: String)
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        case fifo
        case socket
        /// The name was deleted in this layer.
        case whiteout
    }

    /// Two names with the same identity are hard links of one file.
    package struct Identity: Sendable, Hashable {
        package var device: UInt64
        package var inode: UInt64

        package init(device: UInt64, inode: UInt64) {
            self.device = device
            self.inode = inode
        }
    }

    package var kind: Kind
    /// Permission bits with set-uid, set-gid and sticky: 0…0o7777.
    package var mode: UInt32
    package var uid: UInt32
    package var gid: UInt32
    /// Length of a regular file in bytes; 0 for all else.
    package var size: UInt64
    package var mtime: FileStatus.Time
    /// Set when the file has, or may have, further names.
    package var link: Identity?

    package init(
        kind: Kind,
        mode: UInt32,
        uid: UInt32 = 0,
        gid: UInt32 = 0,
        size: UInt64 = 0,
        mtime: FileStatus.Time = FileStatus.Time(seconds: 0),
        link: Identity? = nil
    ) {
        self.kind = kind
        self.mode = mode
        self.uid = uid
        self.gid = gid
        self.size = size
        self.mtime = mtime
        self.link = link
    }

    package var isDirectory: Bool { if case .directory = kind { true } else { false } }
    package var isRegular: Bool { kind == .regular }
    package var isSymbolicLink: Bool { linkTarget != nil }
    /// Where a symlink points; `nil` for all else.
    package var linkTarget: String? {
        if case .symbolicLink(let target) = kind { target } else { nil }
    }
}

/// One extended attribute.
package struct ExtendedAttribute: Sendable, Hashable {
    package var name: String
    package var value: [UInt8]

    package init(name: String, value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

/// What one layer holds, in the terms of overlayfs, readable without mounting anything.
///
/// A layer's content never changes. Paths are clean (``TreePath/clean(_:)``); the root is "". No call follows a
/// symlink: a path below something that is not a directory of this layer is not there. Calls may block on the disk and
/// come from several threads at once.
package protocol LayerContent: Sendable {
    /// The entry at a path in this layer alone, `nil` when the layer does not speak of it.
    ///
    /// For the root, `nil` means that the layer has no opinion on the root's owner, mode and time.
    func entry(_ path: String) throws -> LayerEntry?

    /// The names in a directory in this layer alone, whiteouts included, in no order; none when it is no directory.
    func children(_ path: String) throws -> [String]

    /// Opens a regular file for reading.
    func open(_ path: String) throws -> LinuxSystem.Descriptor

    /// The extended attributes of an entry, sorted by name, without those of overlayfs itself.
    func attributes(_ path: String) throws -> [ExtendedAttribute]

    /// The ``ContentHash/file(_:attributes:content:)`` of a regular file where it is known already; `nil` = compute.
    func fileDigest(_ path: String) throws -> Digest?

    /// Called with a file that ``open(_:)`` gave, once its bytes were copied: throws when they may not be those that
    /// ``fileDigest(_:)`` speaks of, because somebody wrote to the file meanwhile.
    func confirmUnchanged(_ path: String, _ file: LinuxSystem.Descriptor) throws

    /// As ``entry(_:)`` for a name in a directory whose clean path is at hand: saves joining them.
    func entry(in directory: String, name: String) throws -> LayerEntry?
}

extension LayerContent {
    package func attributes(_ path: String) throws -> [ExtendedAttribute] { [] }
    package func fileDigest(_ path: String) throws -> Digest? { nil }
    package func confirmUnchanged(_ path: String, _ file: LinuxSystem.Descriptor) throws {}
    package func entry(in directory: String, name: String) throws -> LayerEntry? {
        try entry(TreePath.join(directory, name))
    }
}
