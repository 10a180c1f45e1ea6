// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

/// What an instruction is carried out with.
struct Step {
    let stage: StageState
    let instruction: Instruction
    let sources: [StageState]
    /// The stage's variables as they are before the step sets any.
    ///
    /// A copy kept for the length of a step would make each ENV copy all of them.
    var environment: EnvironmentList { stage.state.environment }

    var lines: ClosedRange<Int> { instruction.lines }
}

extension DockerfileConversion {
    /// Carries out all instructions of a stage.
    func dispatch(_ stage: StageState) throws {
        stage.inherit()
        if stage.base != nil {
            let count = stage.image.history.count + stage.arguments.count
            budget.charge(bytes: count * ConversionBudget.inheritedEntryByteCount)
        }
        stage.isDispatched = true
        if stage.platform == nil { stage.platform = targetPlatform }
        try prepare(stage)
        for command in stage.commands {
            stage.isInOnBuild = command.isOnBuild
            do {
                try dispatch(command, of: stage)
                try budget.check()
            } catch var error as ConversionError {
                error.lines = error.lines ?? command.instruction.lines
                throw error
            } catch let error as DockerfileError {
                throw error.located(
                    range: nil,
                    lines: command.instruction.lines,
                    file: input.source.filename
                )
            }
        }
    }

    /// Sets environment, directory and user of the base image.
    private func prepare(_ stage: StageState) throws {
        let os = stage.platform?.os ?? ""
        let hasSearchPath = stage.image.config.environment.contains { $0.hasPrefix("PATH=") }
        if !hasSearchPath, os != "windows" {
            stage.image.config.environment.append("PATH=" + SystemPath(os: os).defaultSearchPath)
        }
        for assignment in stage.image.config.environment {
            let (name, value) = splitAssignment(assignment)
            stage.state.environment[name] = value
        }
        stage.indexEnvironment()
        if !options.hostname.isEmpty { stage.state.hostname = options.hostname }
        if !stage.image.config.workingDirectory.isEmpty {
            _ = try setDirectory(stage.image.config.workingDirectory, stage)
        }
        if !stage.image.config.user.isEmpty { stage.state.user = stage.image.config.user }
        stage.state.network = options.network
    }

    private func dispatch(_ command: StageCommand, of stage: StageState) throws {
        let step = Step(
            stage: stage,
            instruction: command.instruction,
            sources: command.sources
        )
        var body = command.instruction.body
        try body.expand { text throws(DockerfileError) in try self.expand(text, expander, step) }
        try body.expandHeredocs { text throws(DockerfileError) in
            try self.expand(text, .heredocContent, step)
        }
        switch body {
        case .env(let env): dispatchEnv(env, step)
        case .label(let label): dispatchLabel(label, step)
        case .arg(let arg): try dispatchArg(arg, step)
        case .run(let run): try dispatchRun(run, step)
        case .copy(let copy): try dispatchCopy(copy, step)
        case .add(let add): try dispatchAdd(add, step)
        case .workdir(let path): try dispatchWorkdir(path, step)
        case .user(let name):
            stage.state.user = name
            stage.image.config.user = name
            commit("USER " + name, step)
        case .maintainer(let author):
            stage.image.author = author
            commit("MAINTAINER " + author, step)
        case .onbuild(let trigger): stage.image.config.onBuild.append(trigger.expression)
        case .cmd(let line): dispatchCmd(line, step)
        case .entrypoint(let line): dispatchEntrypoint(line, step)
        case .healthcheck(let check): dispatchHealthcheck(check, step)
        case .expose(let ports): try dispatchExpose(ports, step)
        case .volume(let volumes): try dispatchVolume(volumes, step)
        case .stopsignal(let signal): try dispatchStopsignal(signal, step)
        case .shell(let shell):
            stage.image.config.shell = shell
            commit("SHELL " + bracketed(shell), step)
        }
    }

    /// Adds a history entry of a step that leaves no layer.
    func commit(_ text: String, _ step: Step) {
        record(text, hasLayer: false, step)
    }

    /// Adds an entry to the history of the step's stage.
    func record(_ text: String, hasLayer: Bool, _ step: Step) {
        budget.charge(bytes: text.utf8.count)
        step.stage.commit(text, hasLayer: hasLayer, epoch: epoch)
    }

    /// Expands a word of an instruction and reports variables that are not set.
    func expand(
        _ text: String,
        _ expander: Expander,
        _ step: Step
    ) throws(DockerfileError) -> String {
        let questions = AskedVariables(environment: step.environment)
        // What is not set is reported even where that, or something after it, is an error.
        defer { checkUnmatched(questions.missing, step) }
        return try expansion(of: text, expander, questions).text
    }

    private func dispatchEnv(_ env: EnvInstruction, _ step: Step) {
        var text = "ENV"
        for pair in env.pairs {
            if pair.isLegacy { reportLegacyPair(step) }
            checkSecret("ENV", pair.key, step)
            text += " \(pair.key)=\(pair.value)"
            step.stage.state.environment[pair.key] = pair.value
            step.stage.setImageEnvironment(pair.key, pair.value)
        }
        commit(text, step)
    }

    private func dispatchLabel(_ label: LabelInstruction, _ step: Step) {
        var text = "LABEL"
        for pair in label.pairs {
            if pair.isLegacy { reportLegacyPair(step) }
            step.stage.image.config.labels[pair.key] = pair.value
            text += " \(pair.key)=\(pair.value)"
        }
        commit(text, step)
    }

    private func dispatchArg(_ arg: ArgInstruction, _ step: Step) throws {
        var texts: [String] = []
        for declaration in arg.declarations {
            var declaration = declaration
            var isInherited = false
            checkSecret("ARG", declaration.name, step)
            if let value = buildArguments[declaration.name] {
                declaration.defaultValue = value
            } else if let value = declaration.defaultValue {
                let expansion = try expansion(of: value, expander, step.stage.state.environment)
                checkUnmatched(expansion.unmatched, step)
                declaration.defaultValue = expansion.text
            } else {
                declaration.defaultValue = globalArguments[declaration.name]
                isInherited = declaration.defaultValue != nil
            }
            if !isInherited {
                step.stage.outline.arguments[declaration.name] = OutlineCapture.Argument(
                    name: declaration.name,
                    value: declaration.defaultValue ?? "",
                    description: declaration.description,
                    lines: step.lines
                )
            }
            step.stage.outline.used.insert(declaration.name)
            if let value = declaration.defaultValue,
                !Self.scannerArguments.contains(declaration.name)
            {
                step.stage.state.environment[declaration.name] = value
            }
            step.stage.declare(declaration)
            texts.append(declaration.name + (declaration.defaultValue.map { "=" + $0 } ?? ""))
        }
        commit("ARG " + texts.joined(separator: " "), step)
    }

    /// ARGs that steer attestations and are no variables.
    static let scannerArguments: Set<String> = [
        "BUILDKIT_SBOM_SCAN_CONTEXT", "BUILDKIT_SBOM_SCAN_STAGE",
    ]

    private func dispatchCmd(_ line: CommandLine, _ step: Step) {
        checkUsedOnce(&step.stage.commandUse, step)
        let arguments = shellArguments(line, step)
        step.stage.image.config.command = arguments
        step.stage.image.config.argsEscaped = true
        commit("CMD " + bracketedQuoted(arguments), step)
    }

    private func dispatchEntrypoint(_ line: CommandLine, _ step: Step) {
        checkUsedOnce(&step.stage.entrypointUse, step)
        let arguments = shellArguments(line, step)
        step.stage.image.config.entrypoint = arguments
        if step.stage.commandUse == nil { step.stage.image.config.command = [] }
        commit("ENTRYPOINT " + bracketedQuoted(arguments), step)
    }

    private func shellArguments(_ line: CommandLine, _ step: Step) -> [String] {
        guard line.usesShell else { return line.arguments }
        if step.stage.image.config.shell.isEmpty { reportShellForm(step) }
        return withShell(line.arguments, step.stage)
    }

    /// The arguments as one line for the stage's shell.
    func withShell(_ arguments: [String], _ stage: StageState) -> [String] {
        let line = arguments.joined(separator: " ")
        if !stage.image.config.shell.isEmpty { return stage.image.config.shell + [line] }
        return (stage.image.platform.os == "windows" ? ["cmd", "/S", "/C"] : ["/bin/sh", "-c"]) + [
            line
        ]
    }

    private func dispatchHealthcheck(_ check: Healthcheck, _ step: Step) {
        checkUsedOnce(&step.stage.healthcheckUse, step)
        step.stage.image.config.healthcheck = ContainerConfig.Healthcheck(
            test: check.test,
            interval: check.interval,
            timeout: check.timeout,
            startPeriod: check.startPeriod,
            startInterval: check.startInterval,
            retries: Int64(check.retries)
        )
        let fields = [
            "Test:" + bracketed(check.test), "Interval:" + durationText(check.interval),
            "Timeout:" + durationText(check.timeout),
            "StartPeriod:" + durationText(check.startPeriod),
            "StartInterval:" + durationText(check.startInterval), "Retries:\(check.retries)",
        ]
        commit("HEALTHCHECK {" + fields.joined(separator: " ") + "}", step)
    }

    private func dispatchVolume(_ volumes: [String], _ step: Step) throws {
        guard !volumes.contains("") else {
            throw ConversionError(.badInstruction, "VOLUME specified can not be an empty string")
        }
        step.stage.image.config.volumes.formUnion(volumes)
        commit("VOLUME " + bracketed(volumes), step)
    }

    private func dispatchStopsignal(_ signal: String, _ step: Step) throws {
        guard StopSignal.isValid(signal) else {
            throw ConversionError(.badInstruction, "invalid signal: \(signal)")
        }
        step.stage.image.config.stopSignal = signal
        commit("STOPSIGNAL " + signal, step)
    }

    /// `PATH_MAX` of Linux, which counts the zero at the end.
    ///
    /// A few bytes a line can ask for much more, since each relative WORKDIR makes the path longer.
    private static let pathByteLimit = 4096

    /// Sets the directory of state and image.
    ///
    /// - Returns: The directory with slashes.
    private func setDirectory(_ path: String, _ stage: StageState) throws -> String {
        let system = SystemPath(os: stage.platform?.os ?? "")
        let directory = try system.workingDirectory(
            current: stage.image.config.workingDirectory,
            path
        )
        guard directory.utf8.count < Self.pathByteLimit else {
            throw ConversionError(
                .badInstruction,
                "the working directory has \(directory.utf8.count) bytes, and a path may have \(Self.pathByteLimit - 1) at most"
            )
        }
        stage.image.config.workingDirectory = directory
        stage.state = stage.state.inDirectory(system.toSlash(directory))
        return system.toSlash(directory)
    }

    private func dispatchWorkdir(_ path: String, _ step: Step) throws {
        let stage = step.stage
        if !stage.hasWorkingDirectory, !SystemPath(os: stage.platform?.os ?? "").isAbsolute(path) {
            reportRelativeDirectory(path, step)
        }
        stage.hasWorkingDirectory = true
        let directory = try setDirectory(path, stage)
        guard directory != "/" else { return commit("WORKDIR " + directory, step) }
        let user = stage.image.config.user
        var actions = FileActions()
        actions.makeDirectory(
            directory,
            mode: 0o755,
            makesParents: true,
            owner: user.isEmpty ? nil : FileOwner(user),
            createdTime: epoch.map {
                $0.multipliedReportingOverflow(by: 1_000_000_000).partialValue
            }
        )
        let name = try label(step.instruction.text, expander: expander, stage.state.environment)
        var constraints = Constraints(platform: stage.platform, locations: locations(step.lines))
        constraints.name = stepName(
            name,
            stage,
            platform: stage.platform ?? targetPlatform,
            environment: stage.state.environment
        )
        stage.state = stage.state.file(actions, constraints: constraints)
        record("WORKDIR " + directory, hasLayer: true, step)
    }
}

/// The parts of `NAME=value`; no value is an empty one.
func splitAssignment(_ text: String) -> (name: String, value: String) {
    guard let separator = text.firstIndex(of: "=") else { return (text, "") }
    return (String(text[..<separator]), String(text[text.index(after: separator)...]))
}

/// Names and numbers STOPSIGNAL takes.
enum StopSignal {
    private static let names: Set<String> = [
        "ABRT", "ALRM", "BUS", "CHLD", "CLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "IOT",
        "KILL", "PIPE", "POLL",
        "PROF", "PWR", "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN",
        "TTOU", "URG", "USR1",
        "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ]

    /// Whether a text names a Linux signal: a number other than 0, or a name with or without `SIG`, in any case.
    static func isValid(_ text: String) -> Bool {
        if let number = Int64(text) { return number != 0 }
        var name = text.uppercased()
        if name.hasPrefix("SIG") { name.removeFirst(3) }
        if names.contains(name) { return true }
        for (prefix, limit) in [("RTMIN+", 15), ("RTMAX-", 14)] where name.hasPrefix(prefix) {
            let digits = String(name.dropFirst(prefix.count))
            guard let offset = Int(digits), "\(offset)" == digits else { return false }
            return (1...limit).contains(offset)
        }
        return false
    }
}
