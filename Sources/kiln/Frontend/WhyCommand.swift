// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendStore
internal import OCI
internal import ProjectFiles
internal import SystemPackage

struct FrontendWhyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "why",
        abstract: "Shows how a build file comes to its frontend, step by step."
    )

    @Argument(help: ArgumentHelp("The build file.", valueName: "buildfile"), completion: .file())
    var file: String

    @Option(help: ArgumentHelp("As kiln build --frontend.", valueName: "frontend"))
    var frontend: String?

    @Option(
        name: .customLong("build-arg"),
        help: ArgumentHelp("As kiln build; BUILDKIT_SYNTAX counts.", valueName: "name=value")
    )
    var buildArguments: [String] = []

    @Option(
        name: .customLong("frontend-override"),
        help: ArgumentHelp("As kiln build --frontend-override.", valueName: "name=path")
    )
    var overrides: [String] = []

    @Flag(help: "As kiln build --locked.")
    var locked = false

    func run() throws {
        let path = FilePath(file)
        let bytes = try readFile(file, what: "the build file")
        let project = try ProjectDirectory.find(from: path.parent)
        var bundled: [String: SemanticVersion] = [:]
        for (name, version) in Engine.bundledFrontends { bundled[name] = try SemanticVersion(parsing: version) }
        let resolver = FrontendResolver(
            project: project?.project,
            lock: project?.lock,
            localOverrides: project?.overrides,
            bundled: bundled,
            isLocked: locked
        )
        var request = FrontendRequest(option: frontend, fileName: file, filePath: place(path, in: project), file: bytes)
        for argument in buildArguments {
            let (key, value) = keyAndValue(argument)
            if key == "BUILDKIT_SYNTAX" { request.syntaxArgument = value ?? environmentVariable(key) }
        }
        for text in overrides {
            let (key, value) = keyAndValue(text)
            guard let value else { throw UsageError("cannot read --frontend-override \"\(text)\": expected NAME=PATH") }
            request.overrides[try parseFrontend(key).name] = value
        }
        writeOutput(project.map { "project \($0.root)\n" } ?? "no project: there is no kiln.toml\n")
        let resolution = try resolver.resolve(request)
        for step in resolution.steps { writeOutput(step + "\n") }
        for warning in resolution.warnings { writeError("warning: \(warning)\n") }
        writeOutput("→ " + text(of: resolution.plan) + "\n")
    }

    /// The path that patterns of `[files]` are matched with: from the project's root.
    private func place(_ path: FilePath, in project: ProjectDirectory?) -> String {
        let whole = currentDirectory().pushing(path).lexicallyNormalized()
        guard var rest = project.map({ _ in whole }), let root = project?.root, rest.removePrefix(root) else {
            return path.lastComponent?.string ?? file
        }
        return rest.string
    }

    private func text(of plan: FrontendPlan) -> String {
        switch plan {
        case .bundled(let name, let version): "the bundled \(name) \(version)"
        case .package(let locked): "\(locked.package) \(locked.version), \(locked.tree) from \(locked.source)"
        case .developer(_, let path, let isOverride): isOverride ? "\(path), an override" : path
        case .unlisted(let reference): "\(reference.text), whatever it is at the time"
        }
    }
}
