// SPDX-License-Identifier: Apache-2.0

/// Longest line of an ignore file in bytes.
package let ignoreFileLineByteLimit = 65_535

/// Returns the patterns of a `.dockerignore` file, in order, ready for
/// ``PatternMatcher/init(patterns:)``.
///
/// A byte order mark and lines that begin with `#` are dropped, lines are trimmed, blank ones
/// skipped; each pattern is cleaned and loses one leading slash, behind its `!` if it has one.
///
/// - Throws: `lineTooLong`.
package func readIgnoreFile(_ bytes: [UInt8]) throws(PathPatternError) -> [String] {
    var rest = bytes[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    var patterns: [String] = []
    var lineNumber = 0
    // Line by line: a list of all of them would take many times the memory of a file of empty lines.
    while let start = rest.firstIndex(where: { $0 != UInt8(ascii: "\n") }) {
        lineNumber += start - rest.startIndex
        rest = rest[start...]
        let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
        let line = rest[rest.startIndex..<end]
        rest = end < rest.endIndex ? rest[(end + 1)...] : []
        lineNumber += 1
        guard line.count <= ignoreFileLineByteLimit else {
            throw PathPatternError(
                .lineTooLong,
                "cannot read ignore file: line \(lineNumber) has \(line.count) bytes, "
                    + "at most \(ignoreFileLineByteLimit) are allowed"
            )
        }
        if line.first == UInt8(ascii: "#") { continue }
        let text = String(decoding: line, as: UTF8.self)
        var pattern = trimmingWhiteSpace(text[...])
        if pattern.isEmpty { continue }
        let isException = pattern.utf8.first == UInt8(ascii: "!")
        if isException {
            pattern = trimmingWhiteSpace(Substring(pattern.unicodeScalars.dropFirst()))
        }
        var cleaned = pattern.isEmpty ? "" : cleanPath(String(pattern))
        if cleaned.utf8.count > 1, cleaned.utf8.first == slash {
            cleaned = String(cleaned.unicodeScalars.dropFirst())
        }
        patterns.append(isException ? "!" + cleaned : cleaned)
    }
    return patterns
}
