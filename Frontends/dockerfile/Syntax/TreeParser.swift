// SPDX-License-Identifier: Apache-2.0

/// Joins physical lines to instructions and hands each to ``NodeParser``.
struct TreeParser {
    private let source: [UInt8]
    /// Whether ``lines`` are kept, which conversions can do without.
    private let keepsLines: Bool
    private var offset: Int
    private var lineNumber = 0
    private var directives = DirectiveReader(leader: "#")
    private var comments: [String] = []
    private var wordCount = 0

    private(set) var escape: Unicode.Scalar
    private(set) var lines: [SourceLine] = []
    private(set) var nodes: [Node] = []
    private(set) var emptyContinuationLines: [Int] = []

    /// - Parameter lineOffset: Added to the number of every line.
    init(source: [UInt8], escape: Unicode.Scalar = "\\", keepsLines: Bool = false, lineOffset: Int = 0) {
        self.source = source
        self.keepsLines = keepsLines
        self.escape = escape
        lineNumber = lineOffset
        offset = byteOrderMarkLength(source)
    }

    mutating func parse() throws(DockerfileError) {
        while let line = try nextLine() {
            try parseLine(line)
        }
        guard !nodes.isEmpty else {
            throw DockerfileError(
                .noInstructions,
                "cannot build from this file: it holds no instruction"
            )
        }
    }

    /// The next physical line without its line feed; `lineNumber` is its number, and in `lines` it is a blank one.
    private mutating func nextLine() throws(DockerfileError) -> Range<Int>? {
        guard offset < source.count else { return nil }
        let start = offset
        let end = source[start...].firstIndex(of: .lineFeed) ?? source.count
        lineNumber += 1
        guard end - start <= Limit.lineByteCount else {
            throw DockerfileError(
                .lineTooLong,
                "line has \(end - start) bytes, at most \(Limit.lineByteCount) are allowed",
                lines: lineNumber...lineNumber
            )
        }
        offset = end + 1
        if keepsLines {
            let text = trimmingLineEnd(start..<end)
            let content = source.trimmingStart(text)
            lines.append(SourceLine(.blank, text: text, content: content, end: min(offset, source.count)))
            guard lines.count <= Limit.keptLineCount else {
                throw DockerfileError(.tooLarge, "the file has more than \(Limit.keptLineCount) lines")
            }
        }
        return start..<end
    }

    private mutating func parseLine(_ line: Range<Int>) throws(DockerfileError) {
        let content = source.trimmingStart(trimmingLineEnd(line))
        if isComment(content) {
            try parseComment(line, content)
            return
        }
        _ = try directives.read(source, content, line: lineNumber)
        var (part, continues) = cutContinuation(content)
        if part.isEmpty, !continues { return }

        let index = nodes.count
        mark(.instruction(index), part)
        let firstLine = lineNumber
        var logical = LogicalLine()
        append(part, of: line, to: &logical)
        var hasEmptyLine = false
        while continues, let next = try nextLine() {
            let content = trimmingLineEnd(next)
            let trimmed = source.trimmingStart(content)
            if isComment(trimmed) {
                mark(.innerComment(index), trimmed)
                continue
            }
            if trimmed.isEmpty {
                mark(.innerBlank(index), trimmed)
                hasEmptyLine = true
                continue
            }
            (part, continues) = cutContinuation(content)
            mark(.instruction(index), part)
            append(part, of: next, to: &logical)
        }
        if hasEmptyLine { emptyContinuationLines.append(lineNumber) }

        do {
            var node = try NodeParser(line: logical, escape: escape).parse(
                lines: firstLine...lineNumber
            )
            try readHeredocs(of: &node, firstLine: firstLine)
            node.comments = comments
            try count(node)
            nodes.append(node)
        } catch {
            throw error.located(range: nil, lines: firstLine...lineNumber)
        }
        comments = []
    }

    /// Keeps what is read within the memory a frontend has.
    private mutating func count(_ node: Node) throws(DockerfileError) {
        guard nodes.count < Limit.instructionCount else {
            throw DockerfileError(
                .tooLarge,
                "the file has more than \(Limit.instructionCount) instructions, which is the limit"
            )
        }
        let words = node.trigger.first ?? node
        wordCount += words.arguments.count + words.flags.count + node.heredocs.count
        guard wordCount <= Limit.wordCount else {
            throw DockerfileError(
                .tooLarge,
                "the instructions have more than \(Limit.wordCount) arguments, flags and heredocs in all, which is the "
                    + "limit"
            )
        }
    }

    private mutating func parseComment(
        _ line: Range<Int>,
        _ content: Range<Int>
    ) throws(DockerfileError) {
        if let directive = try directives.read(source, content, line: lineNumber) {
            mark(.directive, content)
            if directive.kind == .escape { try setEscape(directive) }
            return
        }
        mark(.comment, content)
        // The first byte goes unread, which is the # unless the comment is indented; BuildKit does
        // the same.
        let text = source.text(source.trimming(line.lowerBound + 1..<line.upperBound))
        if text.isEmpty { comments = [] } else { comments.append(text) }
    }

    /// Says what the line just read is.
    private mutating func mark(_ role: SourceLine.Role, _ content: Range<Int>) {
        if keepsLines { lines[lines.count - 1].become(role, content: content) }
    }

    private mutating func setEscape(_ directive: Directive) throws(DockerfileError) {
        guard let scalar = directive.value.unicodeScalars.first,
            directive.value.unicodeScalars.count == 1,
            scalar == "\\" || scalar == "`"
        else {
            throw DockerfileError(
                .badDirective,
                "invalid escape character \(directive.value); allowed are \\ and `",
                lines: directive.line...directive.line
            )
        }
        escape = scalar
    }

    private func append(_ part: Range<Int>, of line: Range<Int>, to logical: inout LogicalLine) {
        let column = part.lowerBound - line.lowerBound + 1
        logical.append(source[part], at: SourcePosition(line: lineNumber, column: column))
    }

    private func trimmingLineEnd(_ line: Range<Int>) -> Range<Int> {
        var end = line.upperBound
        while end > line.lowerBound, source[end - 1] == .carriageReturn { end -= 1 }
        return line.lowerBound..<end
    }

    private func isComment(_ content: Range<Int>) -> Bool {
        !content.isEmpty && source[content.lowerBound] == UInt8(ascii: "#")
    }

    /// Takes the escape character off the end, and blanks behind it, unless another escape
    /// character precedes it.
    private func cutContinuation(_ content: Range<Int>) -> (part: Range<Int>, continues: Bool) {
        let escapeByte = UInt8(truncatingIfNeeded: escape.value)
        var end = content.upperBound
        while end > content.lowerBound, source[end - 1] == 0x20 || source[end - 1] == 0x09 {
            end -= 1
        }
        guard end > content.lowerBound, source[end - 1] == escapeByte else {
            return (content, false)
        }
        end -= 1
        if end > content.lowerBound, source[end - 1] == escapeByte { return (content, false) }
        return (content.lowerBound..<end, true)
    }

    private mutating func readHeredocs(of node: inout Node, firstLine: Int) throws(DockerfileError) {
        guard node.canHoldHeredocs, node.original.utf8.contains(UInt8(ascii: "<")) else { return }
        for var heredoc in try Heredoc.heredocs(in: node.original) {
            let firstContentLine = lineNumber + 1
            guard let content = try readContent(of: heredoc) else {
                throw DockerfileError(
                    .badHeredoc,
                    "heredoc \(heredoc.name) is not terminated: no line holds \(heredoc.name) alone"
                )
            }
            heredoc.content = content
            heredoc.lines = firstContentLine...lineNumber
            node.heredocs.append(heredoc)
        }
        node.lines = firstLine...lineNumber
    }

    private mutating func readContent(of heredoc: Heredoc) throws(DockerfileError) -> [UInt8]? {
        let terminator = Array(heredoc.name.utf8)
        var content: [UInt8] = []
        while let line = try nextLine() {
            let text = trimmingLineEnd(line)
            mark(.heredoc(nodes.count), text)
            var candidate = source[text]
            if heredoc.stripsTabs { candidate = candidate.drop { $0 == 0x09 } }
            if candidate.elementsEqual(terminator) { return content }
            content.append(contentsOf: source[line])
            if line.upperBound < source.count { content.append(.lineFeed) }
        }
        return nil
    }
}
