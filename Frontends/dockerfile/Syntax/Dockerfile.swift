// SPDX-License-Identifier: Apache-2.0

/// A Dockerfile understood: global arguments and stages, nothing expanded yet.
package struct Dockerfile: Sendable {
    /// Name of the file, for messages.
    package let file: String
    /// The escape character: `\`, or a backtick if a directive says so.
    package let escape: Unicode.Scalar
    /// The ARG instructions before the first FROM.
    package let globalArguments: [Instruction]
    /// Never empty.
    package let stages: [Stage]

    /// Reads a whole file: ``SyntaxTree/init(parsing:file:)``, then ``init(_:linter:)``.
    package init(
        parsing source: [UInt8],
        file: String = "Dockerfile",
        linter: inout Linter
    ) throws(DockerfileError) {
        try self.init(SyntaxTree(parsing: source, file: file), linter: &linter)
    }
}

/// What stands between one FROM and the next.
package struct Stage: Sendable, Hashable {
    /// In lower case; empty for a stage without a name.
    package var name: String
    /// The keyword FROM in the case it was written.
    package var keyword: String
    /// The image, stage or named context it starts from, not expanded.
    package var base: Word
    /// The value of `--platform`, not expanded; empty without the flag.
    package var platform: String
    package var instructions: [Instruction]
    /// From the comment `# name text` before FROM; empty without one.
    package var description: String
    /// The FROM instruction as one trimmed line.
    package var text: String
    /// The lines of FROM.
    package var lines: ClosedRange<Int>
    package var range: SourceRange
    /// The comment block before FROM, each line without its `#`.
    package var comments: [String]
}
