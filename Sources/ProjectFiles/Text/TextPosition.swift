// SPDX-License-Identifier: Apache-2.0

/// A place in a text, counted from 1 as editors do; a column is one Unicode scalar.
package struct TextPosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: TextPosition, right: TextPosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }

    /// `3:7`.
    package var description: String { "\(line):\(column)" }
}

/// A file's bytes under the name that messages give it.
struct SourceText: Sendable {
    let file: String
    let bytes: [UInt8]

    /// Where a byte stands; an offset beyond the end means the end.
    func position(_ offset: Int) -> TextPosition {
        var line = 1
        var column = 1
        for byte in bytes.prefix(max(0, offset)) {
            if byte == UInt8(ascii: "\n") {
                line += 1
                column = 1
            } else if byte & 0xC0 != 0x80 {
                // Only the first byte of a scalar counts.
                column += 1
            }
        }
        return TextPosition(line: line, column: column)
    }
}
