// SPDX-License-Identifier: Apache-2.0

/// One instruction of a stage, with its arguments understood but not expanded.
package struct Instruction: Sendable, Hashable {
    /// The keyword in the case it was written.
    package var keyword: String
    /// What to do.
    package var body: Body
    /// The instruction as one trimmed line, without heredoc contents; step names and history start
    /// from it.
    package var text: String
    /// First to last physical line, heredocs included.
    package var lines: ClosedRange<Int>
    /// Where the instruction's own text stands.
    package var range: SourceRange
    /// The comment block before it, each line without its `#`.
    package var comments: [String]
    /// Where its arguments stand, in their order.
    package var argumentRanges: [SourceRange]

    package enum Body: Sendable, Hashable {
        case env(EnvInstruction)
        case maintainer(String)
        case label(LabelInstruction)
        case add(AddInstruction)
        case copy(CopyInstruction)
        case onbuild(OnbuildInstruction)
        case workdir(String)
        case run(RunInstruction)
        case cmd(CommandLine)
        /// A command line without arguments removes the entry point.
        case entrypoint(CommandLine)
        case healthcheck(Healthcheck)
        case expose([String])
        case user(String)
        case volume([String])
        case stopsignal(String)
        case arg(ArgInstruction)
        case shell([String])
    }

    package init(
        keyword: String,
        body: Body,
        text: String,
        lines: ClosedRange<Int>,
        range: SourceRange,
        comments: [String] = [],
        argumentRanges: [SourceRange] = []
    ) {
        self.keyword = keyword
        self.body = body
        self.text = text
        self.lines = lines
        self.range = range
        self.comments = comments
        self.argumentRanges = argumentRanges
    }
}

/// A key with its value.
package struct KeyValue: Sendable, Hashable {
    package var key: String
    package var value: String
    /// Written in the legacy form, `KEY value`.
    package var isLegacy: Bool

    package init(key: String, value: String, isLegacy: Bool = false) {
        self.key = key
        self.value = value
        self.isLegacy = isLegacy
    }
}

package struct EnvInstruction: Sendable, Hashable {
    package var pairs: [KeyValue]

    package init(pairs: [KeyValue]) { self.pairs = pairs }
}

package struct LabelInstruction: Sendable, Hashable {
    package var pairs: [KeyValue]
    /// False for labels that come from an option rather than the file.
    package var isExpanded = true

    package init(pairs: [KeyValue], isExpanded: Bool = true) {
        self.pairs = pairs
        self.isExpanded = isExpanded
    }
}

package struct ArgInstruction: Sendable, Hashable {
    package struct Declaration: Sendable, Hashable {
        package var name: String
        /// nil when only declared; empty when declared as empty.
        package var defaultValue: String?
        /// From the comment `# name text` before the instruction; empty without one.
        package var description: String

        package init(name: String, defaultValue: String?, description: String = "") {
            self.name = name
            self.defaultValue = defaultValue
            self.description = description
        }
    }

    package var declarations: [Declaration]

    package init(declarations: [Declaration]) { self.declarations = declarations }
}

/// The command of RUN, CMD or ENTRYPOINT.
package struct CommandLine: Sendable, Hashable {
    /// The arguments of the JSON form; in the shell form one element, the line for the shell, or
    /// none.
    package var arguments: [String]
    /// Whether the shell of the stage goes in front: false for the JSON form.
    package var usesShell: Bool
    /// Heredocs in order.
    package var heredocs: [Heredoc]

    package init(arguments: [String], usesShell: Bool, heredocs: [Heredoc] = []) {
        self.arguments = arguments
        self.usesShell = usesShell
        self.heredocs = heredocs
    }
}

/// What ONBUILD leaves for the images built on this one.
package struct OnbuildInstruction: Sendable, Hashable {
    /// The inner instruction as text, its heredocs behind it; what the image config holds.
    package var expression: String

    package init(expression: String) { self.expression = expression }
}

package struct Healthcheck: Sendable, Hashable {
    /// `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", line]`, as the image config holds it.
    package var test: [String]
    /// Nanoseconds; 0 means inherit.
    ///
    /// The same holds for the next three.
    package var interval: Int64 = 0
    package var timeout: Int64 = 0
    package var startPeriod: Int64 = 0
    package var startInterval: Int64 = 0
    /// 0 means inherit.
    package var retries: Int32 = 0

    package init(test: [String]) { self.test = test }
}
