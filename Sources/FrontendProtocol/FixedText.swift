// SPDX-License-Identifier: Apache-2.0

/// A build file with the fixes of a lint made in it (P-FIX-02).
///
/// The first fix of each diagnostic is made, in their order. One that does not lie in the file is left out, and so is one
/// that touches what another has changed: another lint will say whether it is still needed.
package struct FixedText: Sendable, Hashable {
    /// The text with the fixes; the text itself when none was made.
    package let bytes: [UInt8]
    /// What was fixed, in the order of the lint.
    package let fixed: [Diagnostic]

    private struct Replacement: Hashable {
        var range: Range<Int>
        var text: String
    }

    /// - Parameters:
    ///   - source: The build file as it was linted.
    ///   - diagnostics: Those about this file.
    package init(_ source: [UInt8], diagnostics: [Diagnostic]) {
        let index = LineIndex(source)
        var made: [Replacement] = []
        var fixed: [Diagnostic] = []
        for diagnostic in diagnostics {
            guard let fix = diagnostic.fixes.first, let own = Self.replacements(fix, index),
                own.allSatisfy({ !Self.touches($0.range, made) })
            else { continue }
            for replacement in own { made.insert(replacement, at: Self.position(of: replacement.range, in: made)) }
            fixed.append(diagnostic)
        }
        self.fixed = fixed
        var bytes: [UInt8] = []
        bytes.reserveCapacity(source.count)
        var end = 0
        for replacement in made {
            bytes += source[end..<replacement.range.lowerBound]
            bytes += replacement.text.utf8
            end = replacement.range.upperBound
        }
        self.bytes = bytes + source[end...]
    }

    /// A fix's edits by offsets, in order; nil when one is outside the file or two overlap.
    private static func replacements(_ fix: Diagnostic.Fix, _ index: LineIndex) -> [Replacement]? {
        var result: [Replacement] = []
        for edit in fix.edits {
            guard let range = index.offsets(of: edit.range) else { return nil }
            result.append(Replacement(range: range, text: edit.text))
        }
        result.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        for (left, right) in zip(result, result.dropFirst()) {
            guard left.range.upperBound <= right.range.lowerBound, left.range != right.range else { return nil }
        }
        return result
    }

    /// Where a range belongs among ordered ones that do not touch it.
    private static func position(of range: Range<Int>, in made: [Replacement]) -> Int {
        var low = 0
        var high = made.count
        while low < high {
            let middle = (low + high) / 2
            if made[middle].range.lowerBound < range.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func touches(_ range: Range<Int>, _ made: [Replacement]) -> Bool {
        let position = position(of: range, in: made)
        if position < made.count, made[position].range.lowerBound <= range.upperBound { return true }
        return position > 0 && made[position - 1].range.upperBound >= range.lowerBound
    }
}

/// Where the lines of a text begin.
package struct LineIndex: Sendable {
    private let bytes: [UInt8]
    private var starts: [Int]

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
        // A byte order mark has no column.
        starts = [bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0]
        for (offset, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") { starts.append(offset + 1) }
    }

    /// How many lines there are; the place behind the last line feed counts as one.
    package var lineCount: Int { starts.count }

    /// A line without its line feed; nil outside the text.
    package func line(_ number: Int) -> ArraySlice<UInt8>? {
        guard (1...starts.count).contains(number) else { return nil }
        let end = number < starts.count ? starts[number] - 1 : bytes.count
        return bytes[min(starts[number - 1], end)..<end]
    }

    /// The bytes of a range with columns; nil when it does not lie in the text.
    package func offsets(of range: TextRange) -> Range<Int>? {
        guard let start = offset(range.startLine, range.startColumn), let end = offset(range.endLine, range.endColumn),
            start <= end
        else { return nil }
        return start..<end
    }

    private func offset(_ number: Int, _ column: Int) -> Int? {
        guard let line = line(number), (1...line.count + 1).contains(column) else { return nil }
        return line.startIndex + column - 1
    }
}
