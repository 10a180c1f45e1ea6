// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// What a build file says about the frontend it wants: `# syntax=docker/dockerfile:1`.
///
/// Read as BuildKit reads it, byte for byte: a byte order mark and a `#!` line are skipped; then come lines
/// `# key = value`, of which the first that is none ends the search; then the same with `//`; then a JSON object with a
/// string member `syntax`.
package struct SyntaxDirective: Sendable, Hashable {
    /// The reference: the value up to its first space.
    package let reference: String
    /// The whole value; handed to the frontend, never used to find it.
    package let commandLine: String
    /// Where it stands, counted from 1.
    package let line: Int

    /// The lines that directives may be on; more of them than keys there are would be repetitions.
    private static let keys: Set<String> = ["syntax", "escape", "check"]

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
            let line = rest[rest.startIndex..<end]
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

    /// Reads ` key = value ` with white space anywhere; the key in lower case.
    private static func keyAndValue(_ line: ArraySlice<UInt8>) -> (String, String)? {
        let text = line.drop(while: isSpace)
        let name = text.prefix(while: isAlphanumeric)
        guard let first = name.first, !isDigit(first) else { return nil }
        var rest = text[name.endIndex...].drop(while: isSpace)
        guard rest.popFirst() == UInt8(ascii: "=") else { return nil }
        rest = rest.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        guard !rest.isEmpty else { return nil }
        return (
            String(decoding: name, as: UTF8.self).lowercased(),
            String(decoding: rest, as: UTF8.self)
        )
    }

    private static func inJSON(_ bytes: ArraySlice<UInt8>, _ line: Int) -> SyntaxDirective? {
        guard bytes.first(where: { !isSpace($0) }) == UInt8(ascii: "{"),
            let object = try? JSONValue(parsing: Array(bytes)), let value = object["syntax"]?.text
        else { return nil }
        // BuildKit takes a JSON value as a whole.
        return SyntaxDirective(reference: value, commandLine: value, line: line)
    }

    private static func directive(_ value: String, _ line: Int) -> SyntaxDirective {
        let reference = value.prefix { $0 != " " }
        return SyntaxDirective(reference: String(reference), commandLine: value, line: line)
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
