// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import OCI
internal import PathPatterns

// The rules of the linter that need more than the text.

extension DockerfileConversion {
    /// Variables an instruction uses that nothing sets and no ARG declares.
    func checkUnmatched(_ names: Set<String>, _ step: Step) {
        let undeclared = names.filter {
            !step.stage.argumentNames.contains($0) && !Self.scannerArguments.contains($0)
        }
        for name in undeclared.sorted() {
            let environment = step.stage.state.environment
            let near =
                budget.allowsSuggestion(among: environment.count)
                ? nearestWord(to: name, among: environment.names) : nil
            report(
                .undefinedVar,
                "Usage of undefined variable '$\(name)'"
                    + (near.map { " (did you mean $\($0)?)" } ?? ""),
                step
            )
        }
    }

    /// ARGs FROM uses that nothing declares.
    func checkFromArguments(_ names: Set<String>, _ stage: Stage) {
        guard !names.isEmpty else { return }
        let declared = globalArgumentNames.union(globalArguments.names)
        for name in names.subtracting(declared).sorted() {
            let near = nearestWord(to: name, among: declared.sorted())
            linter.report(
                .undefinedArgInFrom,
                "FROM argument '\(name)' is not declared"
                    + (near.map { " (did you mean \($0)?)" } ?? ""),
                lines: stage.lines,
                comments: stage.comments
            )
        }
    }

    /// Base images whose name is none when no build argument is given.
    func checkBasesWithDefaults(_ dockerfile: Dockerfile) {
        guard
            let arguments = try? evaluate(
                dockerfile.globalArguments,
                from: globalArguments,
                overrides: [:]
            )
        else { return }
        for stage in dockerfile.stages {
            guard let name = try? expander.text(stage.base.text, arguments) else { return }
            guard (try? Reference(parsing: name)) == nil else { continue }
            linter.report(
                .invalidDefaultArgInFrom,
                "Default value for ARG \(stage.base.text) results in empty or invalid base image name",
                lines: stage.lines
            )
        }
    }

    func checkRedundantPlatform(_ name: Expansion, _ stage: Stage) {
        guard name.matched == ["TARGETPLATFORM"], name.text == globalArguments["TARGETPLATFORM"]
        else { return }
        linter.report(
            .redundantTargetPlatform,
            "Setting platform to predefined \(stage.platform) in FROM is redundant as this is the default behavior",
            lines: stage.lines,
            comments: stage.comments
        )
    }

    func checkConstantPlatform(_ name: Expansion, _ stage: Stage) {
        guard name.matched.isEmpty, name.unmatched.isEmpty,
            let platform = try? Platform(parsing: name.text)
        else {
            return
        }
        guard !stage.name.contains(platform.os), !stage.name.contains(platform.architecture) else {
            return
        }
        linter.report(
            .fromPlatformFlagConstDisallowed,
            "FROM --platform flag should not use constant value \"\(name.text)\"",
            lines: stage.lines,
            comments: stage.comments
        )
    }

    func checkBasePlatform(_ name: String, wanted: Platform, _ stage: StageState) {
        let actual = stage.image.platform
        guard wanted.os != actual.os || wanted.architecture != actual.architecture,
            let lines = stage.lines
        else {
            return
        }
        linter.report(
            .invalidBaseImagePlatform,
            "Base image \(name) was pulled with platform \"\(actual.normalized.identifier)\", expected "
                + "\"\(wanted.normalized.identifier)\" for current build",
            lines: lines
        )
    }

    /// Reports the earlier use, which has no effect.
    func checkUsedOnce(_ use: inout ClosedRange<Int>?, _ step: Step) {
        if let earlier = use {
            linter.report(
                .multipleInstructionsDisallowed,
                "Multiple \(step.instruction.keyword) instructions should not be used in the same stage because only "
                    + "the last one will be used",
                lines: earlier,
                comments: step.instruction.comments
            )
        }
        use = step.lines
    }

    func checkSecret(_ instruction: String, _ name: String, _ step: Step) {
        let words = Set(name.lowercased().split(separator: "_").map(String.init))
        guard !words.isDisjoint(with: Self.secretWords), words.isDisjoint(with: Self.harmlessWords)
        else { return }
        report(
            .secretsUsedInArgOrEnv,
            "Do not use ARG or ENV instructions for sensitive data (\(instruction) \(quoted(name)))",
            step
        )
    }

    private static let secretWords: Set<String> = [
        "apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd",
        "secret", "token",
    ]
    private static let harmlessWords: Set<String> = ["public", "file", "version"]

    /// A path COPY or ADD names that `.dockerignore` leaves out.
    ///
    /// Exceptions in that file make it undecidable.
    func checkIgnored(_ path: String, _ step: Step, isAdd: Bool) {
        guard let ignoreMatcher, !ignoreMatcher.hasExceptions else { return }
        let path = SlashPath.clean(path)
        if path == "." || path == "/" {
            guard ignoreMatcher.patterns.contains(where: { ["*", "**", "**/*"].contains($0.text) })
            else { return }
        }
        guard ignoreMatcher.matchesOrParentMatches(path) else { return }
        report(
            .copyIgnoredFile,
            "Attempting to \(isAdd ? "Add" : "Copy") file \(quoted(path)) that is excluded by .dockerignore",
            step
        )
    }

    func reportLegacyPair(_ step: Step) {
        let keyword = step.instruction.keyword
        report(
            .legacyKeyValueFormat,
            "\"\(keyword) key=value\" should be used instead of legacy \"\(keyword) key value\" format",
            step
        )
    }

    func reportShellForm(_ step: Step) {
        report(
            .jsonArgsRecommended,
            "JSON arguments recommended for \(step.instruction.keyword) to prevent unintended behavior related to OS "
                + "signals",
            step
        )
    }

    func reportRelativeDirectory(_ path: String, _ step: Step) {
        report(
            .workdirRelativePath,
            "Relative workdir \(quoted(path)) can have unexpected results if the base image changes",
            step
        )
    }

    func reportProtocolCasing(_ port: String, _ step: Step) {
        report(
            .exposeProtoCasing,
            "Defined protocol '\(port)' in EXPOSE instruction should be lowercase",
            step
        )
    }

    func reportPortMapping(_ port: String, _ step: Step) {
        report(
            .exposeInvalidFormat,
            "EXPOSE instruction should not define an IP address or host-port mapping, found '\(port)'",
            step
        )
    }

    private func report(_ rule: LintRule, _ message: String, _ step: Step) {
        linter.report(rule, message, lines: step.lines, comments: step.instruction.comments)
    }
}
