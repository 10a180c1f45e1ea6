// SPDX-License-Identifier: Apache-2.0

/// A strict reader of TOML 1.0 documents from somebody we do not trust.
///
/// Every value keeps the place it was written at, and tables keep the order of their keys: both are needed to name a
/// wrong key by line and column. No TOML library at hand gives them, and the one that was tried (toml++) ends the process
/// with an assertion on some broken texts. Time and memory are linear in the text; what
/// is nested more than ``depthMax`` levels is refused.
package struct TOMLReader {
    /// How many tables and arrays may stand inside each other.
    package static let depthMax = 64
    /// Documents may have this many bytes.
    package static let byteLimit = 1 << 20

    let source: SourceText
    var index = 0

    var bytes: [UInt8] { source.bytes }

    private init(source: SourceText) { self.source = source }

    /// Reads a document.
    ///
    /// - Parameter file: What messages call it.
    /// - Throws: `toml` or `limit`, with line and column.
    package static func parse(_ bytes: [UInt8], file: String) throws(ProjectError) -> ConfigTable {
        let source = SourceText(file: file, bytes: bytes)
        guard bytes.count <= byteLimit else {
            throw ProjectError(
                .limit,
                "the file has \(bytes.count) bytes, at most \(byteLimit) are allowed",
                file: file
            )
        }
        var reader = TOMLReader(source: source)
        try reader.checkUTF8()
        return try reader.document()
    }

    /// The place of a byte of a document, for those who judge its values.
    package static func position(of offset: Int, in bytes: [UInt8]) -> TextPosition {
        SourceText(file: "", bytes: bytes).position(offset)
    }

    // MARK: Lines

    private mutating func document() throws(ProjectError) -> ConfigTable {
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
        let root = TOMLTableBuilder(.header, offset: 0, depth: 0)
        var table = root
        while true {
            try skipEmptyLines()
            guard let byte = current(byte: 0) else { return root.finish() }
            if byte == UInt8(ascii: "[") {
                table = try header(root)
            } else {
                try pair(into: table)
            }
            try endOfLine()
        }
    }

    /// Reads `[a.b]` or `[[a.b]]`; gives the table that the next pairs go into.
    private mutating func header(_ root: TOMLTableBuilder) throws(ProjectError) -> TOMLTableBuilder {
        let start = index
        index += 1
        let isArray = take("[")
        skipBlanks()
        let path = try key()
        skipBlanks()
        try expect("]", "to end the table's name")
        if isArray { try expect("]", "to end the table's name") }
        guard let last = path.last else { throw failure("a table needs a name", at: start) }
        var table = root
        for part in path.dropLast() {
            switch table[part.name] {
            case nil: table = try addTable(.implied, to: table, part)
            case .table(let child):
                if child.origin == .inline { throw closed(part) }
                table = child
            case .tables(let tables):
                guard let child = tables.elements.last else { throw closed(part) }
                table = child
            case .value: throw closed(part)
            }
        }
        if isArray {
            let element = try makeTable(.header, below: table, offset: start)
            switch table[last.name] {
            case nil: table.add(.tables(TOMLTableList(element)), key: last.name, offset: last.offset)
            case .tables(let tables): tables.elements.append(element)
            default: throw failure("\"\(shown(last.name))\" is defined already, and is no array of tables", at: start)
            }
            return element
        }
        switch table[last.name] {
        case nil:
            let child = try makeTable(.header, below: table, offset: start)
            table.add(.table(child), key: last.name, offset: last.offset)
            return child
        case .table(let child) where child.origin == .implied:
            child.origin = .header
            return child
        default: throw failure("\"\(shown(last.name))\" is defined already", at: start)
        }
    }

    /// Reads `a.b = value`.
    mutating func pair(into table: TOMLTableBuilder) throws(ProjectError) {
        let start = index
        let path = try key()
        skipBlanks()
        try expect("=", "behind the key")
        skipBlanks()
        guard let last = path.last else { throw failure("a key is expected", at: start) }
        var table = table
        for part in path.dropLast() {
            switch table[part.name] {
            case nil: table = try addTable(.dotted, to: table, part)
            case .table(let child) where child.origin == .dotted: table = child
            default: throw closed(part)
            }
        }
        if table[last.name] != nil {
            throw failure("key \"\(shown(last.name))\" stands twice in one table", at: last.offset)
        }
        // A value may hold tables: the key is taken before it is read.
        let node = try value(depth: table.depth + 1)
        table.add(node, key: last.name, offset: last.offset)
    }

    private func addTable(
        _ origin: TOMLTableBuilder.Origin,
        to table: TOMLTableBuilder,
        _ part: KeyPart
    ) throws(ProjectError) -> TOMLTableBuilder {
        let child = try makeTable(origin, below: table, offset: part.offset)
        table.add(.table(child), key: part.name, offset: part.offset)
        return child
    }

    private func makeTable(
        _ origin: TOMLTableBuilder.Origin,
        below table: TOMLTableBuilder,
        offset: Int
    ) throws(ProjectError) -> TOMLTableBuilder {
        guard table.depth < Self.depthMax else { throw tooDeep(at: offset) }
        return TOMLTableBuilder(origin, offset: offset, depth: table.depth + 1)
    }

    private func closed(_ part: KeyPart) -> ProjectError {
        failure("\"\(shown(part.name))\" is defined already, and cannot be added to here", at: part.offset)
    }

    // MARK: Keys

    struct KeyPart {
        let name: String
        let offset: Int
    }

    /// Reads `a."b c".d`.
    private mutating func key() throws(ProjectError) -> [KeyPart] {
        var parts: [KeyPart] = []
        while true {
            let start = index
            let name: String
            switch current(byte: 0) {
            case UInt8(ascii: "\""): name = try basicString()
            case UInt8(ascii: "'"): name = try literalString()
            default:
                while let byte = current(byte: 0), isAlphanumeric(byte) || byte == 0x2D || byte == 0x5F { index += 1 }
                guard index > start else { throw failure("a key is expected, not \(found())", at: start) }
                name = String(decoding: bytes[start..<index], as: UTF8.self)
            }
            guard parts.count < Self.depthMax else { throw tooDeep(at: start) }
            parts.append(KeyPart(name: name, offset: start))
            skipBlanks()
            guard take(".") else { return parts }
            skipBlanks()
        }
    }

    // MARK: Bytes

    func current(byte ahead: Int) -> UInt8? {
        index + ahead < bytes.count ? bytes[index + ahead] : nil
    }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = current(byte: 0), Unicode.Scalar(byte) == character else { return false }
        index += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar, _ purpose: String) throws(ProjectError) {
        guard take(character) else { throw failure("expected \(character) \(purpose), not \(found())") }
    }

    mutating func skipBlanks() {
        while let byte = current(byte: 0), byte == 0x20 || byte == 0x09 { index += 1 }
    }

    /// Passes over blanks, comments and line ends.
    mutating func skipEmptyLines() throws(ProjectError) {
        while true {
            skipBlanks()
            try skipComment()
            guard try takeLineEnd() else { return }
        }
    }

    private mutating func endOfLine() throws(ProjectError) {
        skipBlanks()
        try skipComment()
        if index == bytes.count { return }
        guard try takeLineEnd() else { throw failure("expected the end of the line, not \(found())") }
    }

    private mutating func skipComment() throws(ProjectError) {
        guard take("#") else { return }
        while let byte = current(byte: 0), byte != 0x0A {
            if byte == 0x0D, current(byte: 1) == 0x0A { return }
            if isControl(byte) { throw failure("a comment holds \(found())") }
            index += 1
        }
    }

    mutating func takeLineEnd() throws(ProjectError) -> Bool {
        if take("\n") { return true }
        guard current(byte: 0) == 0x0D else { return false }
        guard current(byte: 1) == 0x0A else { throw failure("a carriage return is not followed by a line feed") }
        index += 2
        return true
    }

    func isControl(_ byte: UInt8) -> Bool { (byte < 0x20 && byte != 0x09) || byte == 0x7F }

    // MARK: Failures

    func failure(_ reason: String, at offset: Int? = nil) -> ProjectError {
        ProjectError(.toml, reason, file: source.file, position: source.position(offset ?? index))
    }

    func tooDeep(at offset: Int) -> ProjectError {
        failure("more than \(Self.depthMax) tables and arrays stand inside each other", at: offset)
    }

    /// What stands here, as messages show it.
    func found() -> String {
        guard let byte = current(byte: 0) else { return "the end of the file" }
        switch byte {
        case 0x0A, 0x0D: return "the end of the line"
        case 0..<0x20, 0x7F: return "the control character 0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16))"
        default:
            let text = String(decoding: bytes[index..<min(bytes.count, index + 16)], as: UTF8.self)
            return "\"\(shown(text.prefix(1)))\""
        }
    }

    private func checkUTF8() throws(ProjectError) {
        if String(validating: bytes, as: UTF8.self) != nil { return }
        // Decoding replaces what is wrong; the first replacement that was not written is the place.
        var offset = 0
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            let length = UTF8.width(scalar)
            if scalar == "\u{FFFD}", !bytes[offset...].starts(with: [0xEF, 0xBF, 0xBD]) { break }
            offset += length
        }
        throw failure("the file is not UTF-8", at: offset)
    }
}
