// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol
internal import LLB
internal import LLBText
internal import OCI

/// One request to the frontend for LLB written as text.
struct LLBBuild: Sendable {
    let session: FrontendSession
    let request: BuildRequest

    func run() async throws -> BuildResult {
        let options = try CommonOptions(request.options)
        switch try text() {
        case .friendly(let document): return try await build(document, options)
        case .definition(let definition):
            try refuseTarget(options)
            return try await build(definition, options)
        }
    }

    private func refuseTarget(_ options: CommonOptions) throws {
        guard let target = options.target else { return }
        throw BuildError("there is no target \"\(target)\": a definition has none")
    }

    private func text() throws -> LLBText {
        do throws(LLBTextError) {
            return try LLBText(parsing: request.fileContent)
        } catch {
            throw BuildError(error.text(file: request.fileName))
        }
    }

    /// Runs a part of the build; what is wrong with the document is shown with the file's name.
    private func explaining<Value>(_ body: () throws(LLBTextError) -> Value) throws -> Value {
        do throws(LLBTextError) {
            return try body()
        } catch {
            throw BuildError(error.text(file: request.fileName))
        }
    }

    // MARK: Builds

    /// A definition is the same for every platform, so it is built once.
    private func build(_ definition: Definition, _ options: CommonOptions) async throws -> BuildResult {
        guard options.platforms.count <= 1 else {
            throw BuildError(
                "cannot build for \(options.platforms.count) platforms: a definition says itself where its steps run"
            )
        }
        let platform = options.platforms.first ?? request.workerPlatform
        return BuildResult(
            platform: platform,
            tree: try await session.solve(definition),
            config: nil
        )
    }

    private func build(_ document: FriendlyDocument, _ options: CommonOptions) async throws -> BuildResult {
        var options = options
        // Without a wish for platforms, steps are left to the machine that runs them.
        let isAsked = !options.platforms.isEmpty || !document.platforms.isEmpty
        if options.platforms.isEmpty, !document.platforms.isEmpty {
            options.platforms = document.platforms.map(\.platform)
            options.isMultiPlatform = options.isMultiPlatform || options.platforms.count > 1
        }
        let target = options.target
        return try await BuildResult.build(request, options) { platform in
            let outcome = try explaining { () throws(LLBTextError) -> FriendlyDocument.Outcome in
                try self.outcome(of: document, target, platform)
            }
            let definition = try self.definition(of: outcome, in: document, isAsked ? platform : nil)
            async let tree = session.solve(definition)
            let config = try await self.config(of: outcome, in: document, platform)
            return BuildResult.Image(tree: try await tree, config: config?.encoded)
        }
    }

    /// What a target means for a platform.
    private func outcome(
        of document: FriendlyDocument,
        _ target: String?,
        _ platform: Platform
    ) throws(LLBTextError) -> FriendlyDocument.Outcome {
        let special = document.platforms.first { $0.platform == platform.normalized }?.outcome
        if target == nil, let special { return special }
        return try document.outcome(target: target)
    }

    private func definition(
        of outcome: FriendlyDocument.Outcome,
        in document: FriendlyDocument,
        _ platform: Platform?
    ) throws -> Definition {
        try explaining { () throws(LLBTextError) -> Definition in
            try document.definition(
                of: outcome,
                platform: platform,
                pruned: true,
                file: (request.fileName, request.fileContent)
            )
        }
    }

    private func config(
        of outcome: FriendlyDocument.Outcome,
        in document: FriendlyDocument,
        _ platform: Platform
    ) async throws -> ImageConfig? {
        guard let settings = outcome.image else { return nil }
        guard let inherited = settings.inherited, let name = document.image(of: inherited) else {
            return settings.config(on: nil, platform: platform)
        }
        let image = try await session.resolveImage(
            name,
            platform: document.platform(of: inherited) ?? platform,
            logName: "[\(inherited)] read the config of \(name)"
        )
        do throws(OCIError) {
            return settings.config(on: try ImageConfig(parsing: image.config), platform: platform)
        } catch {
            throw BuildError("cannot inherit from \(name): \(error.message)")
        }
    }

    // MARK: Questions

    static let questions = FrontendQuestions(
        targets: { session, request in try LLBBuild(session: session, request: request).targets() },
        lint: { session, request in LLBBuild(session: session, request: request).lint() },
        convert: { session, request in try LLBBuild(session: session, request: request).convert() }
    )

    private func targets() throws -> TargetsDescription {
        guard case .friendly(let document) = try text() else {
            return TargetsDescription(targets: [TargetsDescription.Target(name: "", isDefault: true)])
        }
        var targets = document.targets.map { TargetsDescription.Target(name: $0.name) }
        if document.main != nil { targets.insert(TargetsDescription.Target(name: "", isDefault: true), at: 0) }
        return TargetsDescription(targets: targets)
    }

    /// Whatever can be found is found by reading.
    private func lint() -> LintFindings {
        do throws(LLBTextError) {
            let text = try LLBText(parsing: request.fileContent)
            guard case .definition(let definition) = text, let problem = definition.problems().first else {
                return LintFindings(diagnostics: [])
            }
            return LintFindings(
                diagnostics: [],
                error: LintFindings.Failure(message: problem.message, fileName: request.fileName)
            )
        } catch {
            return LintFindings(
                diagnostics: [],
                error: LintFindings.Failure(
                    message: error.text(file: request.fileName),
                    fileName: request.fileName,
                    ranges: error.problems.compactMap { problem in
                        problem.line.map { TextRange(startLine: $0) }
                    }
                )
            )
        }
    }

    private func convert() throws -> Definition? {
        let options = try CommonOptions(request.options)
        switch try text() {
        case .definition(let definition):
            try refuseTarget(options)
            return definition
        case .friendly(let document):
            let platform = options.platforms.first ?? document.platforms.first?.platform
            let outcome = try explaining { () throws(LLBTextError) -> FriendlyDocument.Outcome in
                try self.outcome(of: document, options.target, platform ?? request.workerPlatform)
            }
            let definition = try self.definition(of: outcome, in: document, platform)
            return definition.isScratch ? nil : definition
        }
    }
}
