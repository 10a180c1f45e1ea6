// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import OCI

extension DockerfileConversion {
    /// The ARGs every Dockerfile may use without declaring them first: the platforms and the target stage.
    func platformArguments(target: String) -> EnvironmentList {
        let build = options.buildPlatforms[0]
        let values = [
            ("BUILDPLATFORM", build.description),
            ("BUILDOS", build.os),
            ("BUILDOSVERSION", build.osVersion ?? ""),
            ("BUILDARCH", build.architecture),
            ("BUILDVARIANT", build.variant ?? ""),
            ("TARGETPLATFORM", targetPlatform.identifier),
            ("TARGETOS", targetPlatform.os),
            ("TARGETOSVERSION", targetPlatform.osVersion ?? ""),
            ("TARGETARCH", targetPlatform.architecture),
            ("TARGETVARIANT", targetPlatform.variant ?? ""),
            ("TARGETSTAGE", target.isEmpty ? "default" : target),
        ]
        var list = EnvironmentList()
        for (name, value) in values { list[name] = buildArguments[name] ?? value }
        return list
    }

    /// Evaluates the ARGs before the first FROM.
    func readGlobalArguments(_ dockerfile: Dockerfile) throws {
        for instruction in dockerfile.globalArguments {
            guard case .arg(let arg) = instruction.body else { continue }
            for declaration in arg.declarations { globalArgumentNames.insert(declaration.name) }
        }
        globalArguments = try evaluate(
            dockerfile.globalArguments,
            from: globalArguments,
            overrides: buildArguments,
            capture: &globalOutline
        )
    }

    /// Values of `overrides` win over those in the file.
    func evaluate(
        _ instructions: [Instruction],
        from start: EnvironmentList,
        overrides: [String: String]
    ) throws -> EnvironmentList {
        var capture = OutlineCapture()
        return try evaluate(instructions, from: start, overrides: overrides, capture: &capture)
    }

    private func evaluate(
        _ instructions: [Instruction],
        from start: EnvironmentList,
        overrides: [String: String],
        capture: inout OutlineCapture
    ) throws -> EnvironmentList {
        var arguments = start
        for instruction in instructions {
            guard case .arg(let arg) = instruction.body else { continue }
            for declaration in arg.declarations {
                var info = OutlineCapture.Argument(
                    name: declaration.name,
                    description: declaration.description,
                    lines: instruction.lines
                )
                var value = overrides[declaration.name]
                if value == nil, let text = declaration.defaultValue {
                    do {
                        let expansion = try expansion(of: text, expander, arguments)
                        value = expansion.text
                        info.dependencies = expansion.matched
                    } catch {
                        throw error.located(range: nil, lines: instruction.lines)
                    }
                    // A default that extends an earlier one needs what that one needed.
                    if info.dependencies.remove(declaration.name) != nil {
                        info.dependencies.formUnion(
                            capture.arguments[declaration.name]?.dependencies ?? []
                        )
                    }
                }
                if let value {
                    arguments[declaration.name] = value
                    info.value = value
                }
                capture.arguments[declaration.name] = info
            }
        }
        return arguments
    }

    /// Adds a stage of the file, its FROM expanded.
    func addStage(_ stage: Stage, index: Int) throws {
        let base = try expand(stage.base.text, of: stage)
        checkFromArguments(base.unmatched, stage)
        guard !base.text.isEmpty else {
            throw ConversionError(
                .badBase,
                "base name (\(stage.base.text)) should not be blank",
                lines: stage.lines
            )
        }
        let state = StageState(stage: stage, baseName: base.text)
        state.outline = globalOutline
        var used = base.matched
        if !stage.platform.isEmpty { state.platform = try platform(of: stage, &used) }
        if !stage.name.isEmpty {
            let found = try namedContext(
                stage.name,
                platform: state.platform,
                paths: state.usedPaths,
                stage.lines
            )
            if let found {
                state.namedContext = found
                list.append(state)
                state.base = nil
                return
            }
        } else {
            state.displayName = "stage-\(index)"
        }
        list.append(state)
        state.outline.used.formUnion(used)
        state.stepCount = stage.instructions.count { $0.isStep }
        if state.baseName != "scratch", state.base == nil { state.stepCount += 1 }
        state.ignoresCache = options.uncachedStages.contains(stage.name)
    }

    private func expand(_ text: String, of stage: Stage) throws -> Expansion {
        do {
            return try expansion(of: text, expander, globalArguments)
        } catch {
            throw error.located(range: nil, lines: stage.lines)
        }
    }

    private func platform(of stage: Stage, _ used: inout Set<String>) throws -> Platform {
        let name = try expand(stage.platform, of: stage)
        used.formUnion(name.matched)
        checkFromArguments(name.unmatched, stage)
        checkRedundantPlatform(name, stage)
        checkConstantPlatform(name, stage)
        let suggestion = name.unmatched.sorted().lazy.compactMap { [globalArguments] in
            nearestWord(to: $0, among: globalArguments.names)
        }.first
        guard !name.text.isEmpty else {
            throw ConversionError(
                .badBase,
                "empty platform value from expression \(stage.platform)",
                suggestion: suggestion,
                lines: stage.lines
            )
        }
        do {
            return try Platform(parsing: name.text)
        } catch {
            throw ConversionError(
                .badBase,
                error.message,
                suggestion: suggestion,
                lines: stage.lines
            )
        }
    }

    /// Finds the stages that instructions copy and mount from.
    func linkStages() throws {
        for stage in list.stages {
            var variables = extensions.expandsOrigins ? globalArguments : nil
            for instruction in stage.instructions {
                if let known = variables, case .arg = instruction.body {
                    variables = try evaluate([instruction], from: known, overrides: buildArguments)
                }
                let command = try link(instruction, variables, outline: &stage.outline)
                stage.commands.append(command)
                adopt(command, into: stage)
            }
        }
        try checkForCircles()
        if list.stages.count == 1 { list.stages[0].displayName = "" }
    }

    func adopt(_ command: StageCommand, into stage: StageState) {
        for source in command.sources {
            stage.dependencies.append(.init(stage: source, lines: command.instruction.lines))
            if source.isExternal { list.append(source) }
        }
    }

    /// Finds the stages an instruction copies or mounts from.
    ///
    /// `variables` may stand in their names; `nil` when none may. Those that do are noted in `outline`.
    private func link(
        _ instruction: Instruction,
        _ variables: EnvironmentList?,
        outline: inout OutlineCapture
    ) throws -> StageCommand {
        guard let variables else { return try link(instruction) }
        return try link(try expandingOrigins(of: instruction, variables, &outline))
    }

    func link(_ instruction: Instruction) throws -> StageCommand {
        var command = StageCommand(instruction: instruction)
        switch instruction.body {
        case .copy(let copy) where !copy.from.isEmpty:
            command.sources = [try source(named: copy.from, instruction)]
        case .run(let run):
            command.sources = run.mountOrigins.map { origin in
                let name = origin.isEmpty ? "scratch" : origin
                return list.named(name) ?? StageState(external: name, lines: nil)
            }
        default: break
        }
        return command
    }

    private func source(named name: String, _ instruction: Instruction) throws -> StageState {
        let expanded = try? expander.text(name, NoVariables())
        guard expanded == name else {
            throw ConversionError(
                .badSource,
                "variable expansion is not supported for --from; define a new stage with FROM using ARG from global "
                    + "scope as a workaround",
                lines: instruction.lines
            )
        }
        if let index = Int(name) {
            guard list.stages.indices.contains(index) else {
                throw ConversionError(
                    .badSource,
                    "invalid stage index \(index)",
                    lines: instruction.lines
                )
            }
            return list.stages[index]
        }
        return list.named(name) ?? StageState(external: name, lines: instruction.lines)
    }

    private func checkForCircles() throws {
        var visited: Set<ObjectIdentifier> = []
        for start in list.stages where !visited.contains(ObjectIdentifier(start)) {
            var path: [(stage: StageState, next: Int)] = [(start, 0)]
            var open: Set<ObjectIdentifier> = [ObjectIdentifier(start)]
            visited.insert(ObjectIdentifier(start))
            while let (stage, next) = path.last {
                guard next < stage.dependencies.count else {
                    path.removeLast()
                    open.remove(ObjectIdentifier(stage))
                    continue
                }
                path[path.count - 1].next += 1
                let dependency = stage.dependencies[next]
                if open.contains(ObjectIdentifier(dependency.stage)) {
                    throw ConversionError(
                        .circularStages,
                        "circular dependency detected on stage: \(start.displayName)",
                        lines: dependency.lines
                    )
                }
                if visited.insert(ObjectIdentifier(dependency.stage)).inserted {
                    path.append((dependency.stage, 0))
                    open.insert(ObjectIdentifier(dependency.stage))
                }
            }
        }
    }
}

extension Instruction {
    /// Whether it shows as a numbered step.
    fileprivate var isStep: Bool {
        switch body {
        case .add, .copy, .run, .workdir: true
        default: false
        }
    }
}
