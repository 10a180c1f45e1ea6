// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

extension DockerfileConversion {
    /// Finds out what the stages start from, until no trigger of a base image brings new ones.
    ///
    /// - Returns: The stages the target needs.
    func resolveBases(for target: StageState) async throws -> [StageState] {
        while true {
            let needed = target.reachable
            try await resolve(list.stages, needed: Set(needed.map(ObjectIdentifier.init)))
            var hasNewDependencies = false
            for stage in needed {
                stage.inherit()
                var triggers = stage.image.config.onBuild
                if let base = stage.base, !stage.hasOnBuildTriggers {
                    for command in base.commands {
                        if case .onbuild(let trigger) = command.instruction.body {
                            triggers.append(trigger.expression)
                        }
                    }
                    stage.hasOnBuildTriggers = true
                }
                guard !triggers.isEmpty else { continue }
                if try addTriggers(triggers, to: stage) { hasNewDependencies = true }
                stage.image.config.onBuild = []
            }
            if !hasNewDependencies { return target.reachable }
        }
    }

    /// Puts the instructions a base image left for its users in front of the stage's own.
    ///
    /// - Returns: Whether they copy or mount from other stages.
    private func addTriggers(_ triggers: [String], to stage: StageState) throws -> Bool {
        let lines = stage.lines ?? 0...0
        var commands: [StageCommand] = []
        for trigger in triggers {
            do {
                let nodes = try SyntaxTree(parsing: Array(trigger.utf8)).nodes
                guard nodes.count == 1 else {
                    throw ConversionError(
                        .badInstruction,
                        "onbuild trigger should be a single expression",
                        lines: lines
                    )
                }
                var instruction = try Instruction(nodes[0])
                instruction.lines = lines
                var command = try link(instruction)
                command.isOnBuild = true
                commands.append(command)
                adopt(command, into: stage)
            } catch var error as DockerfileError {
                error.range = nil
                error.lines = lines
                throw error
            }
        }
        stage.commands = commands + stage.commands
        stage.stepCount += commands.count
        return commands.contains { !$0.sources.isEmpty }
    }

    private func resolve(_ stages: [StageState], needed: Set<ObjectIdentifier>) async throws {
        var open: [(stage: StageState, isNeeded: Bool)] = []
        for stage in stages where stage.base == nil && !stage.isDispatched && !stage.isResolved {
            let isNeeded = input.convertsAllStages || needed.contains(ObjectIdentifier(stage))
            stage.isResolved = isNeeded
            if stage.baseName == "scratch", stage.namedContext == nil {
                stage.state = .scratch
                stage.image = .empty(targetPlatform)
                stage.platform = targetPlatform
                if stage.isExternal { stage.isDispatched = true }
            } else {
                open.append((stage, isNeeded))
            }
        }
        let images = try await fetchImages(open.filter(\.isNeeded).map(\.stage))
        for (stage, isNeeded) in open {
            do {
                try await resolve(stage, isNeeded: isNeeded, images: images)
            } catch var error as ConversionError {
                error.lines = error.lines ?? stage.lines
                throw error
            }
            if stage.isExternal { stage.isDispatched = true }
        }
    }

    struct ImageRequest: Hashable, Sendable {
        let name: String
        let platform: Platform
    }

    /// Asks for all images of the stages side by side.
    ///
    /// Failures are kept, so that the first stage in order reports its own.
    private func fetchImages(
        _ stages: [StageState]
    ) async throws -> [ImageRequest: Result<ResolvedImage, any Error>] {
        var requests: Set<ImageRequest> = []
        for stage in stages where stage.namedContext == nil {
            guard let reference = try? Reference(parsing: stage.baseName) else { continue }
            let name = reference.withDefaultTag.description
            let platform = stage.platform ?? targetPlatform
            guard
                try namedContext(name, platform: platform, paths: stage.usedPaths, stage.lines)
                    == nil
            else {
                continue
            }
            requests.insert(ImageRequest(name: name, platform: platform))
        }
        let context = context
        let mode = options.resolveMode
        let isMultiPlatform = options.isMultiPlatform
        return await withTaskGroup { group in
            for request in requests {
                group.addTask {
                    let prefix =
                        isMultiPlatform ? "[\(request.platform.identifier) internal]" : "[internal]"
                    do {
                        let image = try await context.resolveImage(
                            request.name,
                            platform: request.platform,
                            mode: mode,
                            logName: "\(prefix) load metadata for \(request.name)"
                        )
                        return (request, Result<ResolvedImage, any Error>.success(image))
                    } catch {
                        return (request, .failure(error))
                    }
                }
            }
            var results: [ImageRequest: Result<ResolvedImage, any Error>] = [:]
            for await (request, result) in group { results[request] = result }
            return results
        }
    }

    private func resolve(
        _ stage: StageState,
        isNeeded: Bool,
        images: [ImageRequest: Result<ResolvedImage, any Error>]
    ) async throws {
        let originalName = stage.baseName
        var reference: Reference
        do {
            reference = try Reference(parsing: originalName)
        } catch {
            throw ConversionError(.badBase, error.message)
        }
        var platform = stage.platform ?? targetPlatform
        stage.baseName = reference.withDefaultTag.description
        var isScratch = false
        if isNeeded {
            if let named = stage.namedContext {
                try await adopt(named, by: stage)
                return
            }
            let named = try namedContext(
                stage.baseName,
                platform: platform,
                paths: stage.usedPaths,
                stage.lines
            )
            if let named {
                try await adoptBase(named, by: stage, platform: platform)
                return
            }
            let request = ImageRequest(name: stage.baseName, platform: platform)
            guard let answer = images[request] else {
                throw ConversionError(.badBase, "\(originalName): the image was not asked for")
            }
            let resolved = try answered(answer, for: originalName)
            if reference.description != resolved.name {
                reference = try Reference(parsing: resolved.name)
            }
            var image = try ImageConfig(parsing: resolved.config)
            stage.baseImage = image
            image.created = nil
            if stage.platform == nil, isTargetImplicit {
                platform = detectedPlatform(of: image, wanted: platform)
            }
            if let digest = resolved.digest { reference.digest = digest }
            stage.baseName = reference.description
            isScratch =
                (image.rootFS.diffIDs ?? []).isEmpty && image.history.allSatisfy(\.emptyLayer)
            stage.image = image
        }
        if isScratch {
            stage.state = .scratch
        } else {
            try useImage(stage, platform: platform)
            if isNeeded { checkBasePlatform(originalName, wanted: platform, stage) }
        }
        stage.platform = platform
    }

    private func answered(
        _ answer: Result<ResolvedImage, any Error>,
        for name: String
    ) throws -> ResolvedImage {
        do {
            return try answer.get()
        } catch let error as CancellationError {
            throw error
        } catch {
            throw ConversionError(
                .unavailable,
                "\(name): \(error)",
                suggestion: nearestWord(to: name, among: list.displayNames + Self.commonImages),
                cause: error
            )
        }
    }

    private static let commonImages = [
        "alpine", "busybox", "centos", "debian", "fedora", "golang", "ubuntu",
    ]

    private func useImage(_ stage: StageState, platform: Platform) throws {
        var constraints = Constraints(platform: platform, locations: locations(stage.lines))
        constraints.command = stage.text
        constraints.name = stepName(
            "FROM " + stage.baseName,
            stage,
            platform: platform,
            environment: nil
        )
        stage.state = try State.image(
            stage.baseName,
            resolveMode: options.resolveMode,
            constraints: constraints
        )
    }

    /// A stage that a named context replaces as a whole.
    private func adopt(_ named: NamedContext, by stage: StageState) async throws {
        let (state, image) = try await load(named)
        stage.isDispatched = true
        stage.state = state
        guard var image else { return }
        image.created = nil
        stage.image = image
        if !image.platform.architecture.isEmpty, !image.platform.os.isEmpty {
            stage.platform = image.platform
        }
    }

    /// A base image that a named context replaces.
    private func adoptBase(
        _ named: NamedContext,
        by stage: StageState,
        platform: Platform
    ) async throws {
        let (state, image) = try await load(named)
        var config = image ?? .empty(platform)
        stage.baseImage = config
        config.created = nil
        stage.image = config
        stage.state = state.onPlatform(platform)
        stage.platform = platform
    }

    private func detectedPlatform(of image: ImageConfig, wanted: Platform) -> Platform {
        func fits(_ platform: Platform) -> Bool {
            platform.os == image.platform.os && platform.architecture == image.platform.architecture
        }
        return fits(wanted) ? wanted : options.buildPlatforms.first(where: fits) ?? wanted
    }
}

extension ImageConfig {
    /// The config of an image that starts from nothing.
    static func empty(_ platform: Platform) -> ImageConfig {
        var image = ImageConfig(platform: platform)
        image.config.workingDirectory = "/"
        if platform.os != "windows" {
            image.config.environment = ["PATH=" + SystemPath(os: platform.os).defaultSearchPath]
        }
        return image
    }
}

extension Constraints {
    /// The instruction an operation comes from.
    var command: String? {
        get { metadata.description_p["com.docker.dockerfile.v1.command"] }
        set { metadata.description_p["com.docker.dockerfile.v1.command"] = newValue }
    }
}
