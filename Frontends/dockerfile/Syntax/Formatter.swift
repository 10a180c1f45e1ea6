// SPDX-License-Identifier: Apache-2.0

/// Writes a Dockerfile in its usual form.
///
/// Keywords in capitals; one space between words; lines that an instruction goes on in indented by four; no white space at
/// the ends of lines; at most one empty line in a row, none within an instruction; a line feed at the end. Comments, the
/// order of flags, heredocs and text for a shell stay as they are, so the same operations are built, and what was written
/// here stays the same when written again. An instruction for which that cannot be had stays as it is.
package struct Formatter {
    private let document: SourceDocument
    /// What lines end with: as the first one does.
    private let lineEnd: [UInt8]
    private var output: [UInt8] = []
    /// Whether an empty line stood before what comes next.
    private var hasGap = false

    /// The usual form of a file.
    ///
    /// - Throws: What is wrong with the file, as a conversion would say it.
    package static func format(_ source: [UInt8], file: String = "Dockerfile") throws(DockerfileError) -> [UInt8] {
        let document = try SourceDocument(parsing: source, file: file)
        // Of a file that means nothing nobody can say what is its usual form.
        try Dockerfile.check(document)
        var formatter = Formatter(document)
        formatter.run()
        return formatter.output
    }

    private init(_ document: SourceDocument) {
        self.document = document
        let first = document.lines.first.map { document.source[$0.ending] } ?? []
        lineEnd = first.contains(.carriageReturn) ? [.carriageReturn, .lineFeed] : [.lineFeed]
        output.reserveCapacity(document.source.count)
        output += document.prefix
    }

    private mutating func run() {
        var number = 1
        while number <= document.lines.count {
            let line = document.lines[number - 1]
            number += 1
            switch line.role {
            case .blank: hasGap = true
            case .comment, .directive: write(comment: line)
            case .instruction(let index):
                let node = document.tree.nodes[index]
                writeGap()
                output += formatted(node) ?? verbatim(node)
                number = node.lines.upperBound + 1
            // Those stand between the lines of an instruction, which are written with it.
            case .innerComment, .innerBlank, .heredoc: break
            }
        }
    }

    private mutating func writeGap() {
        let isStart = output.count == document.prefix.count
        if hasGap, !isStart { output += lineEnd }
        hasGap = false
    }

    private mutating func write(comment line: SourceLine) {
        let text = document.source[document.source.trimmingEnd(line.content)]
        let isDirective = Directive(comment: String(decoding: text.dropFirst(), as: UTF8.self)) != nil
        if case .comment = line.role, isDirective {
            // At the very start it would become a directive, and at the margin one of its instruction.
            let isStart = output.count == document.prefix.count
            if isStart, hasGap { output += lineEnd }
            if isStart { hasGap = false }
            writeGap()
            output += document.source[line.indentation]
        } else {
            writeGap()
        }
        output += text
        output += lineEnd
    }

    // MARK: Instructions

    /// The instruction as it is, with an end to its last line.
    private func verbatim(_ node: Node) -> [UInt8] {
        var bytes: [UInt8] = []
        for number in node.lines { bytes += document.source[document.lines[number - 1].range] }
        if bytes.last != .lineFeed { bytes += lineEnd }
        return bytes
    }

    /// The instruction in its usual form; nil when that would mean something else.
    private func formatted(_ node: Node) -> [UInt8]? {
        var writer = InstructionWriter(document, node, lineEnd: lineEnd)
        guard let bytes = writer.write(),
            let again = try? SyntaxTree(parsing: bytes, escape: document.tree.escape),
            again.nodes.count == 1, again.nodes[0].meansTheSame(as: node)
        else { return nil }
        return bytes
    }
}

extension Node {
    /// Whether two instructions differ in nothing but their spelling.
    fileprivate func meansTheSame(as other: Node) -> Bool {
        func texts(_ node: Node) -> [String] {
            var texts = node.arguments.map(\.text)
            if node.name == "FROM", texts.count == 3 { texts[1] = texts[1].uppercased() }
            if node.name == "HEALTHCHECK", let type = texts.first { texts[0] = type.uppercased() }
            return texts
        }
        func heredocs(_ node: Node) -> [Heredoc] {
            node.heredocs.map { heredoc in
                var heredoc = heredoc
                heredoc.lines = nil
                return heredoc
            }
        }
        return name == other.name && flags.map(\.text) == other.flags.map(\.text)
            && texts(self) == texts(other) && isJSON == other.isJSON && heredocs(self) == heredocs(other)
            && triggerText == other.triggerText
    }

    /// What follows ONBUILD, as an image keeps it but for blanks at its end; empty for any other instruction.
    private var triggerText: String {
        guard name == "ONBUILD" else { return "" }
        return trimmingWhiteSpace(
            String(trimmingWhiteSpace(original).unicodeScalars.dropFirst(name.unicodeScalars.count))
        )
    }
}
