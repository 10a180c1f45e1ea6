// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import LLB
internal import OCI

/// Makes the operations of one stage.
struct StageBuilder {
    let stage: Stage
    let conversion: SpecConversion
    let platform: Platform
    private let trees: [SpecConversion.ExternalName: SourceTree]
    private let built: [String: SourceTree]
    let context: State

    /// The tree so far, with the environment and directory of the image.
    var state = State.scratch
    var image: ImageConfig
    /// Variables of steps that the image does not keep.
    var buildEnvironment: [(name: String, value: String)] = []
    private var stepNumber = 0

    /// A shell that ends at the first command that fails: a script that goes on behind an error hides it.
    static let defaultShell = ["/bin/sh", "-e", "-c"]

    init(
        _ stage: Stage,
        conversion: SpecConversion,
        trees: [SpecConversion.ExternalName: SourceTree],
        built: [String: SourceTree],
        context: State
    ) {
        self.stage = stage
        self.conversion = conversion
        self.trees = trees
        self.built = built
        self.context = context
        platform = conversion.platform(of: stage)
        image = .empty(platform)
    }

    /// Converts all steps, then the settings of an image.
    mutating func build() throws -> SourceTree {
        let base = try tree(stage.base, at: stage.basePlace)
        image = base.config ?? .empty(platform)
        state = base.state
        if state.output == nil { state = State.scratch.applying(image).onPlatform(platform) }
        if state.environment["PATH"] == nil { state.environment["PATH"] = State.defaultPath }
        for step in stage.steps {
            stepNumber += 1
            try build(step)
        }
        if stage.isImage { apply(stage.settings) }
        return SourceTree(state: state, config: image)
    }

    private mutating func build(_ step: Step) throws {
        switch step.action {
        case .environment(let values, let isForBuildOnly): setEnvironment(values, isForBuildOnly, step)
        case .workingDirectory(let path): setWorkingDirectory(path, step)
        case .copy(let copy): try self.copy(copy, step)
        case .write(let text, let path, let attributes): write(text, to: path, attributes, step)
        case .download(let download): self.download(download, step)
        case .clone(let clone): try self.clone(clone, step)
        case .makeDirectory(let path, let attributes): makeDirectory(path, attributes, step)
        case .makeSymlink(let path, let target): makeSymlink(path, target, step)
        case .remove(let paths): remove(paths, step)
        case .run(let run): try self.run(run, step)
        case .install(let install): try self.install(install, step)
        case .createUsers(let accounts): createUsers(accounts, step)
        }
    }

    // MARK: Trees

    /// What a name of the spec stands for.
    func tree(_ name: TreeName, at place: Place) throws -> SourceTree {
        switch name {
        case .context: return SourceTree(state: context, config: nil)
        case .stage(let name):
            guard let tree = built[name] else { throw place.problem("\"\(name)\" is not built before this") }
            return tree
        case .external(let name):
            let external = SpecConversion.ExternalName(name: name, platform: platform)
            guard let tree = trees[external] else { throw place.problem("\"\(name)\" was not asked for") }
            return tree
        }
    }

    /// An absolute, cleaned path; a relative one begins at the working directory.
    func absolute(_ path: String) -> String {
        SlashPath.join("/", SlashPath.isAbsolute(path) ? "" : state.directory, path)
    }

    // MARK: Bookkeeping

    /// What is said about a step's operation.
    func constraints(_ step: Step, platform: Platform? = nil) -> Constraints {
        var constraints = Constraints(platform: platform, name: label(step.name), locations: [step.place.location])
        constraints.ignoresCache = conversion.options.uncached.contains(stage.name)
        return constraints
    }

    /// `[linux/arm64 app 2/7] run make`.
    private func label(_ name: String) -> String {
        let prefix = conversion.options.isMultiPlatform ? platform.identifier + " " : ""
        return "[\(prefix)\(stage.name) \(stepNumber)/\(stage.steps.count)] \(name)"
    }

    /// Adds an entry to the image's history.
    mutating func commit(_ step: Step, hasLayer: Bool) {
        image.history.append(
            ImageConfig.HistoryEntry(
                created: conversion.options.epoch.map { Timestamp(seconds: $0) },
                createdBy: step.name,
                comment: "kiln.yaml.v1",
                emptyLayer: !hasLayer
            )
        )
    }

    /// Nanoseconds since 1970 that new files claim to be from; `nil` is the time of the build.
    var createdTime: Int64? {
        conversion.options.epoch.flatMap { seconds in
            let (time, overflowed) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
            return overflowed ? nil : time
        }
    }

    // MARK: Settings

    private mutating func setEnvironment(
        _ values: [(name: String, value: String)],
        _ isForBuildOnly: Bool,
        _ step: Step
    ) {
        guard !isForBuildOnly else {
            buildEnvironment += values
            return
        }
        for (name, value) in values {
            state.environment[name] = value
            let assignment = name + "=" + value
            if let index = image.config.environment.firstIndex(where: { $0.hasPrefix(name + "=") }) {
                image.config.environment[index] = assignment
            } else {
                image.config.environment.append(assignment)
            }
        }
        commit(step, hasLayer: false)
    }

    private mutating func setWorkingDirectory(_ path: String, _ step: Step) {
        let directory = absolute(path)
        state = state.inDirectory(directory)
        image.config.workingDirectory = directory
        guard directory != "/" else {
            commit(step, hasLayer: false)
            return
        }
        var actions = FileActions()
        actions.makeDirectory(directory, mode: 0o755, makesParents: true, createdTime: createdTime)
        state = state.file(actions, constraints: constraints(step))
        commit(step, hasLayer: true)
    }

    private mutating func apply(_ settings: ImageSettings) {
        let shell = stage.shell ?? ["/bin/sh", "-c"]
        func words(_ command: ImageSettings.Command) -> [String] {
            switch command {
            case .script(let text): shell + [text]
            case .arguments(let words): words
            }
        }
        if let user = settings.user { image.config.user = user }
        if let entrypoint = settings.entrypoint {
            image.config.entrypoint = words(entrypoint)
            // The base image's arguments were for its own entry point.
            image.config.command = []
        }
        if let command = settings.command { image.config.command = words(command) }
        for (name, value) in conversion.spec.labels + settings.labels { image.config.labels[name] = value }
        for (name, value) in conversion.options.labels { image.config.labels[name] = value }
        image.config.exposedPorts.formUnion(settings.ports)
        image.config.volumes.formUnion(settings.volumes)
        if let signal = settings.stopSignal { image.config.stopSignal = signal }
        switch settings.healthcheck {
        case ImageSettings.Healthcheck.none?: image.config.healthcheck = ContainerConfig.Healthcheck(test: ["NONE"])
        case .check(var check, let command)?:
            switch command {
            case .script(let text): check.test = ["CMD-SHELL", text]
            case .arguments(let words): check.test = ["CMD"] + words
            }
            image.config.healthcheck = check
        case nil: break
        }
        image.history.append(
            ImageConfig.HistoryEntry(
                created: conversion.options.epoch.map { Timestamp(seconds: $0) },
                createdBy: "image \(stage.name)",
                comment: "kiln.yaml.v1",
                emptyLayer: true
            )
        )
    }
}
