// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI

/// The bytes of a ``LocalIndex``: a magic, the count of records, the records, a SHA-256 over all of
/// it; little-endian.
extension LocalIndex {
    /// Names format and kind of digest: a file that starts otherwise is of another version and
    /// ignored.
    private static let magic = Array("kiln-index-2\n\0\0\0".utf8)
    private static let headerSize = 24
    private static let recordSize = 88
    private static let checksumSize = 32

    static let fileByteLimit = headerSize + recordLimit * recordSize + checksumSize

    /// Reads an index; `nil` when the bytes are not exactly one that ``encoded()`` made.
    init?(decoding bytes: [UInt8]) {
        guard bytes.count >= Self.headerSize + Self.checksumSize, bytes.starts(with: Self.magic)
        else { return nil }
        let body = bytes.count - Self.checksumSize
        var hasher = Digester()
        unsafe bytes.withUnsafeBytes {
            unsafe hasher.update(UnsafeRawBufferPointer(rebasing: $0[..<body]))
        }
        guard hasher.finish().bytes.elementsEqual(bytes[body...]) else { return nil }

        var reader = Reader(bytes: bytes, offset: Self.magic.count)
        let count = reader.integer(UInt64.self)
        guard count <= UInt64(Self.recordLimit),
            Self.headerSize + Int(count) * Self.recordSize == body
        else {
            return nil
        }
        var records: [Record] = []
        records.reserveCapacity(Int(count))
        for _ in 0..<count {
            records.append(reader.record())
        }
        self.init(records: records)
    }

    /// The bytes of the file.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headerSize + records.count * Self.recordSize + Self.checksumSize)
        bytes += Self.magic
        Self.append(UInt64(records.count), to: &bytes)
        for record in records {
            Self.append(record.device, to: &bytes)
            Self.append(record.inode, to: &bytes)
            Self.append(record.size, to: &bytes)
            Self.append(record.modified.seconds, to: &bytes)
            Self.append(record.changed.seconds, to: &bytes)
            Self.append(record.modified.nanoseconds, to: &bytes)
            Self.append(record.changed.nanoseconds, to: &bytes)
            Self.append(record.digest.words.0, to: &bytes)
            Self.append(record.digest.words.1, to: &bytes)
            Self.append(record.digest.words.2, to: &bytes)
            Self.append(record.digest.words.3, to: &bytes)
            Self.append(record.lastSeenDay, to: &bytes)
            Self.append(UInt32(record.hasAttributes ? 1 : 0), to: &bytes)
        }
        bytes += Digest.of(bytes).bytes
        return bytes
    }

    private static func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Reads fields in a row from bytes whose length was checked before.
    private struct Reader {
        let bytes: [UInt8]
        var offset: Int

        mutating func integer<Value: FixedWidthInteger & BitwiseCopyable>(
            _ type: Value.Type
        ) -> Value {
            defer { offset += MemoryLayout<Value>.size }
            return Value(
                littleEndian: unsafe bytes.withUnsafeBytes {
                    unsafe $0.loadUnaligned(fromByteOffset: offset, as: type)
                }
            )
        }

        mutating func record() -> Record {
            let device = integer(UInt64.self)
            let inode = integer(UInt64.self)
            let size = integer(UInt64.self)
            let modifiedSeconds = integer(Int64.self)
            let changedSeconds = integer(Int64.self)
            let modifiedNanoseconds = integer(UInt32.self)
            let changedNanoseconds = integer(UInt32.self)
            let digest = Digest(
                words: (
                    integer(UInt64.self), integer(UInt64.self),
                    integer(UInt64.self), integer(UInt64.self)
                )
            )
            let day = integer(UInt32.self)
            let flags = integer(UInt32.self)
            return Record(
                device: device,
                inode: inode,
                size: size,
                modified: .init(seconds: modifiedSeconds, nanoseconds: modifiedNanoseconds),
                changed: .init(seconds: changedSeconds, nanoseconds: changedNanoseconds),
                digest: digest,
                hasAttributes: flags & 1 != 0,
                lastSeenDay: day
            )
        }
    }
}
