// SPDX-License-Identifier: Apache-2.0

/// An instruction as one line, joined from physical lines, that remembers where each part came
/// from.
struct LogicalLine {
    private(set) var bytes: [UInt8] = []
    private(set) var pieces: [(offset: Int, start: SourcePosition)] = []

    /// Adds a part of a physical line that begins at `start` in the file.
    mutating func append(_ part: ArraySlice<UInt8>, at start: SourcePosition) {
        // An empty part says nothing once another one begins at the same place.
        if pieces.last?.offset == bytes.count { pieces.removeLast() }
        pieces.append((bytes.count, start))
        bytes.append(contentsOf: part)
    }

    var whole: Range<Int> { 0..<bytes.count }

    func position(at offset: Int) -> SourcePosition {
        var low = 0
        var high = pieces.count
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return SourcePosition(line: 1, column: 1) }
        let piece = pieces[low - 1]
        return SourcePosition(
            line: piece.start.line,
            column: piece.start.column + offset - piece.offset
        )
    }

    /// The place of a range; its end lies in the line of its last byte.
    func sourceRange(_ range: Range<Int>) -> SourceRange {
        let start = position(at: range.lowerBound)
        if range.isEmpty { return SourceRange(start: start, end: start) }
        var end = position(at: range.upperBound - 1)
        end.column += 1
        return SourceRange(start: start, end: end)
    }

    func word(_ range: Range<Int>) -> Word {
        Word(bytes.text(range), sourceRange(range))
    }
}
