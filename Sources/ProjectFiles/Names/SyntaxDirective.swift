// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// What a build file says about the frontend it wants: `# syntax=docker/dockerfile:1`.
///
/// Read as BuildKit reads it, byte for byte: a byte order mark and a `#!` line are skipped; then come lines
/// `# key = value`, of which the first that is none ends the search; then the same with `//`; then a JSON object with a
/// string member `syntax`.
package struct SyntaxDirective: Sendable, Hashable {
    /// The reference: the value up to its first space.
    ///
    /// May be empty: a value of spaces is found, and is no reference.
    package let reference: String
    /// The whole value; handed to the frontend, never used to find it.
    package let commandLine: String
    /// Where it stands, counted from 1.
    package let line: Int

    /// The lines that directives may be on; more of them than keys there are would be repetitions.
    private static let keys: Set<String> = ["syntax", "escape", "check"]
    /// A line of this many bytes ends the search, as BuildKit's reader of lines ends there.
    private static let lineByteLimit = 65_536

    package init(reference: String, commandLine: String, line: Int) {
        self.reference = reference
        self.commandLine = commandLine
        self.line = line
    }

    /// Finds the directive of a build file; `nil` when it has none.
    package static func detect(_ file: [UInt8]) -> SyntaxDirective? {
        var rest = file[...]
        if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
        var firstLine = 1
        if rest.starts(with: "#!".utf8) {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            rest = rest[end...].dropFirst()
            firstLine = 2
        }
        return inComments(rest, leader: "#", firstLine) ?? inComments(rest, leader: "//", firstLine)
            ?? inJSON(rest, firstLine)
    }

    private static func inComments(
        _ bytes: ArraySlice<UInt8>,
        leader: String,
        _ firstLine: Int
    ) -> SyntaxDirective? {
        var rest = bytes
        var number = firstLine
        var seen: Set<String> = []
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            var line = rest[rest.startIndex..<end]
            guard line.count < lineByteLimit else { return nil }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            guard line.starts(with: leader.utf8),
                let (key, value) = keyAndValue(line.dropFirst(leader.utf8.count)),
                keys.contains(key), seen.insert(key).inserted
            else { return nil }
            if key == "syntax" { return directive(value, number) }
            rest = rest[end...].dropFirst()
            number += 1
        }
        return nil
    }

    /// Reads ` key = value `; the key in lower case.
    private static func keyAndValue(_ line: ArraySlice<UInt8>) -> (String, String)? {
        let text = withoutLeadingUnicodeSpace(line)
        let name = text.prefix(while: isAlphanumeric)
        guard let first = name.first, !isDigit(first) else { return nil }
        var rest = text[name.endIndex...].drop(while: isSpace)
        guard rest.popFirst() == UInt8(ascii: "=") else { return nil }
        let value = trimmed(rest)
        // A value of nothing but spaces is its last one.
        guard let last = value.isEmpty ? rest.last.map({ [$0] }) : Array(value) else { return nil }
        return (
            String(decoding: name, as: UTF8.self).lowercased(),
            String(decoding: last, as: UTF8.self)
        )
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes.drop(while: isSpace)
        while let last = bytes.last, isSpace(last) { bytes.removeLast() }
        return bytes
    }

    private static func inJSON(_ bytes: ArraySlice<UInt8>, _ line: Int) -> SyntaxDirective? {
        guard bytes.first(where: { !isSpace($0) }) == UInt8(ascii: "{"),
            let object = try? JSONValue(parsing: Array(bytes)), holdsOnlyFiniteNumbers(object),
            let value = object["syntax"]?.text
        else { return nil }
        // BuildKit takes a JSON value as a whole.
        return SyntaxDirective(reference: value, commandLine: value, line: line)
    }

    /// BuildKit reads every number as a double, and what is out of its range makes the whole text no JSON.
    private static func holdsOnlyFiniteNumbers(_ value: JSONValue) -> Bool {
        switch value {
        case .number(let text): Double(text)?.isFinite ?? false
        case .array(let elements): elements.allSatisfy(holdsOnlyFiniteNumbers)
        case .object(let members): members.allSatisfy { holdsOnlyFiniteNumbers($0.value) }
        case .null, .bool, .string: true
        }
    }

    private static func directive(_ value: String, _ line: Int) -> SyntaxDirective {
        let reference = value.prefix { $0 != " " }
        return SyntaxDirective(reference: String(reference), commandLine: value, line: line)
    }

    /// White space of regular expressions, which leaves the vertical tab out.
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0C || byte == 0x0D
    }

    /// Behind the leader any white space of Unicode is passed over.
    private static func withoutLeadingUnicodeSpace(_ line: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var rest = line
        while let first = rest.first {
            let length: Int
            switch first {
            case 0x09...0x0D, 0x20: length = 1
            case 0xC2: length = 2
            case 0xE1...0xE3: length = 3
            default: return rest
            }
            guard let scalar = String(validating: rest.prefix(length), as: UTF8.self)?.unicodeScalars.first,
                scalar.properties.isWhitespace
            else { return rest }
            rest = rest.dropFirst(length)
        }
        return rest
    }
}
