// SPDX-License-Identifier: Apache-2.0

/// One entry of a tar archive, without its bytes.
package struct TarEntry: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case regular
        /// A further name of a file that came before in the archive.
        case hardLink(target: String)
        case symbolicLink(target: String)
        case characterDevice(major: UInt32, minor: UInt32)
        case blockDevice(major: UInt32, minor: UInt32)
        case directory
        case fifo
    }

    /// `/`-separated, as it stands in the archive; a directory's ends without a slash here.
    package var path: String
    package var kind: Kind
    /// Permission bits with set-uid, set-gid and sticky.
    package var mode: UInt32
    package var uid: UInt32 = 0
    package var gid: UInt32 = 0
    /// Bytes that follow; 0 for all but regular files.
    package var size: Int64 = 0
    /// Seconds since 1970.
    package var seconds: Int64 = 0
    /// 0…999 999 999; written only where it is not 0.
    package var nanoseconds: UInt32 = 0
    /// Extended attributes by name.
    package var attributes: [(name: String, value: [UInt8])] = []

    package init(path: String, kind: Kind, mode: UInt32) {
        self.path = path
        self.kind = kind
        self.mode = mode
    }

    package static func == (left: TarEntry, right: TarEntry) -> Bool {
        left.path == right.path && left.kind == right.kind && left.mode == right.mode
            && left.uid == right.uid && left.gid == right.gid && left.size == right.size
            && left.seconds == right.seconds && left.nanoseconds == right.nanoseconds
            && left.attributes.elementsEqual(right.attributes) { $0.name == $1.name && $0.value == $1.value }
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(path) }
}
