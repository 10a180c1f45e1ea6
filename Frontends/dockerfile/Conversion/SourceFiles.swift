// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
package import LLB

/// The files a Dockerfile is made of: itself, then those it includes.
///
/// Their lines are numbered through, the first file's from 1, so that one number says file and line all through a conversion;
/// ``locate(_:)`` gives both back.
package struct SourceFiles: Sendable {
    /// One of the files.
    package struct Entry: Sendable {
        package let file: SourceFile
        /// What its line numbers are ahead of those the user counts.
        package let lineOffset: Int
        /// The lines of the INCLUDE that asked for it first, numbered through; `nil` for the Dockerfile itself.
        package let includedBy: ClosedRange<Int>?
    }

    /// Never empty; the Dockerfile comes first.
    package private(set) var entries: [Entry]
    private var nextOffset: Int

    package init(_ main: SourceFile) {
        entries = [Entry(file: main, lineOffset: 0, includedBy: nil)]
        nextOffset = Self.lineCount(main)
    }

    package var main: SourceFile { entries[0].file }

    /// Adds a file.
    ///
    /// - Returns: What its lines are to be numbered from, less one.
    mutating func add(_ file: SourceFile, includedBy lines: ClosedRange<Int>) -> Int {
        let offset = nextOffset
        entries.append(Entry(file: file, lineOffset: offset, includedBy: lines))
        nextOffset += Self.lineCount(file)
        return offset
    }

    /// The file some lines are in, by its index, and the lines as its author counts them.
    package func locate(_ lines: ClosedRange<Int>) -> (index: Int, lines: ClosedRange<Int>) {
        let index = entries.lastIndex { $0.lineOffset < lines.lowerBound } ?? 0
        let offset = entries[index].lineOffset
        return (index, lines.lowerBound - offset...lines.upperBound - offset)
    }

    /// Which INCLUDE asked for the file of an entry, and which for that one's, up to the Dockerfile: `Dockerfile:3`.
    package func includers(of index: Int) -> [String] {
        var places: [String] = []
        var lines = entries[index].includedBy
        while let place = lines {
            let found = locate(place)
            places.append("\(entries[found.index].file.filename):\(found.lines.lowerBound)")
            lines = entries[found.index].includedBy
        }
        return places
    }

    /// How many numbers a file takes: one a line, and one for what follows the last line feed.
    private static func lineCount(_ file: SourceFile) -> Int {
        file.data.reduce(into: 2) { count, byte in if byte == UInt8(ascii: "\n") { count += 1 } }
    }
}
