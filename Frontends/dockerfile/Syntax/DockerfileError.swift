// SPDX-License-Identifier: Apache-2.0

/// A Dockerfile that cannot be read, or an instruction of it that cannot be meant.
///
/// Always the fault of the file's author. The message says what is wrong and, where there is one,
/// the nearest valid word: `unknown instruction RUNN; did you mean RUN`.
package struct DockerfileError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The file holds no instruction, or no stage.
        case noInstructions
        case lineTooLong
        /// A parser directive is repeated or has a value it cannot have.
        case badDirective
        case unknownInstruction
        case unknownFlag
        /// A flag lacks its value, has one it must not have, or is given twice.
        case badFlag
        /// Too few or too many arguments, or one of the wrong form.
        case badArguments
        case badHeredoc
        case badMount
        case badStageName
        /// ONBUILD with an instruction it cannot hold.
        case badTrigger
        /// An instruction other than ARG before the first FROM.
        case noCurrentStage
        /// `$` syntax that means nothing, or an unclosed quote.
        case badExpansion
        /// `${name:?message}` and the variable is not set.
        case unsetVariable
        /// The file asks for more than ``Limit`` allows.
        case tooLarge
        case badLintOption
        /// INCLUDE without a path, or with one that cannot be read.
        case badInclude
    }

    package var code: Code
    /// Without place and suggestion.
    package var message: String
    /// The nearest valid word, if one is near.
    package var suggestion: String?
    /// Name of the file, as the user gave it; empty if not known.
    package var file: String
    /// The text at fault; nil for a whole file, or for text that stands in no file.
    package var range: SourceRange?
    /// All lines of the instruction at fault.
    package var lines: ClosedRange<Int>?
    /// What else is wrong further down, at most ``Limit/reportedErrorCount`` less this one.
    package var further: [DockerfileError] = []

    package init(
        _ code: Code,
        _ message: String,
        suggestion: String? = nil,
        file: String = "",
        range: SourceRange? = nil,
        lines: ClosedRange<Int>? = nil
    ) {
        self.code = code
        self.message = bounded(message)
        self.suggestion = suggestion
        self.file = file
        self.range = range
        self.lines = lines
    }

    /// The message with the suggestion, if any.
    package var explanation: String {
        guard let suggestion else { return message }
        return message + "; did you mean " + suggestion
    }

    /// `Dockerfile:3:5: unknown instruction RUNN; did you mean RUN`.
    package var description: String {
        let start = range?.start ?? lines.map { SourcePosition(line: $0.lowerBound, column: 1) }
        guard let start else { return file.isEmpty ? explanation : "\(file): \(explanation)" }
        let name = file.isEmpty ? "Dockerfile" : file
        return "\(name):\(start.line):\(start.column): \(explanation)"
    }

    /// The same error, said to be at this place unless it already names one.
    package func located(
        range: SourceRange?,
        lines: ClosedRange<Int>?,
        file: String? = nil
    ) -> DockerfileError {
        var error = self
        error.range = error.range ?? range
        error.lines = error.lines ?? lines
        if error.file.isEmpty, let file { error.file = file }
        return error
    }
}

/// Bounds on what one file may make the parser do.
///
/// Real files stay far below all of them.
package enum Limit {
    /// Bytes of one physical line without its line feed; BuildKit has the same limit.
    package static let lineByteCount = 65_535
    /// Lines of a file that is linted or formatted.
    package static let keptLineCount = 1_000_000
    /// How deep `${a:-${b:-…}}` may nest.
    package static let expansionDepth = 200
    /// Bytes one expansion may give.
    package static let expandedByteCount = 16 << 20
    /// Steps the patterns of one expansion may take, such as that of `${a##pattern}`: pattern length × value length.
    package static let patternStepCount = 1 << 26
    /// Instructions of one file, those in ONBUILD not counted; an engine takes no more operations either.
    package static let instructionCount = 100_000
    /// Arguments, flags and heredocs of all instructions.
    package static let wordCount = 1_000_000
    /// Errors of one file that are reported together.
    package static let reportedErrorCount = 10
    /// Bytes of the path of one INCLUDE.
    package static let includedPathByteCount = 4096
    /// How deep files may include files.
    package static let includeDepth = 16
    /// INCLUDE instructions carried out, those in included files counted each time.
    package static let includeCount = 500
    /// Bytes of all included files together.
    package static let includedByteCount = 16 << 20
    /// How deep JSON may nest where a list of strings is meant.
    package static let jsonDepth = 10_000
}
