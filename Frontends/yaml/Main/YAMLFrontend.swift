// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol
internal import LLB
internal import OCI
internal import YAMLSpec

/// The frontend for image specs in YAML: reads the file and what it includes, converts a target for every platform, gives
/// the trees and configs back.
enum YAMLFrontend {
    static func run() -> Never {
        let questions = FrontendQuestions(
            targets: { session, request in try await YAMLBuild(session, request).document().targetsDescription() },
            outline: { session, request in try await YAMLBuild(session, request).outline() },
            lint: { session, request in try await YAMLBuild(session, request).lint() },
            convert: { session, request in try await YAMLBuild(session, request).convert() }
        )
        FrontendMain.run(name: "yaml", version: "1.0.0", questions: questions) { session, request in
            try await YAMLBuild(session, request).build()
        }
    }
}

/// One request to the frontend.
struct YAMLBuild: Sendable {
    let session: FrontendSession
    let request: BuildRequest
    let options: CommonOptions
    /// Combinations of a matrix that the linter looks at.
    private static let lintedCellCountMax = 64

    init(_ session: FrontendSession, _ request: BuildRequest) throws {
        self.session = session
        self.request = request
        options = try CommonOptions(request.options)
    }

    // MARK: Answers

    func build() async throws -> BuildResult {
        let context = try await BuildContext(request, session)
        let document = try await document(context)
        let target = try document.target(named: options.target, arguments: options.buildArguments)
        let platforms = try self.platforms(document, target)
        reportWeaknesses(document, target, platforms[0])
        var options = options
        options.platforms = platforms
        if self.options.platforms.isEmpty { options.isMultiPlatform = options.isMultiPlatform || platforms.count > 1 }
        let isMultiPlatform = options.isMultiPlatform
        return try await BuildResult.build(request, options) { platform in
            let tree = try await convert(document, target, platform, isMultiPlatform, context)
            let definition = try tree.state.definition(marshalOptions(platform))
            var image = BuildResult.Image(
                tree: try await session.solve(definition),
                config: tree.config?.encoded
            )
            if let epoch = self.options.sourceDateEpoch {
                image.metadata["source.date.epoch"] = Array("\(epoch)".utf8)
            }
            return image
        }
    }

    func outline() async throws -> OutlineDescription {
        let document = try await document()
        let target = try document.target(named: options.target, arguments: options.buildArguments)
        return try spec(document, target, firstPlatform, isLenient: true).outline(of: target)
    }

    func lint() async throws -> LintFindings {
        var findings = LintFindings(diagnostics: [])
        do {
            let document = try await document()
            // Every cell of a matrix may be wrong in its own way.
            var cells: Set<[String: String]> = []
            for target in try document.targets() where cells.insert(target.cell).inserted {
                guard cells.count <= Self.lintedCellCountMax else { break }
                let spec = try spec(document, target, firstPlatform, isLenient: true)
                for finding in SpecLinter.findings(spec, arguments: options.buildArguments)
                where !findings.diagnostics.contains(finding) { findings.diagnostics.append(finding) }
            }
        } catch let error as SourceProblems {
            findings.error = error.problems.first.map { problem in
                LintFindings.Failure(
                    message: problem.message,
                    fileName: problem.source?.name,
                    ranges: problem.range.map { [$0] } ?? []
                )
            }
            // What else is wrong is told as well.
            findings.diagnostics += error.problems.dropFirst().map(Self.diagnostic)
        }
        return findings
    }

    func convert() async throws -> Definition? {
        let context = try await BuildContext(request, session)
        let document = try await document(context)
        let target = try document.target(named: options.target, arguments: options.buildArguments)
        let platform = try platforms(document, target)[0]
        let tree = try await convert(document, target, platform, options.isMultiPlatform, context)
        let definition = try tree.state.definition(marshalOptions(platform))
        return definition.isScratch ? nil : definition
    }

    // MARK: Parts

    private var source: SourceText { SourceText(name: request.fileName, bytes: request.fileContent) }

    private var firstPlatform: Platform { options.platforms.first ?? request.workerPlatform }

    /// The spec with all that it includes.
    func document(_ context: BuildContext? = nil) async throws -> SpecDocument {
        let known = context
        return try await SpecLoader.load(source) { path in
            let context: BuildContext
            if let known { context = known } else { context = try await BuildContext(request, session) }
            // One byte more than is allowed, so that too long a file is told from a long one.
            return try await context.readFile(path, byteLimit: YAMLLimits.standard.byteCount + 1, session)
        }
    }

    /// What the client asks for, else what the image says, else the machine's own.
    private func platforms(_ document: SpecDocument, _ target: BuildTarget) throws -> [Platform] {
        guard options.platforms.isEmpty else { return options.platforms }
        let stage = try spec(document, target, request.workerPlatform).stage(target.declaration.name)
        guard let platforms = stage?.platforms, !platforms.isEmpty else { return [request.workerPlatform.normalized] }
        return platforms
    }

    private func spec(
        _ document: SpecDocument,
        _ target: BuildTarget,
        _ platform: Platform,
        isLenient: Bool = false
    ) throws -> Spec {
        try Spec(
            document,
            Spec.Request(
                target: target,
                arguments: options.buildArguments,
                targetPlatform: platform,
                buildPlatform: request.workerPlatform,
                isLenient: isLenient
            )
        )
    }

    private func convert(
        _ document: SpecDocument,
        _ target: BuildTarget,
        _ platform: Platform,
        _ isMultiPlatform: Bool,
        _ context: BuildContext
    ) async throws -> SourceTree {
        var conversion = ConversionOptions(targetPlatform: platform, buildPlatform: request.workerPlatform)
        conversion.isMultiPlatform = isMultiPlatform
        conversion.uncached = options.uncached
        conversion.cacheNamespace = options.cacheNamespace
        conversion.labels = options.labels
        conversion.epoch = options.sourceDateEpoch
        conversion.proxies = options.buildArguments.filter { $0.key.lowercased().hasSuffix("_proxy") }
        let world = SessionWorld(trees: try NamedTrees(request, session), context: context)
        return try await SpecConversion(spec(document, target, platform), conversion, world: world)
            .convert(target.declaration.name)
    }

    private func marshalOptions(_ platform: Platform) -> MarshalOptions {
        MarshalOptions(platform: platform, capabilities: session.llbCapabilities)
    }

    private func reportWeaknesses(_ document: SpecDocument, _ target: BuildTarget, _ platform: Platform) {
        guard let spec = try? spec(document, target, platform) else { return }
        for finding in SpecLinter.findings(spec, arguments: options.buildArguments) where finding.severity == .warning {
            session.report(finding)
        }
    }

    private static func diagnostic(_ problem: SourceProblem) -> Diagnostic {
        Diagnostic(
            severity: .error,
            code: "Invalid",
            message: problem.message,
            detail: problem.notes,
            fileName: problem.source?.name,
            ranges: problem.range.map { [$0] } ?? []
        )
    }
}

/// Asks the engine.
private struct SessionWorld: SpecWorld {
    let trees: NamedTrees
    let context: BuildContext

    func tree(_ name: String, platform: Platform, constraints: Constraints) async throws -> SourceTree {
        try await trees.tree(name, platform: platform, constraints: constraints)
    }

    func context(followPaths: [String]) throws -> State { try context.state(followPaths: followPaths) }
}
