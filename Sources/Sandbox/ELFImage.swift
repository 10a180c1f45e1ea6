// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem

/// What the dynamic loader would read of a 64-bit little-endian ELF file.
///
/// Every offset is checked: the file is anybody's.
struct ELFImage {
    struct Malformed: Error {}

    private static let headerCountMax = 128
    private static let dynamicByteLimit = 1 << 20
    /// Of one name with its zero, or of one list of search paths.
    private static let stringByteLimit: UInt64 = 4096

    /// Path of the loader; `nil` for a static program or a library.
    private(set) var interpreter: String?
    /// Names of the libraries it asks for.
    private(set) var needed: [String] = []
    /// Where to look for them first; may hold `$ORIGIN`.
    private(set) var searchPaths: [String] = []
    private(set) var isAArch64 = false

    private struct Segment {
        var type: UInt32
        var offset: UInt64
        var address: UInt64
        var fileSize: UInt64
    }

    init(_ file: Descriptor) throws {
        let header = try Self.read(file, at: 0, count: 64)
        guard header.prefix(6) == [0x7f, 0x45, 0x4c, 0x46, 2, 1] else { throw Malformed() }
        isAArch64 = header.integer(at: 18, as: UInt16.self) == 183
        let segments = try Self.segments(file, header)
        if let segment = segments.first(where: { $0.type == 3 }) {
            let bytes = try Self.read(
                file,
                at: segment.offset,
                count: Int(exactly: min(segment.fileSize, 4096)) ?? 0
            )
            interpreter = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if let dynamic = segments.first(where: { $0.type == 2 }) {
            try readDynamic(dynamic, file, segments)
        }
    }

    private static func segments(_ file: Descriptor, _ header: [UInt8]) throws -> [Segment] {
        let offset = header.integer(at: 32, as: UInt64.self)
        let size = Int(header.integer(at: 54, as: UInt16.self))
        let count = Int(header.integer(at: 56, as: UInt16.self))
        guard size == 56, count <= headerCountMax else { throw Malformed() }
        let table = try read(file, at: offset, count: size * count)
        return (0..<count).map { index in
            let base = index * size
            return Segment(
                type: table.integer(at: base, as: UInt32.self),
                offset: table.integer(at: base + 8, as: UInt64.self),
                address: table.integer(at: base + 16, as: UInt64.self),
                fileSize: table.integer(at: base + 32, as: UInt64.self)
            )
        }
    }

    private mutating func readDynamic(
        _ dynamic: Segment,
        _ file: Descriptor,
        _ segments: [Segment]
    ) throws {
        guard let size = Int(exactly: dynamic.fileSize), size <= Self.dynamicByteLimit else {
            throw Malformed()
        }
        let table = try Self.read(file, at: dynamic.offset, count: size)
        var entries: [(tag: UInt64, value: UInt64)] = []
        for base in stride(from: 0, to: size - 15, by: 16) {
            let tag = table.integer(at: base, as: UInt64.self)
            if tag == 0 { break }
            entries.append((tag, table.integer(at: base + 8, as: UInt64.self)))
        }
        guard let address = entries.first(where: { $0.tag == 5 })?.value else { return }
        guard
            let length = entries.first(where: { $0.tag == 10 })?.value,
            let load = segments.first(where: {
                $0.type == 1 && address >= $0.address && address - $0.address < $0.fileSize
            })
        else { throw Malformed() }
        let (offset, overflow) = load.offset.addingReportingOverflow(address - load.address)
        if overflow { throw Malformed() }
        // One by one: beside these few names the table holds those of every symbol.
        func string(at place: UInt64) throws -> String {
            guard place < length else { throw Malformed() }
            let (start, overflow) = offset.addingReportingOverflow(place)
            if overflow { throw Malformed() }
            let bytes = try Self.read(file, at: start, count: Int(min(length - place, Self.stringByteLimit)))
            guard let end = bytes.firstIndex(of: 0) else { throw Malformed() }
            return String(decoding: bytes[..<end], as: UTF8.self)
        }
        for entry in entries where entry.tag == 1 {
            needed.append(try string(at: entry.value))
        }
        // DT_RUNPATH, and DT_RPATH of older linkers.
        for entry in entries where entry.tag == 29 || entry.tag == 15 {
            searchPaths += try string(at: entry.value).split(separator: ":").map(String.init)
        }
        // A name with a slash would be a path of the builder's machine.
        if needed.contains(where: { $0.isEmpty || $0.utf8.contains(UInt8(ascii: "/")) }) {
            throw Malformed()
        }
    }

    private static func read(_ file: Descriptor, at offset: UInt64, count: Int) throws -> [UInt8] {
        guard let offset = Int64(exactly: offset) else { throw Malformed() }
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try unsafe bytes.withUnsafeMutableBytes {
            try unsafe file.read(into: $0, at: offset)
        }
        if read != count { throw Malformed() }
        return bytes
    }
}

extension [UInt8] {
    /// A little-endian number; the caller knows that the bytes are there.
    fileprivate func integer<Number: FixedWidthInteger>(
        at offset: Int,
        as type: Number.Type
    ) -> Number {
        (0..<MemoryLayout<Number>.size).reversed().reduce(0) { $0 << 8 | Number(self[offset + $1]) }
    }
}
