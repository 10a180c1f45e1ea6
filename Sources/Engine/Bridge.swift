// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import FrontendProtocol
internal import LinuxSystem
internal import LLB
internal import OCI
internal import PathPatterns
internal import Snapshots
internal import Solver
internal import Sources
internal import Synchronization

/// A frontend's handle on a result that need not be computed yet.
final class BuildRef: Sendable {
    let definition: LLB.Definition
    private let graph: VertexGraph
    private let edge: SolveEdge
    private let services: EngineServices
    private let job: Job
    private let finished = Mutex<FileTree?>(nil)

    init(
        definition: LLB.Definition,
        graph: VertexGraph,
        edge: SolveEdge,
        services: EngineServices,
        job: Job
    ) {
        self.definition = definition
        self.graph = graph
        self.edge = edge
        self.services = services
        self.job = job
    }

    /// The tree, computed at first use.
    ///
    /// The solver shares the work of all who ask.
    func tree() async throws -> FileTree {
        if let tree = finished.withLock({ $0 }) { return tree }
        do {
            let tree = try fileTree(try await services.solver.solve(graph, edge, job: job))
            finished.withLock { $0 = tree }
            return tree
        } catch let error as SolverError {
            if error.isCancellation { throw CancellationError() }
            let name = error.vertex.flatMap { graph[$0]?.name }
            throw BuildFailure(error, definition: definition, name: name)
        }
    }
}

/// What one build offers its frontend.
///
/// Every request of a frontend, by whichever front door, ends here.
final class BuildBridge: FrontendBridge {
    typealias Ref = BuildRef

    /// What this engine offers every frontend.
    static let offered: [EngineCapability] = [
        .solve, .evaluate, .definitionJSON, .readFile, .resolveImage, .resolveHTTP, .resolveGit,
        .nestedFrontend, .diagnostic, .progress,
    ]

    var capabilities: [EngineCapability] { Self.offered }

    private let services: EngineServices
    private let images: BuildImages
    private let remotes: RemoteSources
    private let job: Job
    private let events: BuildEventStream
    private let resolveMode: Wire.ResolveSource.Mode
    /// Who speaks, with what rights; `nil` for a graph that no frontend made.
    private let caller: FrontendCaller?
    /// When the frontend said its first word.
    private let frontendStart = Mutex<Timestamp?>(nil)

    init(
        services: EngineServices,
        images: BuildImages,
        remotes: RemoteSources,
        job: Job,
        events: BuildEventStream,
        resolveMode: Wire.ResolveSource.Mode,
        caller: FrontendCaller? = nil
    ) {
        self.services = services
        self.images = images
        self.remotes = remotes
        self.job = job
        self.events = events
        self.resolveMode = resolveMode
        self.caller = caller
    }

    /// The same for a frontend that this one called, or that speaks first.
    func serving(_ caller: FrontendCaller) -> BuildBridge {
        BuildBridge(
            services: services,
            images: images,
            remotes: remotes,
            job: job,
            events: events,
            resolveMode: resolveMode,
            caller: caller
        )
    }

    func solve(_ definition: LLB.Definition, evaluate: Bool) async throws -> BuildRef? {
        // Digests are the engine's: no encoder of a frontend reaches one.
        let (definition, graph) = try definition.checked()
        guard let result = graph.result else { return nil }
        try caller?.rights.check(graph, in: session)
        let ref = BuildRef(
            definition: definition,
            graph: try GraphBinding(services: services, images: images, remotes: remotes).vertexGraph(graph),
            edge: SolveEdge(vertex: result.vertex, output: result.index),
            services: services,
            job: job
        )
        if evaluate { _ = try await ref.tree() }
        return ref
    }

    /// What the build was given.
    var session: BuildSession? { job.attachment as? BuildSession }

    func evaluate(_ ref: BuildRef) async throws { _ = try await ref.tree() }

    func release(_ ref: BuildRef) {}

    // MARK: Other frontends

    func solve(_ call: FrontendCall<BuildRef>) async throws -> FrontendResult<BuildRef> {
        guard let caller else { throw ProtocolFailure(.denied, "no frontend speaks") }
        return try await caller.solve(call, through: self)
    }

    // MARK: Files

    func readFile(
        _ ref: BuildRef?,
        path: String,
        offset: Int64,
        length: Int
    ) async throws -> Wire.ReadFile.Answer {
        try await withReader(ref) { reader in
            guard let entry = try reader.stat(path, followSymlinks: true) else {
                throw ProtocolFailure(.notFound, "no such file or directory: \(path)")
            }
            let bytes = try reader.readFile(path, offset: offset, length: length, byteLimit: length)
            let end = offset.addingReportingOverflow(Int64(bytes.count))
            return Wire.ReadFile.Answer(
                data: bytes,
                isEnd: end.overflow || end.partialValue >= Int64(clamping: entry.size)
            )
        }
    }

    func readDirectory(
        _ ref: BuildRef?,
        path: String,
        pattern: String?
    ) async throws -> [FileInfo] {
        try await withReader(ref) { reader in
            guard try reader.stat(path, followSymlinks: true) != nil else {
                throw ProtocolFailure(.notFound, "no such file or directory: \(path)")
            }
            return try reader.readDirectory(path)
                .filter { entry in try pattern.map { try shellMatch($0, entry.name) } ?? true }
                .map(FileInfo.init)
        }
    }

    func stat(_ ref: BuildRef?, path: String, followSymlinks: Bool) async throws -> FileInfo {
        try await withReader(ref) { reader in
            guard let entry = try reader.stat(path, followSymlinks: followSymlinks) else {
                throw ProtocolFailure(.notFound, "no such file or directory: \(path)")
            }
            return FileInfo(entry)
        }
    }

    private func withReader<Value: Sendable>(
        _ ref: BuildRef?,
        _ body: @escaping @Sendable (TreeReader) throws -> Value
    ) async throws -> Value {
        let reader = try await TreeReader(ref?.tree() ?? .scratch)
        return try await blocking { try body(reader) }
    }

    // MARK: Sources

    func resolveSource(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        try caller?.rights.check(
            query.identifier,
            query.attributes,
            in: session,
            of: query.logName ?? query.identifier
        )
        let scheme = query.identifier.firstRange(of: "://").map { query.identifier[..<$0.lowerBound] }
        switch scheme {
        case "docker-image", "oci-layout": return try await resolveImage(query)
        case "http", "https", "git": return try await resolveRemote(query)
        default:
            throw ProtocolFailure(
                .unsupported,
                "cannot resolve \(query.identifier): this engine resolves images, files of the web and repositories"
            )
        }
    }

    private func resolveRemote(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        let secrets: @Sendable (String) async throws -> [UInt8]? = { [session] id in try await session?.secret(id) }
        var answer = ResolvedSource(identifier: query.identifier, attributes: query.attributes)
        let name = query.logName ?? "[internal] load metadata for \(query.identifier)"
        if query.identifier.hasPrefix("git://") {
            let request = try remotes.checkout(query.identifier, query.attributes)
            let commit = try await events.withStep(name) { _ in
                try await remotes.git.resolve(request, secrets: secrets, agents: { [session] in session?.agents[$0] })
            }
            remotes.note(commit, query.identifier, query.attributes)
            answer.git = ResolvedSource.Git(
                checksum: commit.checksum,
                ref: commit.reference,
                commit: commit.commit
            )
            return answer
        }
        let request = try remotes.file(query.identifier, query.attributes)
        let file = try await events.withStep(name) { _ in
            try await remotes.resolve(request, secrets: secrets)
        }
        remotes.note(file, query.identifier, query.attributes)
        answer.http = ResolvedSource.HTTP(
            digest: file.digest,
            fileName: file.name,
            lastModified: file.lastModified
        )
        return answer
    }

    private func resolveImage(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        try await events.withStep(
            query.logName ?? "[internal] load metadata for \(query.identifier)"
        ) { _ in
            let found = try await images.find(
                query.identifier,
                attributes: query.attributes,
                platform: query.platform ?? Platform.host.normalized,
                mode: mode(of: query)
            )
            return ResolvedSource(
                identifier: query.identifier,
                attributes: query.attributes,
                image: ResolvedSource.Image(
                    digest: found.image.root.digest,
                    config: query.wantsConfig ? found.image.configBytes : nil
                )
            )
        }
    }

    private func mode(of query: Wire.ResolveSource) -> ImageResolveMode {
        switch query.mode == .standard ? resolveMode : query.mode {
        case .standard: .ask
        case .pull: .pull
        case .local: .preferLocal
        }
    }

    // MARK: Words

    func log(_ entry: FrontendLogEntry) {
        guard entry.origin != .message || entry.level != .debug else { return }
        let start = frontendStart.withLock { start -> Timestamp? in
            if start != nil { return nil }
            start = .now
            return start
        }
        if let start { events.send(.vertex(Self.frontendEvent(started: start))) }
        events.send(
            .log(
                LogEvent(
                    vertex: Self.frontendVertex,
                    stream: .error,
                    bytes: Array((entry.text + "\n").utf8),
                    timestamp: .now
                )
            )
        )
    }

    func diagnostic(_ diagnostic: Diagnostic) {
        events.send(.warning(WarningEvent(diagnostic)))
    }

    /// Ends the step that a frontend's own words were shown under, if it had any.
    func finishFrontend() {
        guard let start = frontendStart.withLock({ $0 }) else { return }
        events.send(.vertex(Self.frontendEvent(started: start, completed: .now)))
    }

    /// The step that a frontend's own words are shown under.
    private static let frontendVertex = Digest.of("kiln frontend")

    private static func frontendEvent(started: Timestamp, completed: Timestamp? = nil) -> VertexEvent {
        VertexEvent(
            digest: frontendVertex,
            name: "[internal] output of the frontend",
            started: started,
            completed: completed
        )
    }
}

extension FileInfo {
    fileprivate init(_ entry: TreeEntry) {
        let kind: Kind =
            switch entry.kind {
            case .directory: .directory
            case .regular, .whiteout: .file
            case .symbolicLink: .symlink
            case .characterDevice, .blockDevice: .device
            case .fifo: .fifo
            case .socket: .socket
            }
        self.init(
            name: entry.path.isEmpty ? "/" : entry.name,
            kind: kind,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            size: Int64(clamping: entry.size),
            modified: entry.mtime.seconds &* 1_000_000_000 &+ Int64(entry.mtime.nanoseconds),
            linkTarget: entry.linkTarget
        )
    }
}
