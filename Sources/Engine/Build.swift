// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import FrontendHost
internal import FrontendProtocol
internal import Glibc
internal import LinuxSystem
internal import LLB
internal import OCI
internal import Snapshots
internal import Solver
internal import SystemPackage

/// One build from request to response.
struct Build {
    let services: EngineServices
    let request: BuildRequest
    let events: BuildEventStream
    /// What tags mean; `nil` = what the project's lock says.
    private let pins: SourcePins?

    init(
        services: EngineServices,
        request: BuildRequest,
        pins: SourcePins? = nil,
        onEvent: @escaping @Sendable (BuildEvent) -> Void
    ) {
        self.services = services
        self.request = request
        self.pins = pins
        events = BuildEventStream(onEvent)
    }

    func run() async throws -> BuildResponse {
        let response = try await withBridge { inputs, bridge in
            let result = try await result(inputs, bridge)
            let trees = try await solve(result)
            return try await BuildOutput(services: services, request: request, events: events)
                .export(trees, result)
        }
        try await services.cache.flush()
        var finished = response
        let counts = events.stepCounts
        finished.stepCount = counts.completed
        finished.cachedStepCount = counts.cached
        return finished
    }

    /// Reads what the request names, and lends a bridge for as long as the work takes.
    func withBridge<Value: Sendable>(
        _ body: (BuildInputs, BuildBridge) async throws -> Value
    ) async throws -> Value {
        let inputs = try await BuildInputs(request, services: services, pins: pins)
        let events = events
        return try await services.solver.withJob(
            attachment: inputs.session,
            onEvent: { events.send($0) }
        ) { job in
            let bridge = BuildBridge(
                services: services,
                images: inputs.images,
                remotes: RemoteSources(services: services, pins: inputs.pins),
                job: job,
                events: events,
                resolveMode: request.pull ? .pull : .standard
            )
            return try await body(inputs, bridge)
        }
    }

    /// Computes every platform's tree, side by side.
    private func solve(_ result: FrontendResult<BuildRef>) async throws -> [FileTree] {
        try await withThrowingTaskGroup(of: (Int, FileTree).self) { group in
            for (index, platform) in result.platforms.enumerated() {
                group.addTask { (index, try await platform.ref?.tree() ?? .scratch) }
            }
            var trees = [FileTree](repeating: .scratch, count: result.platforms.count)
            for try await (index, tree) in group { trees[index] = tree }
            return trees
        }
    }

    func result(
        _ inputs: BuildInputs,
        _ bridge: BuildBridge
    ) async throws -> FrontendResult<BuildRef> {
        if case .llb(let bytes) = request.definition {
            let definition = try LLB.Definition(serialized: bytes)
            return FrontendResult(
                single: try await bridge.solve(definition, evaluate: false),
                engine: Wire.Program(name: "kiln", version: Engine.version)
            )
        }
        let work = try await FrontendWork(request, inputs, bridge, services: services, events: events)
        do {
            return try await FrontendCaller.run(
                work.selected,
                work.request,
                work.caller,
                through: bridge,
                trace: request.frontendTrace
            )
        } catch let error as FrontendHostError {
            // A step the frontend waited for tells more than the frontend that gave up.
            if let failure = error.cause as? BuildFailure { throw failure }
            if error.cause is CancellationError { throw CancellationError() }
            throw error
        }
    }
}
