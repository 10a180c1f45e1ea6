// SPDX-License-Identifier: Apache-2.0

/// A parser directive: `# key=value` in the very first lines of a file.
package struct Directive: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        /// Which frontend reads the file.
        case syntax
        /// The escape character.
        case escape
        /// Options of the linter.
        case check
    }

    package let kind: Kind
    /// The value, trimmed.
    ///
    /// Of `syntax`, the words after the first are arguments to the frontend.
    package let value: String
    /// The line it stands in, counted from 1; 1 as well for a member of a JSON document.
    package let line: Int

    /// The value up to its first space.
    package var reference: String { cut(value, at: " ")?.before ?? value }

    /// A directive written as a comment, without the `#`.
    init?(comment: String) {
        let bytes = Array(comment.utf8)
        self.init(bytes, 0..<bytes.count, line: 1)
    }

    init(_ kind: Kind, value: String, line: Int) {
        self.kind = kind
        self.value = value
        self.line = line
    }

    /// Reads `key = value`; nil for anything else and for keys that are no directive.
    init?(_ bytes: [UInt8], _ range: Range<Int>, line: Int) {
        let range = bytes.trimmingStart(range)
        var index = range.lowerBound
        while index < range.upperBound, bytes[index].isASCIIAlphanumeric { index += 1 }
        guard index > range.lowerBound, bytes[range.lowerBound].isASCIILetter,
            let kind = Kind(rawValue: bytes.text(range.lowerBound..<index).lowercased())
        else { return nil }
        while index < range.upperBound, bytes[index].isDirectiveSpace { index += 1 }
        guard index < range.upperBound, bytes[index] == UInt8(ascii: "=") else { return nil }
        index += 1
        guard index < range.upperBound else { return nil }
        // A value of blanks only is one blank, which no directive accepts.
        var start = index
        while start < range.upperBound - 1, bytes[start].isDirectiveSpace { start += 1 }
        var end = range.upperBound
        while end > start + 1, bytes[end - 1].isDirectiveSpace { end -= 1 }
        self.init(kind, value: bytes.text(start..<end), line: line)
    }

    /// The directive of a file, if it has one of this kind, written with `#`.
    package static func find(_ kind: Kind, in source: [UInt8]) -> Directive? {
        let start = contentStart(source)
        return find(kind, in: source, from: start.offset, line: start.line, leader: "#")
    }

    /// The frontend a file asks for: `# syntax=`, `// syntax=`, or the member `syntax` of a JSON
    /// document.
    ///
    /// A byte order mark and a first line that begins with `#!` are skipped.
    package static func detectSyntax(in source: [UInt8]) -> Directive? {
        let start = contentStart(source)
        for leader in ["#", "//"] {
            if let found = find(
                .syntax,
                in: source,
                from: start.offset,
                line: start.line,
                leader: leader
            ) {
                return found
            }
        }
        guard let value = JSONText.stringMember("syntax", of: source, from: start.offset) else {
            return nil
        }
        return Directive(.syntax, value: value, line: start.line)
    }

    /// Where the content begins behind a byte order mark and a `#!` line.
    private static func contentStart(_ source: [UInt8]) -> (offset: Int, line: Int) {
        let offset = byteOrderMarkLength(source)
        guard source[offset...].starts(with: "#!".utf8) else { return (offset, 1) }
        guard let end = source[offset...].firstIndex(of: .lineFeed) else {
            return (source.count, 2)
        }
        return (end + 1, 2)
    }

    private static func find(
        _ kind: Kind,
        in source: [UInt8],
        from offset: Int,
        line: Int,
        leader: String
    ) -> Directive? {
        var reader = DirectiveReader(leader: leader)
        var start = offset
        var number = line
        while start < source.count, !reader.isDone {
            let end = source[start...].firstIndex(of: .lineFeed) ?? source.count
            guard end - start <= Limit.lineByteCount,
                let directive = try? reader.read(source, start..<end, line: number)
            else { return nil }
            if directive.kind == kind { return directive }
            start = end + 1
            number += 1
        }
        return nil
    }
}

/// Reads directives line by line until the first line that is none.
struct DirectiveReader {
    private let leader: [UInt8]
    private var seen: Set<Directive.Kind> = []
    private(set) var isDone = false

    init(leader: String) {
        self.leader = Array(leader.utf8)
    }

    /// - Returns: The directive of this line, or nil, after which there are none.
    /// - Throws: `badDirective` for a second directive of the same kind.
    mutating func read(
        _ bytes: [UInt8],
        _ range: Range<Int>,
        line: Int
    ) throws(DockerfileError) -> Directive? {
        guard !isDone, bytes[range].starts(with: leader),
            let directive = Directive(
                bytes,
                range.lowerBound + leader.count..<range.upperBound,
                line: line
            )
        else {
            isDone = true
            return nil
        }
        guard seen.insert(directive.kind).inserted else {
            throw DockerfileError(
                .badDirective,
                "only one \(directive.kind.rawValue) directive can be used",
                lines: line...line
            )
        }
        return directive
    }
}

/// 3 if the bytes begin with the UTF-8 byte order mark, else 0.
func byteOrderMarkLength(_ bytes: [UInt8]) -> Int {
    bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
}

extension UInt8 {
    fileprivate var isASCIILetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7A }
    fileprivate var isASCIIAlphanumeric: Bool { isASCIILetter || (self >= 0x30 && self <= 0x39) }
    fileprivate var isDirectiveSpace: Bool {
        self == 0x20 || self == 0x09 || self == 0x0A || self == 0x0C || self == 0x0D
    }
}
