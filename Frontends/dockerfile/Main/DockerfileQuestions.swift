// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import FrontendKit
internal import FrontendProtocol
internal import LLB

extension DockerfileFrontend {
    /// What can be asked about a Dockerfile besides building it.
    static var questions: FrontendQuestions {
        var questions = FrontendQuestions(
            targets: { session, request in try await answer(session, request) { try await $0.targets() } },
            outline: { session, request in try await answer(session, request) { try await $0.outline() } },
            lint: { session, request in try await answer(session, request) { try await $0.lint() } },
            convert: { session, request in try await answer(session, request) { try await $0.convert() } },
            format: { session, request in try await answer(session, request) { try $0.format() } }
        )
        // The answers to BuildKit's clients are BuildKit's to the letter.
        questions.answersSubrequests = false
        return questions
    }

    /// Does one piece of work and puts its errors into words for the user.
    static func answer<Answer>(
        _ session: FrontendSession,
        _ request: BuildRequest,
        _ body: (DockerfileBuild) async throws -> Answer
    ) async throws -> Answer {
        let build = DockerfileBuild(session: session, request: request)
        return try await build.explainingErrors { try await body(build) }
    }
}

extension DockerfileBuild {
    fileprivate func targets() async throws -> TargetsDescription {
        let list = try await targetList(try options())
        let stages = list.stages
        return TargetsDescription(
            targets: stages.enumerated().map { index, stage in
                TargetsDescription.Target(
                    name: stage.name,
                    isDefault: index == stages.count - 1,
                    description: stage.description.nonEmpty,
                    base: stage.base.text,
                    platform: stage.platform.nonEmpty,
                    ranges: [TextRange(list.files.locate(stage.lines).lines)]
                )
            }
        )
    }

    fileprivate func outline() async throws -> OutlineDescription {
        let outline = try await converted(try options()).outline
        func ranges(_ lines: ClosedRange<Int>) -> [TextRange] { [TextRange(outline.files.locate(lines).lines)] }
        func needs(_ entries: [DockerfileOutline.Entry]) -> [OutlineDescription.Need] {
            entries.map { entry in
                OutlineDescription.Need(
                    name: entry.name,
                    isRequired: entry.isRequired,
                    ranges: ranges(entry.lines)
                )
            }
        }
        return OutlineDescription(
            name: outline.name.nonEmpty,
            description: outline.description.nonEmpty,
            arguments: outline.arguments.map { entry in
                OutlineDescription.Argument(
                    name: entry.name,
                    description: entry.description.nonEmpty,
                    value: entry.value.nonEmpty,
                    ranges: ranges(entry.lines)
                )
            },
            secrets: needs(outline.secrets),
            ssh: needs(outline.sockets)
        )
    }

    fileprivate func lint() async throws -> LintFindings {
        let options = try options()
        let report = try await LintReport(
            try conversionInput(options, options.targetPlatforms.first),
            context: answers
        )
        let fixer = (try? SourceDocument(parsing: request.fileContent)).map { LintFixer($0) }
        return LintFindings(
            diagnostics: report.warnings.sorted { $0.lines.lowerBound < $1.lines.lowerBound }.map { warning in
                let isMain = report.files.locate(warning.lines).index == 0
                return Diagnostic(
                    warning,
                    place(of: warning.lines, in: report.files),
                    fix: isMain ? fixer?.fix(for: warning) : nil
                )
            },
            error: report.failure.map { failure in
                let place = failure.lines.map { self.place(of: $0, in: report.files) }
                return LintFindings.Failure(
                    message: failure.message,
                    fileName: place?.fileName ?? request.fileName,
                    ranges: place.map { [$0.range] } ?? []
                )
            }
        )
    }

    fileprivate func convert() async throws -> Definition? {
        let options = try options()
        let definition = try await converted(options).definition()
        return definition.isScratch ? nil : definition
    }

    fileprivate func format() throws -> [UInt8] {
        try Formatter.format(request.fileContent, file: request.fileName)
    }

    private func options() throws -> DockerfileOptions {
        try DockerfileOptions(request.options, workerPlatforms: request.workerPlatforms)
    }
}

extension Diagnostic {
    /// A finding of the linter.
    init(_ warning: LintWarning, _ place: (fileName: String, range: TextRange), fix: LintFix? = nil) {
        self.init(
            severity: .warning,
            code: warning.rule.name,
            message: warning.message,
            detail: [warning.rule.summary],
            url: warning.rule.url.nonEmpty,
            fileName: place.fileName,
            ranges: [place.range],
            fixes: fix.map { [Fix($0)] } ?? []
        )
    }
}

extension Diagnostic.Fix {
    fileprivate init(_ fix: LintFix) {
        self.init(
            title: fix.title,
            edits: fix.edits.map { Diagnostic.Edit(range: TextRange($0.range), text: $0.text) }
        )
    }
}

extension TextRange {
    init(_ range: DockerfileSyntax.SourceRange) {
        self.init(
            startLine: range.start.line,
            startColumn: range.start.column,
            endLine: range.end.line,
            endColumn: range.end.column
        )
    }

    init(_ lines: ClosedRange<Int>) {
        self.init(startLine: lines.lowerBound, endLine: lines.upperBound)
    }
}

extension String {
    fileprivate var nonEmpty: String? { isEmpty ? nil : self }
}
