// SPDX-License-Identifier: Apache-2.0

/// Writes one instruction in its usual form, token by token.
///
/// Between tokens it decides about white space; within one, every line stays as it is.
struct InstructionWriter {
    private let document: SourceDocument
    private let node: Node
    private let logical: LogicalLine
    private let lineEnd: [UInt8]
    private var output: [UInt8] = []
    /// The first piece of the logical line whose beginning has not been written.
    private var nextPiece = 1

    private static let indentation = [UInt8](repeating: 0x20, count: 4)

    init(_ document: SourceDocument, _ node: Node, lineEnd: [UInt8]) {
        self.document = document
        self.node = node
        self.lineEnd = lineEnd
        logical = document.logicalLine(of: node)
    }

    /// The lines of the instruction, heredocs included; nil when something other than white space is between tokens.
    mutating func write() -> [UInt8]? {
        let tokens = NodeParser(line: logical, escape: document.tree.escape).tokens()
        guard let first = tokens.first, isSpace(0..<first.range.lowerBound),
            logical.pieces.count < 2 || logical.pieces[1].offset >= first.range.upperBound
        else { return nil }
        var end = first.range.lowerBound
        for (index, token) in tokens.enumerated() {
            guard isSpace(end..<token.range.lowerBound) else { return nil }
            if index > 0 { writeGap(before: token) }
            write(token)
            end = token.range.upperBound
        }
        guard isSpace(end..<logical.bytes.count) else { return nil }
        output += lineEnd
        writeRest()
        return output
    }

    private func isSpace(_ range: Range<Int>) -> Bool { logical.bytes.trimmingStart(range).isEmpty }

    private mutating func writeGap(before token: LineToken) {
        var comments: [Int] = []
        let firstPiece = nextPiece
        while nextPiece < logical.pieces.count, logical.pieces[nextPiece].offset <= token.range.lowerBound {
            comments += commentLines(beforePiece: nextPiece)
            nextPiece += 1
        }
        if nextPiece == firstPiece {
            if !token.isTight { output.append(0x20) }
            return
        }
        output.append(0x20)
        writeContinuation()
        for number in comments {
            output += Self.indentation
            output += document.source[document.source.trimmingEnd(document.lines[number - 1].content)]
            output += lineEnd
        }
        output += Self.indentation
    }

    private mutating func write(_ token: LineToken) {
        let isBroken = nextPiece < logical.pieces.count && logical.pieces[nextPiece].offset < token.range.upperBound
        if token.isKeyword, !isBroken {
            output += logical.bytes.text(token.range).uppercased().utf8
            return
        }
        var start = token.range.lowerBound
        while nextPiece < logical.pieces.count, logical.pieces[nextPiece].offset < token.range.upperBound {
            let end = logical.pieces[nextPiece].offset
            output += logical.bytes[start..<end]
            writeContinuation()
            for number in commentLines(beforePiece: nextPiece) {
                let line = document.lines[number - 1]
                output += document.source[line.indentation]
                output += document.source[document.source.trimmingEnd(line.content)]
                output += lineEnd
            }
            start = end
            nextPiece += 1
        }
        output += logical.bytes[start..<token.range.upperBound]
    }

    private mutating func writeContinuation() {
        output.append(UInt8(truncatingIfNeeded: document.tree.escape.value))
        output += lineEnd
    }

    /// Numbers of the comments between a piece of the logical line and the piece before it.
    private func commentLines(beforePiece index: Int) -> [Int] {
        let between = logical.pieces[index - 1].start.line + 1..<logical.pieces[index].start.line
        return between.filter { number in
            if case .innerComment = document.lines[number - 1].role { true } else { false }
        }
    }

    /// What is left of the instruction's lines: comments behind a last line that announces one more, and heredocs.
    private mutating func writeRest() {
        guard let last = logical.pieces.last else { return }
        for piece in nextPiece..<max(nextPiece, logical.pieces.count) {
            for number in commentLines(beforePiece: piece) { writeWhole(number) }
        }
        for number in last.start.line + 1..<max(last.start.line, node.lines.upperBound) + 1 { writeWhole(number) }
    }

    private mutating func writeWhole(_ number: Int) {
        let line = document.lines[number - 1]
        switch line.role {
        case .heredoc:
            output += document.source[line.range]
            if line.ending.isEmpty { output += lineEnd }
        case .innerComment:
            output += document.source[document.source.trimmingEnd(line.content)]
            output += lineEnd
        default: break
        }
    }
}
