// SPDX-License-Identifier: Apache-2.0

/// One physical line of a file: what it is to the parser, and where its parts stand.
///
/// The four parts follow each other without a gap, and so do the lines of a file: together they are its bytes. All offsets
/// are in bytes from the start of the file.
package struct SourceLine: Sendable, Hashable {
    package enum Role: Sendable, Hashable {
        /// Nothing but white space between instructions.
        case blank
        /// A comment between instructions.
        case comment
        /// A parser directive.
        case directive
        /// A part of the instruction of this index in ``SyntaxTree/nodes``; its ``SourceLine/content`` is what the
        /// instruction gets of it.
        case instruction(Int)
        /// A comment between the lines of an instruction.
        case innerComment(Int)
        /// An empty line between the lines of an instruction.
        case innerBlank(Int)
        /// A line of a heredoc of an instruction, or the one that ends it.
        case heredoc(Int)
    }

    package fileprivate(set) var role: Role
    /// White space at the start that is no part of the content.
    package fileprivate(set) var indentation: Range<Int>
    package fileprivate(set) var content: Range<Int>
    /// In a line that goes on in the next, the escape character and the blanks behind it; otherwise empty.
    package fileprivate(set) var continuation: Range<Int>
    /// The line feed with the carriage returns before it; empty at the end of a file without one.
    package fileprivate(set) var ending: Range<Int>

    /// The whole line.
    package var range: Range<Int> { indentation.lowerBound..<ending.upperBound }

    /// - Parameters:
    ///   - text: The line without its ending.
    ///   - end: Where the next line begins.
    init(_ role: Role, text: Range<Int>, content: Range<Int>, end: Int) {
        self.role = role
        indentation = text.lowerBound..<content.lowerBound
        self.content = content
        continuation = content.upperBound..<text.upperBound
        ending = text.upperBound..<end
    }

    /// The same line as another part of an instruction.
    mutating func become(_ role: Role, content: Range<Int>) {
        let text = range.lowerBound..<ending.lowerBound
        self = SourceLine(role, text: text, content: content, end: ending.upperBound)
    }
}
