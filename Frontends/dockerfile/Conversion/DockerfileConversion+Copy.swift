// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import LLBMessages
internal import OCI

/// COPY or ADD with its words expanded.
struct FileTransfer {
    var isAdd: Bool
    var sources: CopySources
    /// Where paths are copied from.
    var origin: State
    /// Whether ``origin`` is the build context.
    var usesContext: Bool
    var owner = ""
    var mode = ""
    var checksum = ""
    var link = false
    var parents = false
    var excludes: [String] = []
    var keepsGitDirectory: Bool?
    var unpacks: Bool?
}

extension DockerfileConversion {
    func dispatchAdd(_ add: AddInstruction, _ step: Step) throws {
        var transfer = FileTransfer(
            isAdd: true,
            sources: add.sources,
            origin: mainContext.state,
            usesContext: true
        )
        transfer.owner = add.owner
        transfer.mode = add.mode
        transfer.checksum = add.checksum
        transfer.link = add.link
        transfer.excludes = add.excludes
        transfer.keepsGitDirectory = add.keepsGitDirectory
        transfer.unpacks = add.unpacks
        try dispatch(transfer, step)
        for path in transfer.sources.paths
        where !path.hasPrefix("http://") && !path.hasPrefix("https://") {
            step.stage.contextPaths.insert(SlashPath.join("/", path))
        }
    }

    func dispatchCopy(_ copy: CopyInstruction, _ step: Step) throws {
        var transfer = FileTransfer(
            isAdd: false,
            sources: copy.sources,
            origin: mainContext.state,
            usesContext: true
        )
        transfer.owner = copy.owner
        transfer.mode = copy.mode
        transfer.link = copy.link
        transfer.parents = copy.parents
        transfer.excludes = copy.excludes
        if let source = step.sources.first {
            guard source.isDispatched else {
                throw ConversionError(
                    .badSource,
                    "cannot copy from stage \"\(copy.from)\", it needs to be defined before current stage "
                        + "\"\(step.stage.displayName)\""
                )
            }
            transfer.origin = source.state
            transfer.usesContext = false
        }
        try dispatch(transfer, step)
        for path in transfer.sources.paths {
            let path = SlashPath.join("/", path)
            if let source = step.sources.first {
                source.usedPaths.paths.insert(path)
            } else {
                step.stage.contextPaths.insert(path)
            }
        }
    }

    private func dispatch(_ transfer: FileTransfer, _ step: Step) throws {
        let stage = step.stage
        let system = SystemPath(os: stage.platform?.os ?? "")
        let destination = try self.destination(transfer.sources.destination, stage, system)
        try check(transfer)
        let mode = try FileMode(parsing: transfer.mode)
        let name = try label(step.instruction.text, expander: expander, step.environment)
        let platform = stage.platform ?? targetPlatform
        let shownName = stepName(name, stage, platform: platform, environment: step.environment)

        var actions = FileActions()
        let request = CopyRequest(
            transfer: transfer,
            mode: mode,
            destination: destination,
            name: shownName,
            system: system,
            step: step
        )
        for source in transfer.sources.paths { try add(source, to: &actions, request) }
        for file in transfer.sources.inlineFiles { try add(file, to: &actions, request) }

        var constraints = Constraints(name: shownName, locations: locations(step.lines))
        constraints.ignoresCache = stage.ignoresCache
        if transfer.link, transfer.mode.isEmpty, input.capabilities.contains(Capability.mergeOp) {
            link(actions, name: name, platform: platform, constraints, step)
        } else {
            stage.state = stage.state.file(actions, constraints: constraints)
        }
        record(historyText(transfer) + " # buildkit", hasLayer: true, step)
    }

    /// Makes the files on a tree of their own, which is laid over the stage's.
    private func link(
        _ actions: FileActions,
        name: String,
        platform: Platform,
        _ constraints: Constraints,
        _ step: Step
    ) {
        let stage = step.stage
        let group = "link-\(step.lines.lowerBound)-\(stage.stepIndex)-\(stage.displayName)"
        // Both operations are one step to the user.
        stage.stepIndex -= 1
        let groupName = stepName(name, stage, platform: platform, environment: step.environment)
        var copyConstraints = constraints
        copyConstraints.platform = stage.platform
        copyConstraints.setProgressGroup(id: group, name: groupName, isWeak: true)
        var mergeConstraints = constraints
        stage.stepIndex -= 1
        mergeConstraints.setProgressGroup(id: group, name: groupName, isWeak: false)
        mergeConstraints.name = stepName(
            "LINK " + name,
            stage,
            platform: platform,
            environment: step.environment
        )
        let files = State.scratch.file(actions, constraints: copyConstraints)
        stage.state = stage.state.withTree(
            of: State.merge([stage.state, files], constraints: mergeConstraints)
        )
    }

    private func destination(
        _ path: String,
        _ stage: StageState,
        _ system: SystemPath
    ) throws -> String {
        let path = try system.withoutDrive(path, keepsSlash: true)
        if system.isAbsolute(path) {
            return try system.normalize(parent: "/", path, keepsSlash: true)
        }
        let relative = path == "." || path.isEmpty ? "./" : path
        return try system.normalize(parent: stage.state.directory, relative, keepsSlash: true)
    }

    private func check(_ transfer: FileTransfer) throws {
        let count = transfer.sources.paths.count + transfer.sources.inlineFiles.count
        guard count <= FileActions.countMax else {
            throw ConversionError(
                .badSource,
                "one instruction names \(count) sources, at most \(FileActions.countMax) are allowed"
            )
        }
        guard !transfer.checksum.isEmpty else { return }
        guard transfer.sources.paths.count == 1 else {
            throw ConversionError(.badSource, "checksum can't be specified for multiple sources")
        }
        guard isHTTPSource(transfer.sources.paths[0]) || isGitSource(transfer.sources.paths[0])
        else {
            throw ConversionError(.badSource, "checksum requires HTTP(S) or Git sources")
        }
    }

    private func historyText(_ transfer: FileTransfer) -> String {
        var text = transfer.isAdd ? "ADD" : "COPY"
        if transfer.parents { text += " --parents" }
        if !transfer.owner.isEmpty { text += " --chown=" + transfer.owner }
        if !transfer.mode.isEmpty { text += " --chmod=" + transfer.mode }
        for path in transfer.sources.paths { text += " " + path }
        for file in transfer.sources.inlineFiles { text += " <<" + file.name }
        return text + " " + transfer.sources.destination
    }
}
