// SPDX-License-Identifier: Apache-2.0

package import DockerfileSyntax
package import LLB
internal import LLBMessages
package import OCI
internal import PathPatterns

/// Turns one Dockerfile into LLB and an image config, for one target and one platform.
///
/// What comes out has the bytes BuildKit's own frontend would give: the same operations, the same config. Used once, by
/// one task.
package final class DockerfileConversion {
    let input: ConversionInput
    let context: any ConversionContext
    var linter: Linter
    let buildContext: BuildContext

    /// Build arguments of the client; SOURCE_DATE_EPOCH becomes a number here.
    var buildArguments: [String: String]
    var expander = Expander()
    var budget = ConversionBudget()
    var globalArguments = EnvironmentList()
    /// Names of ARGs before the first FROM.
    var globalArgumentNames: Set<String> = []
    var globalOutline = OutlineCapture()
    var list = StageList()
    /// The platform that is built for.
    let targetPlatform: Platform
    /// Whether nobody named a platform.
    let isTargetImplicit: Bool
    /// Seconds since 1970 that times are set to.
    var epoch: Int64?
    /// Stands for the build context until it is known which files are used.
    let mainContext = DeferredOutput()
    /// Local contexts whose file filter is decided at the end.
    var pendingContexts: [() -> Void] = []
    var ignoreMatcher: PatternMatcher?
    /// What the file may use beyond BuildKit's language; known once it is read.
    var extensions = Extensions()
    /// The files the Dockerfile is made of, also after a conversion that failed.
    package private(set) var files: SourceFiles

    package init(_ input: ConversionInput, context: any ConversionContext) {
        self.input = input
        self.context = context
        files = SourceFiles(input.source)
        linter = Linter(options: input.options.lintOptions ?? LintOptions())
        buildContext = BuildContext(
            options: input.options,
            capabilities: input.capabilities,
            context: context
        )
        buildArguments = input.options.buildArguments
        targetPlatform = input.targetPlatform ?? input.options.buildPlatforms[0]
        isTargetImplicit = input.targetPlatform == nil
    }

    deinit {
        // Stages hold each other; released one inside the other, a long chain would exhaust the stack.
        for stage in list.stages { stage.letGo() }
    }

    /// Findings of the linter, also after a conversion that failed.
    package var warnings: [LintWarning] { linter.warnings }

    var options: DockerfileOptions { input.options }

    /// Converts.
    ///
    /// - Throws: `DockerfileError` or ``ConversionError`` for a file or an option that is wrong; whatever the context throws.
    package func run() async throws -> ConversionResult {
        let dockerfile = try await readDockerfile()
        expander = Expander(escape: dockerfile.escape)
        let target = options.target.isEmpty ? dockerfile.stages.last?.name ?? "" : options.target
        globalArguments = platformArguments(target: target)
        checkBasesWithDefaults(dockerfile)
        try readGlobalArguments(dockerfile)
        try await resolveEpoch(dockerfile.stages)

        for (index, stage) in dockerfile.stages.enumerated() { try addStage(stage, index: index) }
        let targetStage = try findTarget()
        try linkStages()
        let needed = try await resolveBases(for: targetStage)
        try await dispatchStages(needed)
        return try await finish(targetStage)
    }

    /// Reads the file with all it includes, without looking at base images.
    ///
    /// - Throws: As ``run()``, which does this first.
    package func readDockerfile() async throws -> Dockerfile {
        if options.lintOptions == nil {
            linter.options = try LintOptions(directivesOf: input.source.data)
        }
        extensions = try Extensions(directiveOf: input.source.data).adding(options.extensions)
        buildContext.moreIgnoreFiles = extensions.ignoreFiles
        var tree = try SyntaxTree(parsing: input.source.data, file: input.source.filename)
        if extensions.includesFiles, tree.nodes.contains(where: IncludeInstruction.matches) {
            let inclusion = Inclusion(input.source, buildContext)
            defer { files = inclusion.files }
            tree = try await inclusion.expand(tree)
        }
        return try Dockerfile(tree, extensions: extensions, linter: &linter)
    }

    private func findTarget() throws -> StageState {
        if options.target.isEmpty, let last = list.stages.last { return last }
        if let stage = list.named(options.target) { return stage }
        throw ConversionError(
            .badOption,
            "target stage \"\(options.target)\" could not be found",
            suggestion: nearestWord(to: options.target, among: list.displayNames)
        )
    }

    private func dispatchStages(_ needed: [StageState]) async throws {
        let ignored = try await buildContext.ignorePatterns()
        if !ignored.isEmpty { ignoreMatcher = try PatternMatcher(patterns: ignored) }
        let neededStages = Set(needed.map(ObjectIdentifier.init))
        for stage in list.stages {
            if !input.convertsAllStages {
                guard neededStages.contains(ObjectIdentifier(stage)), !stage.isDispatched else {
                    continue
                }
            }
            try dispatch(stage)
        }
    }

    private func finish(_ target: StageState) async throws -> ConversionResult {
        target.usedPaths.paths.insert("/")
        for (name, value) in options.labels { target.image.config.labels[name] = value }
        let violations = linter.violations
        guard violations.isEmpty else {
            throw ConversionError(
                .lintViolations,
                "lint violation found for rules: " + violations.joined(separator: ", ")
            )
        }
        let paths = list.stages.reduce(into: Set<String>()) { $0.formUnion($1.contextPaths) }
        mainContext.resolve(try await buildContext.main(followPaths: BuildContext.filter(paths)))
        for resolve in pendingContexts { resolve() }

        if !isTargetImplicit { setPlatform(of: &target.image) }
        target.image.platform = target.image.platform.normalized
        var result = ConversionResult(
            state: target.state,
            image: target.image,
            baseImage: target.baseImage,
            epoch: epoch,
            ignoresCache: target.ignoresCache,
            outline: DockerfileOutline(of: target, files: files)
        )
        result.marshalOptions = MarshalOptions(
            platform: targetPlatform,
            capabilities: input.capabilities
        )
        return result
    }

    private func setPlatform(of image: inout ImageConfig) {
        let isSame =
            targetPlatform.os == image.platform.os
            && targetPlatform.architecture == image.platform.architecture
        image.platform.os = targetPlatform.os
        image.platform.architecture = targetPlatform.architecture
        if targetPlatform.variant != nil || !isSame {
            image.platform.variant = targetPlatform.variant
        }
        if targetPlatform.osVersion != nil || !isSame {
            image.platform.osVersion = targetPlatform.osVersion
        }
        if let features = targetPlatform.osFeatures { image.platform.osFeatures = features }
    }

    /// Where instructions of these lines stand, for source maps: one range a line.
    func locations(_ lines: ClosedRange<Int>?) -> [SourceLocation] {
        guard let lines else { return [SourceLocation(file: input.source, ranges: [])] }
        let place = files.locate(lines)
        let ranges = place.lines.map { LLB.SourceRange(startLine: $0, endLine: $0) }
        return [SourceLocation(file: files.entries[place.index].file, ranges: ranges)]
    }
}

/// What a conversion gave.
package struct ConversionResult: Sendable {
    package var state: State
    package var image: ImageConfig
    /// The image the target starts from; `nil` without one.
    package var baseImage: ImageConfig?
    /// SOURCE_DATE_EPOCH, in seconds since 1970.
    package var epoch: Int64?
    /// Whether the target was asked to ignore earlier results.
    package var ignoresCache: Bool
    /// What the target can be given.
    package var outline: DockerfileOutline
    var marshalOptions = MarshalOptions()

    /// The definition to solve.
    package func definition() throws(LLBError) -> Definition {
        try state.definition(marshalOptions)
    }
}

extension LintOptions {
    /// The options of a file's `check` directive.
    fileprivate init(directivesOf source: [UInt8]) throws(DockerfileError) {
        guard let directive = Directive.find(.check, in: source) else {
            self.init()
            return
        }
        try self.init(parsing: directive.value)
    }
}
