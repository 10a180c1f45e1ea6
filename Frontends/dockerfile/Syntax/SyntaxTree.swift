// SPDX-License-Identifier: Apache-2.0

/// A Dockerfile split into instructions; the first of two steps of reading one (see
/// ``Dockerfile``).
///
/// A conversion needs no more; ``SourceDocument`` keeps every byte besides.
package struct SyntaxTree: Sendable {
    /// Name of the file, for messages.
    package let file: String
    /// The instructions in order; never empty.
    package let nodes: [Node]
    /// The escape character: `\`, or a backtick if a directive says so.
    package let escape: Unicode.Scalar
    /// Last lines of instructions that have an empty line between continuation lines.
    package let emptyContinuationLines: [Int]

    /// Splits a file.
    ///
    /// Linear in the size of the file.
    ///
    /// - Parameters:
    ///   - source: The bytes of the file.
    ///   - file: Its name, for messages.
    ///   - lineOffset: Added to the number of every line, so that those of several files differ.
    /// - Throws: What is wrong first, in the order of the lines.
    package init(
        parsing source: [UInt8],
        file: String = "Dockerfile",
        lineOffset: Int = 0
    ) throws(DockerfileError) {
        var parser = TreeParser(source: source, lineOffset: lineOffset)
        try self.init(running: &parser, file: file)
    }

    /// Splits a text that has no directives of its own.
    init(parsing source: [UInt8], escape: Unicode.Scalar) throws(DockerfileError) {
        var parser = TreeParser(source: source, escape: escape)
        try self.init(running: &parser, file: "")
    }

    /// A tree put together from those of several files; the first one's name and escape character hold for all.
    package init(_ first: SyntaxTree, nodes: [Node], emptyContinuationLines: [Int]) {
        file = first.file
        escape = first.escape
        self.nodes = nodes
        self.emptyContinuationLines = emptyContinuationLines
    }

    init(running parser: inout TreeParser, file: String) throws(DockerfileError) {
        do {
            try parser.parse()
        } catch {
            throw error.located(range: nil, lines: nil, file: file)
        }
        self.file = file
        nodes = parser.nodes
        escape = parser.escape
        emptyContinuationLines = parser.emptyContinuationLines
    }
}
