// SPDX-License-Identifier: Apache-2.0

extension DockerfileError {
    /// Lines shown before and after the lines at fault.
    private static let contextLineCount = 2
    /// Longer lines are cut for display, counted in characters.
    private static let shownCharacterCountMax = 160
    /// At most so many lines at fault are shown.
    private static let shownLineCountMax = 12

    /// The error with the lines around it and the range marked, for a terminal.
    ///
    /// ```
    /// Dockerfile:3:1: unknown instruction RUNN; did you mean RUN
    ///   1 | FROM busybox
    ///   2 |
    /// > 3 | RUNN true
    ///     | ^^^^
    /// ```
    ///
    /// - Parameter source: The bytes of the file that was parsed.
    /// - Returns: Lines without a line feed at the end; the description alone when no place is known.
    package func rendered(source: [UInt8]) -> String {
        guard let fault = lines ?? range.map({ $0.start.line...max($0.start.line, $0.end.line) })
        else {
            return description
        }
        let first = max(1, fault.lowerBound - Self.contextLineCount)
        let shownFault = min(fault.upperBound, fault.lowerBound + Self.shownLineCountMax - 1)
        let wanted = first...max(first, max(shownFault, range?.start.line ?? 1) + Self.contextLineCount)
        let sourceLines = Self.lines(wanted, of: source)
        let last = first + sourceLines.count - 1
        guard first <= last else { return description }
        let numberWidth = String(last).utf8.count
        var output = description
        for number in first...last {
            let line = sourceLines[number - first]
            let text = Self.printable(line)
            // The empty line after the last line feed is none.
            if line.endIndex == source.endIndex, text.isEmpty, number > 1 { break }
            let marker = fault.contains(number) ? "> " : "  "
            let label =
                String(repeating: " ", count: numberWidth - String(number).utf8.count)
                + String(number)
            output += "\n\(marker)\(label) |"
            if !text.isEmpty { output += " " + text.prefix(Self.shownCharacterCountMax) }
            if let range, number == range.start.line {
                let margin = String(repeating: " ", count: numberWidth + 2)
                output += "\n\(margin) | " + Self.underline(range, in: line)
            }
        }
        return output
    }

    /// Some lines of a file that may have millions of them; those beyond its end are left out.
    private static func lines(_ wanted: ClosedRange<Int>, of source: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        for number in 1...wanted.upperBound {
            let end = source[start...].firstIndex(of: UInt8(ascii: "\n")) ?? source.count
            if wanted.contains(number) { lines.append(source[start..<end]) }
            guard end < source.count else { break }
            start = end + 1
        }
        return lines
    }

    /// Spaces up to the range and carets below it, as wide as the text above shows.
    private static func underline(_ range: SourceRange, in line: ArraySlice<UInt8>) -> String {
        let start = min(max(range.start.column - 1, 0), line.count)
        let end =
            range.end.line > range.start.line
            ? line.count : min(max(range.end.column - 1, start), line.count)
        let before = printable(line.prefix(start)).count
        let marked = printable(line.dropFirst(start).prefix(end - start)).count
        let room = max(1, shownCharacterCountMax - before)
        return String(repeating: " ", count: min(before, shownCharacterCountMax))
            + String(repeating: "^", count: min(max(1, marked), room))
    }

    /// Text that cannot move the cursor: tabs become four spaces, other control characters a dot.
    private static func printable(_ line: ArraySlice<UInt8>) -> String {
        var bytes = line
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        var result = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar == "\t": result += "    "
            case .control, .format, .lineSeparator, .paragraphSeparator: result += "."
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
