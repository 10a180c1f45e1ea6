// SPDX-License-Identifier: Apache-2.0

/// A Dockerfile's syntax tree with everything that stood in the file: of each byte ``lines`` say what it is, comments and
/// white space included, and ``printed`` puts them together again.
///
/// Fixes of the linter and the formatter work on it.
package struct SourceDocument: Sendable {
    package let tree: SyntaxTree
    /// The bytes of the file.
    package let source: [UInt8]
    /// The physical lines in order; line number `n` is at index `n - 1`.
    package let lines: [SourceLine]

    /// Splits a file; linear in its size.
    ///
    /// - Throws: What ``SyntaxTree/init(parsing:file:)`` throws, and `tooLarge` above ``Limit/keptLineCount``.
    package init(parsing source: [UInt8], file: String = "Dockerfile") throws(DockerfileError) {
        var parser = TreeParser(source: source, keepsLines: true)
        tree = try SyntaxTree(running: &parser, file: file)
        lines = parser.lines
        self.source = source
    }

    /// The bytes before the first line: a byte order mark, or nothing.
    package var prefix: ArraySlice<UInt8> { source[..<byteOrderMarkLength(source)] }

    /// The file, put together from the parts of its lines.
    package var printed: [UInt8] {
        var bytes = Array(prefix)
        bytes.reserveCapacity(source.count)
        for line in lines {
            for part in [line.indentation, line.content, line.continuation, line.ending] { bytes += source[part] }
        }
        return bytes
    }

    /// An instruction as one line that remembers where its parts stand.
    func logicalLine(of node: Node) -> LogicalLine {
        var logical = LogicalLine()
        for number in node.lines {
            let line = lines[number - 1]
            guard case .instruction = line.role else { continue }
            let column = line.content.lowerBound - line.range.lowerBound + 1
            logical.append(source[line.content], at: SourcePosition(line: number, column: column))
        }
        return logical
    }

    /// Where a place of the file is in its bytes; the file has the place's line.
    func offset(of position: SourcePosition) -> Int {
        lines[position.line - 1].range.lowerBound + position.column - 1
    }
}
