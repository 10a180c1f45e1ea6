// SPDX-License-Identifier: Apache-2.0

public import FrontendProtocol

/// A build file, or a file it includes, with its name: what messages point into.
public struct SourceText: Sendable, Hashable {
    /// As messages show it.
    public let name: String
    /// The file's bytes; nothing is assumed about them.
    public let bytes: [UInt8]

    /// Lines shown before and after the lines at fault.
    private static let contextLineCount = 2
    /// At most so many lines at fault are shown.
    private static let shownLineCountMax = 8
    /// Longer lines are cut for display, counted in characters.
    private static let shownCharacterCountMax = 160

    /// A file by its name and bytes.
    public init(name: String, bytes: [UInt8]) {
        self.name = name
        self.bytes = bytes
    }

    /// The lines around a range, those at fault marked and the range underlined; ends without a line feed.
    ///
    /// ```
    ///      2 |   app:
    ///      3 |     base: busybox
    /// >    4 |     entrypont: [sh]
    ///        |     ^^^^^^^^^
    /// ```
    ///
    /// Control characters are shown as dots, so that a file cannot move the cursor of a terminal.
    ///
    /// - Parameters:
    ///   - range: What is underlined where it starts.
    ///   - faultLines: The lines at fault, such as a whole instruction, the range among them; `nil` for those of the range.
    /// - Returns: An empty text for a range outside of the file.
    public func excerpt(_ range: TextRange, of faultLines: ClosedRange<Int>? = nil) -> String {
        let fault = faultLines ?? range.startLine...max(range.startLine, range.endLine)
        // Of a long stretch its beginning is shown, unless the range begins further down.
        let isFar = range.startLine &- fault.lowerBound >= Self.shownLineCountMax
        let first = isFar ? range.startLine : fault.lowerBound
        let last = max(first, min(fault.upperBound, first &+ Self.shownLineCountMax &- 1))
        let shown = max(1, first &- Self.contextLineCount)...max(1, last &+ Self.contextLineCount)
        var rows: [String] = []
        for (number, line) in zip(shown, lines(shown)) {
            // What follows the last line feed is no line.
            if line.endIndex == bytes.endIndex, line.isEmpty, number > first { break }
            let isAtFault = number <= last && fault.contains(number)
            let text = String(Self.printable(line).prefix(Self.shownCharacterCountMax))
            let label = String(repeating: " ", count: max(0, 5 - "\(number)".utf8.count)) + "\(number) |"
            rows.append((isAtFault ? ">" : " ") + label + (text.isEmpty ? "" : " " + text))
            if isAtFault, number == range.startLine, range.startColumn > 0 {
                rows.append("       | " + Self.underline(range, in: line))
            }
        }
        return rows.joined(separator: "\n")
    }

    /// Some lines of a file that may have millions of them; those beyond its end are left out.
    private func lines(_ wanted: ClosedRange<Int>) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = 0
        for number in 1...wanted.upperBound {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            if wanted.contains(number) { lines.append(bytes[start..<end]) }
            guard end < bytes.count else { break }
            start = end + 1
        }
        return lines
    }

    /// Blanks up to the range and carets below it, as wide as the text above is shown.
    private static func underline(_ range: TextRange, in line: ArraySlice<UInt8>) -> String {
        let start = min(max(range.startColumn - 1, 0), line.count)
        let end = range.endLine > range.startLine ? line.count : min(max(range.endColumn - 1, start), line.count)
        let before = min(printable(line.prefix(start)).count, shownCharacterCountMax)
        let marked = printable(line.dropFirst(start).prefix(end - start)).count
        let room = max(1, shownCharacterCountMax - before)
        return String(repeating: " ", count: before) + String(repeating: "^", count: min(max(1, marked), room))
    }

    private static func printable(_ line: ArraySlice<UInt8>) -> String {
        var line = line
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        var result = ""
        for scalar in String(decoding: line, as: UTF8.self).unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control where scalar == "\t": result += "    "
            case .control, .format, .lineSeparator, .paragraphSeparator: result += "."
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}

/// Something wrong in a build file, with its place.
public struct SourceProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong; one line, lower case, no full stop.
    public var message: String
    /// The file; `nil` when the problem is in none, such as a wrong option.
    public var source: SourceText?
    /// Where in the file.
    public var range: TextRange?
    /// All lines at fault, such as a whole instruction; `nil` for those of the range.
    public var lines: ClosedRange<Int>?
    /// What to do, or what else belongs to it; each shown on a line of its own.
    public var notes: [String]

    /// A problem by its parts.
    public init(
        _ message: String,
        in source: SourceText? = nil,
        at range: TextRange? = nil,
        lines: ClosedRange<Int>? = nil,
        notes: [String] = []
    ) {
        self.message = message
        self.source = source
        self.range = range
        self.lines = lines
        self.notes = notes
    }

    /// `file:line:column`; empty without a place.
    public var place: String {
        guard let source else { return "" }
        guard let range else { return source.name }
        let column = range.startColumn > 0 ? ":\(range.startColumn)" : ""
        return "\(source.name):\(range.startLine)\(column)"
    }

    /// The place and the message on one line.
    public var description: String { place.isEmpty ? message : "\(place): \(message)" }

    /// The description, the lines of the file, and the notes; ends without a line feed.
    public var rendered: String {
        var text = description
        if let source, let range {
            let excerpt = source.excerpt(range, of: lines)
            if !excerpt.isEmpty { text += "\n" + excerpt }
        }
        for note in notes { text += "\n  = " + note }
        return text
    }
}

/// All that is wrong in a build file, so that its author mends it in one go.
public struct SourceProblems: Error, Sendable, Hashable, CustomStringConvertible {
    /// In the order they were found; at least one when thrown.
    public var problems: [SourceProblem]

    /// So many are shown; the rest is counted.
    public static let shownCountMax = 20

    /// Problems as they were found.
    public init(_ problems: [SourceProblem]) { self.problems = problems }

    /// Each problem with its lines, and how many there are when there are several.
    public var description: String {
        var parts = problems.prefix(Self.shownCountMax).map(\.rendered)
        if problems.count > Self.shownCountMax {
            parts.append("and \(problems.count - Self.shownCountMax) more")
        }
        if problems.count > 1 { parts.append("\(problems.count) problems") }
        return parts.joined(separator: "\n\n")
    }

    /// The error that ends a build and shows all of them.
    public var buildError: BuildError { BuildError(description) }
}
