// SPDX-License-Identifier: Apache-2.0

/// One instruction as written: keyword, flags and arguments split by the rules of that instruction,
/// nothing interpreted yet.
package struct Node: Sendable, Hashable {
    /// The keyword in the case it was written.
    package var keyword: Word
    /// The flags before the arguments, with their dashes, quotes and escapes resolved.
    package var flags: [Word]
    /// The arguments.
    ///
    /// Key-value instructions (ENV, LABEL) have three for each pair: key, value, and `=` or
    /// nothing. HEALTHCHECK has its type first.
    package var arguments: [Word]
    /// Whether the arguments were a JSON array.
    package var isJSON: Bool
    /// The instruction inside ONBUILD: at most one.
    package var trigger: [Node]
    package var heredocs: [Heredoc]
    /// The instruction as one line: continuation lines joined, comments inside it dropped, heredoc
    /// contents not included.
    ///
    /// Step names and image history begin as this.
    package var original: String
    /// First to last physical line, heredocs included.
    package var lines: ClosedRange<Int>
    /// From the keyword to the end of the last argument's line.
    package var range: SourceRange
    /// The comment block before the instruction, each line without its `#`, trimmed.
    package var comments: [String]

    /// The keyword in capital letters.
    package var name: String { keyword.text.uppercased() }

    /// Arguments as BuildKit's instruction parser sees them: those of ONBUILD begin with the inner
    /// keyword.
    package var argumentWords: [Word] {
        guard let inner = trigger.first else { return arguments }
        return [inner.keyword] + inner.argumentWords
    }
}

/// Text that follows an instruction up to a line that holds only its name.
package struct Heredoc: Sendable, Hashable {
    /// The terminator, quotes resolved.
    package var name: String
    /// The number before `<<`; only a shell gives it meaning.
    package var fileDescriptor: UInt
    /// Whether variables are expanded: the name is not quoted.
    package var isExpanded: Bool
    /// Whether leading tabs are stripped: `<<-`.
    package var stripsTabs: Bool
    /// The lines between, with their line ends, tabs not yet stripped.
    package var content: [UInt8]
    /// The lines of the content and its terminator; nil for a heredoc word that has no content
    /// (yet).
    package var lines: ClosedRange<Int>?

    /// The content as text; bytes that are not UTF-8 become U+FFFD.
    package var text: String { String(decoding: content, as: UTF8.self) }

    /// The content without the leading tabs of each line.
    package var contentWithoutTabs: [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(content.count)
        var atLineStart = true
        for byte in content {
            if atLineStart, byte == UInt8(ascii: "\t") { continue }
            result.append(byte)
            atLineStart = byte == UInt8(ascii: "\n")
        }
        return result
    }
}
