// SPDX-License-Identifier: Apache-2.0

internal import CArchive
internal import Glibc
package import LinuxSystem

/// Reads tar archives with libarchive, entry by entry.
///
/// What comes out is only checked for form: names may lead anywhere, and whoever writes files by them has to see to it.
/// Used by one thread.
@safe package final class ArchiveReader {
    /// Entries of one archive.
    package static let entryCountMax = 5_000_000
    /// Bytes of a name or link target.
    package static let nameByteLimit = 4096
    /// Extended attributes of one entry, and bytes of one value.
    private static let attributeCountMax = 256
    private static let attributeByteLimit = 1 << 20
    private static let bufferByteCount = 256 << 10

    private let archive: OpaquePointer
    private let source: Source
    private var entryCount = 0
    /// Bytes of the current entry that were not read yet.
    private var missingByteCount: Int64 = 0

    /// Where the bytes come from, held alive for libarchive's callbacks.
    @safe private final class Source {
        let read: (UnsafeMutableRawBufferPointer) throws -> Int
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: ArchiveReader.bufferByteCount,
            alignment: 16
        )
        var failure: (any Error)?

        init(_ read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int) { unsafe self.read = read }
        deinit { unsafe buffer.deallocate() }
    }

    /// Reads plain tar.
    ///
    /// - Parameter read: Fills a buffer and returns how many bytes it put there; 0 at the end.
    package convenience init(
        plain read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int
    ) throws {
        unsafe try self.init(read, compressed: false)
    }

    /// Reads tar that is plain or compressed by gzip, bzip2, xz or zstd, from a file's current offset.
    package convenience init(detecting file: Descriptor) throws {
        unsafe try self.init({ unsafe try file.read(into: $0) }, compressed: true)
    }

    private init(
        _ read: @escaping (UnsafeMutableRawBufferPointer) throws -> Int,
        compressed: Bool
    ) throws {
        guard let archive = unsafe archive_read_new() else {
            throw ArchiveError(.failed, "cannot read an archive: libarchive does not start")
        }
        unsafe self.archive = archive
        unsafe source = Source(read)
        unsafe archive_read_support_format_tar(archive)
        // Nothing at all is an archive without entries, to us and to every other reader of layers.
        unsafe archive_read_support_format_empty(archive)
        if compressed {
            unsafe archive_read_support_filter_gzip(archive)
            unsafe archive_read_support_filter_bzip2(archive)
            unsafe archive_read_support_filter_xz(archive)
            unsafe archive_read_support_filter_zstd(archive)
        }
        let status = unsafe archive_read_open(
            archive,
            Unmanaged.passUnretained(source).toOpaque(),
            nil,
            { _, context, block in
                guard let context = unsafe context else { return -1 }
                let source = unsafe Unmanaged<Source>.fromOpaque(context).takeUnretainedValue()
                unsafe block?.pointee = UnsafeRawPointer(source.buffer.baseAddress)
                do {
                    return unsafe try source.read(source.buffer)
                } catch {
                    source.failure = error
                    return -1
                }
            },
            nil
        )
        if status != ARCHIVE_OK { throw failure("open") }
    }

    deinit { unsafe archive_read_free(archive) }

    /// The next entry, or `nil` at the end.
    ///
    /// Bytes of the entry before that were not read are skipped.
    ///
    /// - Throws: ``ArchiveError``: `malformed`, `tooLarge`; what the source of the bytes threw.
    package func next() throws -> TarEntry? {
        while true {
            var raw: OpaquePointer?
            let status = unsafe archive_read_next_header(archive, &raw)
            if status == ARCHIVE_EOF { return nil }
            guard status == ARCHIVE_OK || status == ARCHIVE_WARN, let raw = unsafe raw else {
                throw failure("read")
            }
            entryCount += 1
            if entryCount > Self.entryCountMax {
                throw ArchiveError(
                    .tooLarge,
                    "cannot read the archive: it has more than \(Self.entryCountMax) entries"
                )
            }
            if let entry = unsafe try read(raw) {
                missingByteCount = entry.size
                return entry
            }
        }
    }

    /// Reads bytes of the current entry; 0 at its end.
    package func readData(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        var count = unsafe archive_read_data(archive, buffer.baseAddress, buffer.count)
        if count == 0, missingByteCount > 0 {
            // libarchive answers 0 once for a hole at the beginning of a sparse file.
            count = unsafe archive_read_data(archive, buffer.baseAddress, buffer.count)
        }
        if count < 0 { throw failure("read") }
        if count > 0 {
            missingByteCount -= Int64(count)
            return count
        }
        // libarchive says nothing of a hole at the end of a sparse file; an archive that is cut is an error to it.
        let hole = Int(clamping: min(Int64(buffer.count), max(0, missingByteCount)))
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<hole]).initializeMemory(as: UInt8.self, repeating: 0)
        missingByteCount -= Int64(hole)
        return hole
    }

    /// Writes the rest of the current entry into an empty file; what is all zeros becomes a hole.
    ///
    /// - Parameter byteLimit: More bytes than this are refused with `tooLarge`, however few the archive has for them.
    /// - Returns: The file's length in bytes.
    package func extract(to file: Descriptor, byteLimit: Int64) throws -> UInt64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.bufferByteCount, alignment: 16)
        defer { unsafe buffer.deallocate() }
        var size: Int64 = 0
        var endsInHole = false
        while true {
            let count = unsafe try readData(into: buffer)
            if count == 0 { break }
            size += Int64(count)
            if size > byteLimit {
                throw ArchiveError(
                    .tooLarge,
                    "cannot read the archive: it holds more than the \(byteLimit) bytes that are allowed"
                )
            }
            let chunk = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
            endsInHole = unsafe count == buffer.count && isZero(chunk)
            if endsInHole { try file.seek(to: size) } else { unsafe try file.write(all: chunk) }
        }
        if endsInHole { try file.truncate(to: size) }
        return UInt64(size)
    }

    private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard unsafe bytes.first == 0, let base = bytes.baseAddress else { return false }
        // All equal to the one before, and the first is zero.
        return unsafe memcmp(base, base + 1, bytes.count - 1) == 0
    }

    private func read(_ raw: OpaquePointer) throws -> TarEntry? {
        guard var path = unsafe text(archive_entry_pathname_utf8(raw), archive_entry_pathname(raw)) else {
            throw ArchiveError(.malformed, "cannot read the archive: entry \(entryCount) has no name")
        }
        try check(path)
        while path.hasSuffix("/") && path.utf8.count > 1 { path.removeLast() }
        let kind: TarEntry.Kind
        if let target = unsafe text(archive_entry_hardlink_utf8(raw), archive_entry_hardlink(raw)) {
            try check(target)
            kind = .hardLink(target: target)
        } else {
            switch unsafe archive_entry_filetype(raw) & 0o170000 {
            case 0o100000: kind = .regular
            case 0o040000: kind = .directory
            case 0o120000:
                let target = unsafe text(archive_entry_symlink_utf8(raw), archive_entry_symlink(raw)) ?? ""
                try check(target)
                kind = .symbolicLink(target: target)
            case 0o020000:
                kind = unsafe .characterDevice(
                    major: UInt32(truncatingIfNeeded: archive_entry_rdevmajor(raw)),
                    minor: UInt32(truncatingIfNeeded: archive_entry_rdevminor(raw))
                )
            case 0o060000:
                kind = unsafe .blockDevice(
                    major: UInt32(truncatingIfNeeded: archive_entry_rdevmajor(raw)),
                    minor: UInt32(truncatingIfNeeded: archive_entry_rdevminor(raw))
                )
            case 0o010000: kind = .fifo
            default: return nil
            }
        }
        var entry = TarEntry(
            path: path,
            kind: kind,
            mode: unsafe UInt32(archive_entry_perm(raw)) & 0o7777
        )
        entry.uid = try owner(unsafe archive_entry_uid(raw), path)
        entry.gid = try owner(unsafe archive_entry_gid(raw), path)
        entry.size = kind == .regular ? max(0, unsafe archive_entry_size(raw)) : 0
        entry.seconds = Int64(unsafe archive_entry_mtime(raw))
        entry.nanoseconds = UInt32(clamping: unsafe archive_entry_mtime_nsec(raw))
        entry.attributes = unsafe attributes(raw)
        return entry
    }

    /// A user or group number that Linux can give a file.
    ///
    /// Cutting a larger one short would make another owner of it: 2^32 would be root.
    private func owner(_ number: Int64, _ path: String) throws -> UInt32 {
        guard let id = UInt32(exactly: number), id != .max else {
            throw ArchiveError(
                .malformed,
                "cannot read the archive: \(path.prefix(200).debugDescription) belongs to user or group \(number), 0…4294967294 are allowed"
            )
        }
        return id
    }

    private func attributes(_ raw: OpaquePointer) -> [(name: String, value: [UInt8])] {
        guard unsafe archive_entry_xattr_reset(raw) > 0 else { return [] }
        var result: [(name: String, value: [UInt8])] = []
        for _ in 0..<Self.attributeCountMax {
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            guard unsafe archive_entry_xattr_next(raw, &name, &value, &size) == ARCHIVE_OK,
                let name = unsafe name, size <= Self.attributeByteLimit
            else { break }
            let bytes = unsafe UnsafeRawBufferPointer(start: value, count: unsafe value == nil ? 0 : size)
            unsafe result.append((String(cString: name), Array(bytes)))
        }
        return result.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }

    /// A name, as UTF-8 where the archive says so, else as its bytes are.
    private func text(
        _ utf8: UnsafePointer<CChar>?,
        _ bytes: @autoclosure () -> UnsafePointer<CChar>?
    ) -> String? {
        guard let pointer = unsafe utf8 ?? bytes() else { return nil }
        return unsafe String(cString: pointer)
    }

    private func check(_ name: String) throws {
        if name.utf8.count > Self.nameByteLimit {
            throw ArchiveError(
                .tooLarge,
                "cannot read the archive: a name has \(name.utf8.count) bytes, at most \(Self.nameByteLimit) are allowed"
            )
        }
    }

    private func failure(_ verb: String) -> any Error {
        if let failure = source.failure { return failure }
        let reason = unsafe archive_error_string(archive).map { unsafe String(cString: $0) } ?? "no reason given"
        return ArchiveError(.malformed, "cannot \(verb) the archive: \(reason.lowercased())")
    }
}
