// SPDX-License-Identifier: Apache-2.0

/// Something legal in a Dockerfile that its author may not have meant.
package struct LintWarning: Sendable, Hashable {
    package let rule: LintRule
    /// The finding in one sentence, without the rule's name.
    package let message: String
    /// The lines it is about.
    package let lines: ClosedRange<Int>

    package init(_ rule: LintRule, _ message: String, lines: ClosedRange<Int>) {
        self.rule = rule
        self.message = message
        self.lines = lines
    }
}

/// Collects warnings that its options let through.
///
/// Each finding is reported with the comments of its instruction, which may hold a `check=…` of
/// their own.
package struct Linter: Sendable {
    package var options: LintOptions
    /// In the order of reporting.
    package private(set) var warnings: [LintWarning] = []

    package init(options: LintOptions = LintOptions()) {
        self.options = options
    }

    /// Adds a warning if the options, and a `check=` among the comments, let its rule through.
    ///
    /// - Parameters:
    ///   - rule: The rule that found something.
    ///   - message: The finding in one sentence, without the rule's name.
    ///   - lines: The lines it is about.
    ///   - comments: The comment block of the instruction it is about.
    package mutating func report(
        _ rule: LintRule,
        _ message: @autoclosure () -> String,
        lines: ClosedRange<Int>,
        comments: [String] = []
    ) {
        guard options.merged(withComments: comments).allows(rule) else { return }
        warnings.append(LintWarning(rule, message(), lines: lines))
    }

    /// Names of the rules that found something, if options make findings an error; sorted.
    package var violations: [String] {
        options.returnsError ? Set(warnings.map(\.rule.name)).sorted() : []
    }
}

/// Which rules run: the value of a `check` directive, `skip=A,B;error=true;experimental=all`.
package struct LintOptions: Sendable, Hashable {
    package var skipsAll = false
    package var skipped: Set<String> = []
    package var runsAllExperimental = false
    package var experimental: Set<String> = []
    /// Findings fail the build.
    package var returnsError = false

    package init() {}

    /// - Throws: `badLintOption`.
    package init(parsing text: String) throws(DockerfileError) {
        let trimmed = trimmingWhiteSpace(text)
        if trimmed.isEmpty { return }
        for part in trimmed.utf8.split(
            separator: UInt8(ascii: ";"),
            maxSplits: 2,
            omittingEmptySubsequences: false
        ) {
            guard let (key, value) = cut(String(Substring(part)), at: "=") else {
                throw DockerfileError(
                    .badLintOption,
                    "cannot read check option \"\(Substring(part))\": it has no ="
                )
            }
            let option = trimmingWhiteSpace(value)
            switch trimmingWhiteSpace(key) {
            case "skip" where option == "all": skipsAll = true
            case "skip": skipped = Self.names(option)
            case "experimental" where option == "all": runsAllExperimental = true
            case "experimental": experimental = Self.names(option)
            case "error":
                guard let flag = parseBoolean(option) else {
                    throw DockerfileError(
                        .badLintOption,
                        "cannot read check option error=\(option): it must be true or false"
                    )
                }
                returnsError = flag
            case let unknown:
                throw DockerfileError(
                    .badLintOption,
                    "unknown check option \(unknown); allowed are skip, error and experimental",
                    suggestion: nearestWord(to: unknown, among: ["skip", "error", "experimental"])
                )
            }
        }
    }

    package func allows(_ rule: LintRule) -> Bool {
        if rule.isExperimental { return runsAllExperimental || experimental.contains(rule.name) }
        return !skipsAll && !skipped.contains(rule.name)
    }

    /// These options with the `check=…` of an instruction's comments added.
    package func merged(withComments comments: [String]) -> LintOptions {
        for comment in comments {
            guard let directive = Directive(comment: comment), directive.kind == .check else {
                continue
            }
            let value = directive.reference
            guard let local = try? LintOptions(parsing: value) else { return self }
            var merged = self
            merged.skipsAll = skipsAll || local.skipsAll
            merged.skipped.formUnion(local.skipped)
            merged.runsAllExperimental = runsAllExperimental || local.runsAllExperimental
            merged.experimental.formUnion(local.experimental)
            return merged
        }
        return self
    }

    private static func names(_ list: String) -> Set<String> {
        Set(
            list.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                .map { trimmingWhiteSpace(String(Substring($0))) }
        )
    }
}
