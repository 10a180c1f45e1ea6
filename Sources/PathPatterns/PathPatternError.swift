// SPDX-License-Identifier: Apache-2.0

/// A pattern, or a file of patterns, that nobody could have meant.
///
/// It is always the fault of whoever wrote the pattern.
package struct PathPatternError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// An unclosed class, an escape with nothing after it, or an empty range.
        case malformedPattern
        /// The pattern `!` alone: an exception to nothing.
        case emptyException
        /// A line of an ignore file is longer than ``ignoreFileLineByteLimit``.
        case lineTooLong
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
