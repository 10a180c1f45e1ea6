// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import ContentStore
internal import FrontendHost
internal import FrontendProtocol
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import Registry
internal import Sandbox
internal import Snapshots
internal import Solver
internal import Sources
internal import SystemPackage

/// The build engine: solves, runs and caches.
///
/// One serves any number of builds at once.
///
/// Several engines, in this process or others, may work on one state directory.
public final class Engine: Sendable {
    /// What this machine lacks, a sentence each; known before the first build.
    public let notices: [String]
    let services: EngineServices

    /// Opens a state directory, making it where it is missing, and sweeps what engines that died left in it.
    ///
    /// - Throws: An error with a sentence when the directory cannot be used or `kiln-sandbox` is missing.
    public init(configuration: EngineConfiguration) async throws {
        let (services, notices) = try await blocking {
            let state = try StateDirectory(path: configuration.stateDirectory)
            let content = try ContentStore(state: state)
            let launcher = try Launcher(
                cache: try state.root.makeDirectories("cache/sandbox", mode: 0o700),
                executable: configuration.programDirectory.map { $0.appending("kiln-sandbox") }
            )
            // The kernel must be able to mount what the file system can carry.
            let snapshots = try SnapshotStore(
                state: state,
                content: content,
                mode: launcher.capabilities.hasOverlay && !configuration.copiesTrees ? nil : .copy
            )
            let registry = RegistryClient(
                configuration: RegistryConfiguration(),
                content: content
            )
            let cache = try BuildCache(
                state: state,
                content: content,
                snapshots: snapshots,
                fetcher: OriginFetcher(registry: registry, content: content, snapshots: snapshots)
            )
            let services = EngineServices(
                state: state,
                content: content,
                snapshots: snapshots,
                cache: cache,
                solver: Solver(
                    store: cache,
                    limits: SolverLimits(processorCount: configuration.parallelStepCount),
                    hash: .sha256
                ),
                launcher: launcher,
                frontends: FrontendHost(
                    launcher: launcher,
                    engine: Wire.Program(name: "kiln", version: Engine.version)
                ),
                bundled: BundledFrontends(home: configuration.programDirectory ?? FrontendProgram.ownDirectory),
                packages: FrontendService(
                    store: try FrontendStore(directory: configuration.stateDirectory.appending("frontends")),
                    content: content,
                    registry: registry
                ),
                results: (try? state.root.makeDirectories("cache/frontend-results", mode: 0o700)).map {
                    FrontendResultStore(directory: $0)
                },
                registry: registry,
                local: LocalSource(state: state)
            )
            let notices = launcher.capabilities.sentences + (cache.notice.map { [$0] } ?? [])
            return (services, notices)
        }
        self.services = services
        self.notices = notices
    }

    /// The version of the engine, as frontends are told it.
    public static let version = "0.1.0"

    /// Carries out a build.
    ///
    /// When this returns or throws, nothing it started runs any more. Cancelling the task ends the build.
    ///
    /// - Parameter onEvent: Called in order, one call at a time; it must return soon.
    public func build(
        _ request: BuildRequest,
        onEvent: @escaping @Sendable (BuildEvent) -> Void = { _ in }
    ) async throws -> BuildResponse {
        try await Build(services: services, request: request, onEvent: onEvent).run()
    }

    /// Writes down what is still in memory and lets connections go.
    ///
    /// The engine must not be used any more.
    public func close() async {
        // What cannot be recorded is only slower next time; the builds themselves have ended well.
        try? await services.cache.close()
        await services.registry.shutdown()
        // Not worth an error either: the next process sweeps.
        try? await blocking { [state = services.state] in state.leave() }
    }
}
