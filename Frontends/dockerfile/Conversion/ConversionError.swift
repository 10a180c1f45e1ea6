// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax

/// A Dockerfile, or an option, that cannot be turned into LLB.
package struct ConversionError: Error, Sendable, CustomStringConvertible {
    /// What is wrong with what.
    package enum Code: Hashable, Sendable {
        /// An option of the build has a value it cannot have.
        case badOption
        /// A stage, image, platform or context that is not there or not valid.
        case badBase
        /// An instruction that cannot be carried out.
        case badInstruction
        /// A COPY or ADD source, a mount or a URL that cannot be used.
        case badSource
        /// Stages that need each other.
        case circularStages
        /// What the engine was asked for cannot be had: see ``cause``.
        case unavailable
        /// The linter was asked to fail the build and found something.
        case lintViolations
    }

    package let code: Code
    /// Without the place.
    package let message: String
    /// The nearest valid word, if one is near.
    package var suggestion: String?
    /// Lines of the instruction at fault.
    package var lines: ClosedRange<Int>?
    /// What the engine answered.
    package var cause: (any Error)?

    package init(
        _ code: Code,
        _ message: String,
        suggestion: String? = nil,
        lines: ClosedRange<Int>? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = bounded(message)
        self.suggestion = suggestion
        self.lines = lines
        self.cause = cause
    }

    package var description: String {
        let place = lines.map { "line \($0.lowerBound): " } ?? ""
        return place + message + (suggestion.map { "; did you mean \($0)" } ?? "")
    }
}
