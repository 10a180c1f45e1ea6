// SPDX-License-Identifier: Apache-2.0

/// A place in a source file.
package struct SourcePosition: Sendable, Hashable, Comparable {
    /// Counted from 1.
    package var line: Int
    /// Counted from 1, in bytes of UTF-8.
    package var column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    package static func < (left: SourcePosition, right: SourcePosition) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// A stretch of a source file, from `start` up to but without `end`.
package struct SourceRange: Sendable, Hashable {
    package var start: SourcePosition
    package var end: SourcePosition

    package init(start: SourcePosition, end: SourcePosition) {
        self.start = start
        self.end = end
    }
}

/// A text and where it was written.
///
/// The text may differ from the source: continuation lines are joined, escapes and JSON strings are
/// resolved.
package struct Word: Sendable, Hashable {
    package var text: String
    package var range: SourceRange

    package init(_ text: String, _ range: SourceRange) {
        self.text = text
        self.range = range
    }
}
