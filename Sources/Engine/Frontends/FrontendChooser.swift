// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import FrontendHost
internal import FrontendProtocol
internal import FrontendStore
internal import Glibc
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import Snapshots
internal import SystemPackage

/// Decides which frontends one build runs, by the project it belongs to, and makes them ready.
struct FrontendChooser: Sendable {
    private let services: EngineServices
    private let images: BuildImages
    private let events: BuildEventStream
    private let request: BuildRequest
    private let project: ProjectDirectory?
    private let resolver: FrontendResolver
    private let overrides: [FrontendName: String]

    /// Finds the project of a build.
    ///
    /// - Parameter inputs: Says where its build file stands.
    init(
        _ request: BuildRequest,
        _ inputs: BuildInputs,
        services: EngineServices,
        events: BuildEventStream
    ) throws {
        self.request = request
        self.services = services
        self.events = events
        images = inputs.images
        project = inputs.project
        resolver = FrontendResolver(
            project: project?.project,
            lock: project?.lock,
            localOverrides: project?.overrides,
            bundled: BundledFrontends.versions,
            isLocked: inputs.isLocked,
            canAsk: request.canAsk
        )
        var overrides: [FrontendName: String] = [:]
        for (name, path) in request.frontendOverrides { overrides[try FrontendName(parsing: name)] = path }
        self.overrides = overrides
    }

    /// The frontend of the build itself.
    ///
    /// - Throws: `ProjectError` with the code that says why there is none.
    func choose(for file: BuildInputs.File, path: String) async throws -> SelectedFrontend {
        let resolution = try resolver.resolve(
            FrontendRequest(
                option: request.frontend,
                syntaxArgument: request.buildArguments["BUILDKIT_SYNTAX"],
                fileName: file.name,
                filePath: path,
                file: file.content,
                overrides: overrides
            )
        )
        // A path of the command line counts from where its user stands, any other from the project.
        return try await select(resolution, isFromOption: request.frontend != nil)
    }

    /// The frontend that another one calls.
    ///
    /// - Throws: As ``choose(for:path:)``, and for a call that is not allowed.
    func choose(_ name: String, calledBy callers: [FrontendName], allowed: [String]) async throws -> SelectedFrontend {
        if callers.count >= FrontendResolver.depthMax {
            throw ProtocolFailure.limit(
                "\(FrontendResolver.depthMax) frontends stand inside each other, which is the limit"
            )
        }
        // In the middle of a build nobody is asked: whoever calls gets the refusal.
        var resolver = resolver
        resolver.canAsk = false
        return try await select(
            resolver.resolveNested(name, callers: callers, allowed: allowed, overrides: overrides),
            isFromOption: false
        )
    }

    private func select(_ resolution: FrontendResolution, isFromOption: Bool) async throws -> SelectedFrontend {
        for warning in resolution.warnings { events.send(.warning(WarningEvent(short: warning))) }
        switch resolution.plan {
        case .bundled(let name, _):
            return SelectedFrontend(
                program: try await blocking { [bundled = services.bundled] in try bundled.program(name) },
                name: try FrontendName(parsing: name),
                rights: FrontendRights(name: name, grant: nil, callable: Array(BundledFrontends.versions.keys)),
                commandLine: resolution.commandLine,
                isReusable: true,
                package: nil
            )
        case .package(let locked):
            let package = try await obtain(locked)
            return try await select(package, as: locked.name, grant: locked.grant, resolution)
        case .developer(let name, let path, let isOverride):
            let isFromCommandLine = isOverride ? name.map { overrides[$0] != nil } == true : isFromOption && name == nil
            let path = isFromCommandLine ? FilePath(path) : projectPath(path)
            return try await develop(path, as: name, resolution)
        case .unlisted(let reference):
            let (locked, package) = try await fetch(unlisted: reference, resolution.refusal)
            return try await select(package, as: locked.name, grant: locked.grant, resolution)
        }
    }

    private func projectPath(_ path: String) -> FilePath {
        (project?.root ?? request.directory).pushing(FilePath(path))
    }

    // MARK: Packages

    private func obtain(_ locked: LockedFrontend) async throws -> FrontendPackage {
        guard let project else {
            throw EngineError(.environment, "cannot fetch \(locked.name): there is no project")
        }
        let configuration = ProjectDirectory.userConfiguration(environment: Environment.value(of:))
        let places = try await blocking { [request] in
            try project.places(configuration: configuration, isOffline: request.isOffline)
        }
        let events = events
        return try await services.packages.obtain(locked, in: places) { line in
            events.notice("[internal] load frontend \(locked.name) \(locked.version)", line)
        }
    }

    /// A frontend that no project lists, as its registry has it now; nothing is granted to it.
    ///
    /// Its name says the registry: the resolver refuses others.
    ///
    /// - Parameter refusal: Where somebody must agree first, what to say to who does not; then nothing is fetched.
    private func fetch(
        unlisted reference: SyntaxReference,
        _ refusal: ProjectError?
    ) async throws -> (LockedFrontend, FrontendPackage) {
        if let refusal, reference.name == nil { throw refusal }
        let configuration = ProjectDirectory.userConfiguration(environment: Environment.value(of:))
        let places = try await blocking { [request, project] in
            try project?.places(configuration: configuration, isOffline: request.isOffline)
                ?? FrontendPlaces(
                    root: request.directory,
                    rules: try ProjectDirectory.rules(of: configuration),
                    isOffline: request.isOffline
                )
        }
        let locked = try await services.packages.resolve(unlisted: reference, in: places)
        if let refusal { throw UnlistedFrontend(reference, locked, refusal: refusal) }
        let (events, step) = (events, "[internal] load frontend \(reference.text)")
        events.notice(
            step,
            """
            \(reference.text) is \(locked.version), \(locked.release), and not pinned. To pin it: \
            kiln frontend add \(locked.package)@\(locked.version) --source \(locked.source)
            """
        )
        return (locked, try await services.packages.obtain(locked, in: places) { events.notice(step, $0) })
    }

    private func develop(
        _ path: FilePath,
        as name: FrontendName?,
        _ resolution: FrontendResolution
    ) async throws -> SelectedFrontend {
        if (try? await blocking { try Directory(host: path) }) != nil {
            let package = try await blocking { try FrontendPackage(developing: path) }
            // Whoever names a directory runs what stands there, with what it asks for.
            let grant = name == nil ? package.manifest.permissions : resolution.grant
            return try await select(package, as: name ?? package.manifest.name, grant: grant, resolution)
        }
        let program: FrontendProgram
        do {
            program = try await blocking { try FrontendProgram(file: path) }
        } catch {
            throw EngineError(.missingFile, "cannot use the frontend \(path): \(error)")
        }
        return SelectedFrontend(
            program: program,
            name: try name ?? FrontendName(parsing: "developer/frontend"),
            rights: FrontendRights(name: program.name, grant: nil, callable: Array(BundledFrontends.versions.keys)),
            commandLine: resolution.commandLine,
            isReusable: false,
            package: nil
        )
    }

    private func select(
        _ package: FrontendPackage,
        as name: FrontendName,
        grant: Grant,
        _ resolution: FrontendResolution
    ) async throws -> SelectedFrontend {
        let manifest = package.manifest
        if manifest.kind == .buildkitGateway {
            throw EngineError(
                .unsupported,
                "F110 \(manifest.name) \(manifest.version) speaks BuildKit's gateway protocol, which this engine does not run"
            )
        }
        try manifest.check(
            as: name,
            offer: EngineOffer(capabilities: Set(BuildBridge.offered.map(\.rawValue))),
            grant: grant
        )
        let program = FrontendProgram(
            name: manifest.name.text,
            version: manifest.version.description,
            content: .package(directory: package.directory, arguments: manifest.argv),
            runtime: try await runtime(manifest.runtime),
            digest: package.tree?.description,
            memoryByteLimit: manifest.memoryLimit
        )
        return SelectedFrontend(
            program: program,
            name: name,
            rights: FrontendRights(
                name: name.text,
                grant: manifest.permissions,
                callable: manifest.permissions.frontends
            ),
            commandLine: resolution.commandLine,
            isReusable: try await isDeterministic(package),
            package: package
        )
    }

    /// Whether a package says that it is deterministic, and was seen to be.
    private func isDeterministic(_ package: FrontendPackage) async throws -> Bool {
        guard package.manifest.isDeterministic, let tree = package.tree else { return false }
        return try await blocking { [store = services.packages.store] in store.hasPassed(tree) }
    }

    private func runtime(_ runtime: FrontendManifest.Runtime) async throws -> FrontendProgram.Runtime {
        switch runtime {
        case .package: return .none
        case .host: return .host
        case .image(let reference):
            return try await events.withStep("[internal] load frontend runtime \(reference)") { _ in
                try await services.frontendRuntime(reference, images)
            }
        }
    }
}
