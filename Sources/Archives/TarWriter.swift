// SPDX-License-Identifier: Apache-2.0

/// Writes tar archives whose bytes depend on the entries alone.
///
/// A header is plain ustar where that can say everything; else a pax header goes before it, with its records in the
/// order of their names. User and group names are left empty. The same entries give the same bytes as Go's
/// `archive/tar` in its PAX format, which BuildKit uses for layers.
///
/// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block".
@safe package struct TarWriter {
    private static let blockByteCount = 512

    private let output: ByteOutput
    /// Bytes of the current entry that are still to come.
    private var missingByteCount: Int64 = 0
    private var paddingByteCount = 0

    package init(_ output: @escaping ByteOutput) { unsafe self.output = output }

    /// Begins an entry; a regular file's bytes follow by ``write(_:)``.
    ///
    /// - Throws: ``ArchiveError``, `failed`, when the entry before is not complete or this one cannot be expressed.
    package mutating func begin(_ entry: TarEntry) throws {
        try endEntry()
        var header = Header(entry)
        let records = try header.extendedRecords(entry)
        if !records.isEmpty {
            let body = records.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .flatMap { Self.record($0.key, $0.value) }
            let extended = Header.extended(for: header.name, size: body.count)
            try emit(extended.block())
            try emit(body)
            try emit(zeros: Self.padding(Int64(body.count)))
        }
        try emit(header.block())
        missingByteCount = entry.kind == .regular ? entry.size : 0
        paddingByteCount = Self.padding(missingByteCount)
    }

    /// Writes bytes of the current entry.
    package mutating func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard Int64(bytes.count) <= missingByteCount else {
            throw ArchiveError(.failed, "cannot write the archive: a file is longer than its header says")
        }
        missingByteCount -= Int64(bytes.count)
        try unsafe output(bytes)
    }

    /// Ends the archive.
    package mutating func finish() throws {
        try endEntry()
        try emit(zeros: 2 * Self.blockByteCount)
    }

    private mutating func endEntry() throws {
        guard missingByteCount == 0 else {
            throw ArchiveError(
                .failed,
                "cannot write the archive: \(missingByteCount) bytes of a file are missing"
            )
        }
        try emit(zeros: paddingByteCount)
        paddingByteCount = 0
    }

    private func emit(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { unsafe try output($0) }
    }

    private func emit(zeros count: Int) throws {
        if count > 0 { try emit([UInt8](repeating: 0, count: count)) }
    }

    private static func padding(_ size: Int64) -> Int {
        Int((Int64(blockByteCount) - size % Int64(blockByteCount)) % Int64(blockByteCount))
    }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [UInt8(ascii: "\n")]
        var length = rest.count
        while String(length).utf8.count + rest.count != length {
            length = String(length).utf8.count + rest.count
        }
        return Array(String(length).utf8) + rest
    }
}

/// A ustar header block.
private struct Header {
    private(set) var name: String
    /// The directories of a long name that ustar can still say.
    private var prefix = ""
    private var mode: UInt32
    private var uid: Int64
    private var gid: Int64
    private var size: Int64
    private var seconds: Int64
    private var type: UInt8
    private var linkName = ""
    private var major: UInt32 = 0
    private var minor: UInt32 = 0

    init(_ entry: TarEntry) {
        name = entry.path
        mode = entry.mode & 0o7777
        uid = Int64(entry.uid)
        gid = Int64(entry.gid)
        size = 0
        seconds = entry.seconds
        switch entry.kind {
        case .regular:
            type = UInt8(ascii: "0")
            size = entry.size
        case .hardLink(let target):
            type = UInt8(ascii: "1")
            linkName = target
        case .symbolicLink(let target):
            type = UInt8(ascii: "2")
            linkName = target
        case .characterDevice(let major, let minor):
            type = UInt8(ascii: "3")
            (self.major, self.minor) = (major, minor)
        case .blockDevice(let major, let minor):
            type = UInt8(ascii: "4")
            (self.major, self.minor) = (major, minor)
        case .directory:
            type = UInt8(ascii: "5")
            name += "/"
        case .fifo: type = UInt8(ascii: "6")
        }
    }

    private init(name: String, size: Int) {
        self.name = name
        mode = 0
        uid = 0
        gid = 0
        self.size = Int64(size)
        seconds = 0
        type = UInt8(ascii: "x")
    }

    /// The header of the pax records of an entry; its own name means nothing to readers that know pax.
    static func extended(for name: String, size: Int) -> Header {
        let slash = name.utf8.lastIndex(of: UInt8(ascii: "/"))
        let directory = slash.map { String(name[...$0]) } ?? ""
        let file = slash.map { String(name[name.utf8.index(after: $0)...]) } ?? name
        return Header(name: directory + "PaxHeaders.0" + (file.isEmpty ? "" : "/" + file), size: size)
    }

    /// What ustar cannot say; the fields it would have stood in are made to fit.
    mutating func extendedRecords(_ entry: TarEntry) throws -> [(key: String, value: [UInt8])] {
        var records: [(key: String, value: [UInt8])] = []
        func add(_ key: String, _ value: String) { records.append((key, Array(value.utf8))) }
        for text in [name, linkName] where text.utf8.contains(0) {
            throw ArchiveError(.failed, "cannot write \(text.debugDescription) to an archive: it holds a NUL byte")
        }
        var isLongName = false
        if !Self.fits(name) {
            // Recorded only when something else needs records too, or ustar cannot split the name.
            isLongName = true
            add("path", name)
        }
        if !Self.fits(linkName) { add("linkpath", linkName) }
        if size > 0o77_777_777_777 {
            add("size", String(size))
            size = 0
        }
        if uid > 0o7_777_777 {
            add("uid", String(uid))
            uid = 0
        }
        if gid > 0o7_777_777 {
            add("gid", String(gid))
            gid = 0
        }
        if entry.nanoseconds != 0 || seconds < 0 || seconds > 0o77_777_777_777 {
            add("mtime", Self.time(seconds, entry.nanoseconds))
            if seconds < 0 || seconds > 0o77_777_777_777 { seconds = 0 }
        }
        for attribute in entry.attributes {
            guard !attribute.name.isEmpty, !attribute.name.contains("=") else { continue }
            records.append(("SCHILY.xattr.\(attribute.name)", attribute.value))
        }
        if isLongName, records.count == 1, splitName() { return [] }
        return records
    }

    /// Moves the directories of a long ASCII name to where ustar keeps them, when both parts fit.
    private mutating func splitName() -> Bool {
        let bytes = Array(name.utf8)
        guard bytes.allSatisfy({ $0 < 0x80 }) else { return false }
        var length = bytes.count
        if length > 156 { length = 156 } else if bytes.last == UInt8(ascii: "/") { length -= 1 }
        guard let slash = bytes[..<length].lastIndex(of: UInt8(ascii: "/")), slash > 0, slash <= 155 else {
            return false
        }
        let rest = bytes[(slash + 1)...]
        guard !rest.isEmpty, rest.count <= 100 else { return false }
        prefix = String(decoding: bytes[..<slash], as: UTF8.self)
        name = String(decoding: rest, as: UTF8.self)
        return true
    }

    private static func fits(_ text: String) -> Bool {
        text.utf8.count <= 100 && text.utf8.allSatisfy { $0 < 0x80 }
    }

    private static func time(_ seconds: Int64, _ nanoseconds: UInt32) -> String {
        if nanoseconds == 0 { return String(seconds) }
        // Before 1970 the fraction counts downwards.
        var whole = seconds
        var fraction = Int64(nanoseconds)
        if seconds < 0 {
            whole += 1
            fraction = 1_000_000_000 - fraction
        }
        var digits = String(fraction)
        digits = String(repeating: "0", count: 9 - digits.count) + digits
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(seconds < 0 && whole == 0 ? "-" : "")\(whole).\(digits)"
    }

    func block() -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ bytes: some Sequence<UInt8>, at offset: Int, limit: Int) {
            for (index, byte) in bytes.prefix(limit).enumerated() { block[offset + index] = byte }
        }
        /// Octal digits to fill the field but for its last byte.
        func put(octal value: Int64, at offset: Int, width: Int) {
            let digits = String(value, radix: 8)
            let padded = String(repeating: "0", count: max(0, width - 1 - digits.count)) + digits
            put(padded.utf8, at: offset, limit: width - 1)
        }
        // A name that does not fit stands whole in the pax header; here a reader without pax finds its ASCII part.
        put(name.utf8.filter { $0 < 0x80 }, at: 0, limit: 100)
        put(octal: Int64(mode), at: 100, width: 8)
        put(octal: uid, at: 108, width: 8)
        put(octal: gid, at: 116, width: 8)
        put(octal: size, at: 124, width: 12)
        put(octal: seconds, at: 136, width: 12)
        block[156] = type
        put(linkName.utf8.filter { $0 < 0x80 }, at: 157, limit: 100)
        put("ustar\u{0}00".utf8, at: 257, limit: 8)
        // A header of pax records leaves the numbers of devices empty, as Go does.
        if type != UInt8(ascii: "x") {
            put(octal: Int64(major), at: 329, width: 8)
            put(octal: Int64(minor), at: 337, width: 8)
        }
        put(prefix.utf8, at: 345, limit: 155)
        for index in 148..<156 { block[index] = UInt8(ascii: " ") }
        let sum = block.reduce(0) { $0 + Int64($1) }
        put(octal: sum, at: 148, width: 7)
        block[154] = 0
        block[155] = UInt8(ascii: " ")
        return block
    }
}
