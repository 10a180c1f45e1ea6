// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import OCI

/// Digests of files, directories and links as BuildKit's content hash computes them.
///
/// What a digest covers: type, permission bits, owner, group, size, link target, device numbers, extended attributes
/// and bytes. What it leaves out: names (they are added by the directory) and all times.
///
/// Source: BuildKit cache/contenthash, format "tarsum v1" over a tar header with an empty name.
package enum ContentHash {
    /// The digest of nothing; stands for the header of a root no layer speaks of.
    package static let empty = Digest.of([UInt8]())

    /// The digest of one entry that is no directory.
    ///
    /// - Parameters:
    ///   - attributes: All extended attributes; those that do not count are left out here.
    ///   - content: The open file, for a regular one; read from its beginning to ``LayerEntry/size``.
    /// - Throws: ``SnapshotError``, `failed`, when the file has another length than its entry says.
    package static func file(
        _ entry: LayerEntry,
        attributes: [ExtendedAttribute],
        content: LinuxSystem.Descriptor?
    ) throws -> Digest {
        var digester = header(entry, attributes: attributes)
        guard entry.isRegular, entry.size > 0, let content else { return digester.finish() }
        let capacity = Int(min(entry.size, 1 << 18))
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
        defer { unsafe buffer.deallocate() }
        var offset: UInt64 = 0
        while true {
            let count = try attempt("read a file") {
                unsafe try content.read(into: buffer, at: Int64(clamping: offset))
            }
            if count == 0 { break }
            unsafe digester.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += UInt64(count)
        }
        if offset != entry.size {
            throw SnapshotError(
                .failed,
                "cannot hash a file: it has \(offset) bytes, expected \(entry.size); it changed meanwhile"
            )
        }
        return digester.finish()
    }

    /// The digest of a directory's own owner, mode and attributes, without what is in it.
    package static func directoryHeader(_ entry: LayerEntry, attributes: [ExtendedAttribute]) -> Digest {
        header(entry, attributes: attributes).finish()
    }

    /// A digester that has read everything but the bytes of a regular file.
    package static func header(_ entry: LayerEntry, attributes: [ExtendedAttribute]) -> Digester {
        var mode = entry.mode & 0o7777
        var type: Character
        var size: UInt64 = 0
        var link = ""
        var device: (major: UInt32, minor: UInt32) = (0, 0)
        switch entry.kind {
        case .directory: type = "5"
        // A socket has no type of its own in tar: it counts as an empty file.
        case .regular, .socket, .whiteout:
            type = "0"
            size = entry.size
        case .symbolicLink(let target):
            type = "2"
            link = target
            mode |= 0o777
        case .characterDevice(let major, let minor):
            type = "3"
            device = (major, minor)
        case .blockDevice(let major, let minor):
            type = "4"
            device = (major, minor)
        case .fifo: type = "6"
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(128)
        bytes += "namemode\(mode)uid\(entry.uid)gid\(entry.gid)size\(size)typeflag\(type)linkname".utf8
        bytes += link.utf8
        bytes += "unamegnamedevmajor\(device.major)devminor\(device.minor)".utf8
        let counted = attributes.filter {
            $0.name == "security.capability"
                || !$0.name.hasPrefix("security.") && !$0.name.hasPrefix("system.")
        }
        for attribute in counted.sorted(by: { PathKey($0.name) < PathKey($1.name) }) {
            bytes += attribute.name.utf8
            bytes += attribute.value
        }
        var digester = Digester()
        digester.update(bytes)
        return digester
    }
}
