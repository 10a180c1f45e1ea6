// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI
internal import Sandbox
internal import Solver

/// Binds the operations of an LLB graph to the solver.
struct GraphBinding {
    let services: EngineServices
    let images: BuildImages
    let remotes: RemoteSources

    /// The solver's graph of a definition that was accepted.
    ///
    /// - Throws: `invalidDefinition` or `unsupported`, naming the operation.
    func vertexGraph(_ graph: LLB.Graph) throws -> VertexGraph {
        try VertexGraph(
            graph.vertices.map { vertex in
                Vertex(
                    digest: vertex.digest,
                    operation: try operation(vertex),
                    inputs: vertex.inputs.map { SolveEdge(vertex: $0.vertex, output: $0.index) },
                    ignoresCache: vertex.ignoresCache,
                    isPrivate: vertex.isLocal,
                    name: vertex.name,
                    progressGroup: vertex.progressGroup
                )
            }
        )
    }

    private func operation(_ vertex: VertexInfo) throws -> any VertexOperation {
        switch vertex.operation.op {
        case .exec(let exec):
            return ExecOperation(
                name: vertex.name,
                exec: exec,
                inputCount: vertex.inputs.count,
                platform: vertex.platform,
                resourceLimits: SandboxSpec.ResourceLimits(vertex.metadata.linuxResources),
                state: services.state,
                snapshots: services.snapshots,
                launcher: services.launcher
            )
        case .file(let file):
            return FileOperation(
                name: vertex.name,
                file: file,
                inputCount: vertex.inputs.count,
                snapshots: services.snapshots
            )
        case .merge(let merge): return MergeOperation(name: vertex.name, merge: merge)
        case .diff(let diff):
            return DiffOperation(name: vertex.name, diff: diff, snapshots: services.snapshots)
        case .source(let source): return try operation(source, vertex)
        case .build:
            throw EngineError(
                .unsupported,
                "cannot run \(vertex.name): this engine does not build definitions found in results"
            )
        case .passthrough(let passthrough):
            return PassthroughOperation(name: vertex.name, passthrough: passthrough)
        case nil:
            throw EngineError(.invalidDefinition, "operation \(vertex.digest) is of no known kind")
        }
    }
}

extension GraphBinding {
    /// The operation that fetches a source.
    private func operation(
        _ source: Pb_SourceOp,
        _ vertex: VertexInfo
    ) throws -> any VertexOperation {
        let parts = source.identifier.split(separator: "://", maxSplits: 1)
        guard parts.count == 2 else {
            throw EngineError(
                .invalidDefinition,
                "cannot read the source \"\(source.identifier)\": it has no scheme such as docker-image://"
            )
        }
        switch parts[0] {
        case "local":
            return try LocalOperation(
                name: vertex.name,
                directoryName: String(parts[1]),
                attributes: source.attrs,
                source: services.local,
                snapshots: services.snapshots
            )
        case "docker-image", "oci-layout":
            return ImageOperation(
                name: vertex.name,
                identifier: source.identifier,
                attributes: source.attrs,
                platform: vertex.platform,
                images: images
            )
        case "http", "https":
            return HTTPOperation(
                name: vertex.name,
                request: try remotes.file(source.identifier, source.attrs),
                sources: remotes
            )
        case "git":
            return GitOperation(
                name: vertex.name,
                request: try remotes.checkout(source.identifier, source.attrs),
                source: remotes.git
            )
        default:
            throw EngineError(
                .unsupported,
                "cannot fetch \(source.identifier): sources of the kind \(parts[0]):// are not there yet; allowed are local, "
                    + "docker-image, oci-layout, http, https and git"
            )
        }
    }
}

/// Shows inputs again as its own outputs.
private struct PassthroughOperation: DefinedOperation {
    let name: String
    let passthrough: Pb_PassthroughOp

    func cacheMap() -> CacheMap {
        let outputs = passthrough.outputs.map(String.init).joined(separator: ",")
        return CacheMap(
            digest: Digest.of("buildkit.passthrough.v0:\(passthrough.id):\(outputs)"),
            inputs: passthrough.outputs.isEmpty ? [] : inputRules
        )
    }

    private var inputRules: [InputRule] {
        let count = (passthrough.outputs.max() ?? -1) + 1
        return (0..<count).map { _ in InputRule() }
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        try passthrough.outputs.map { output in
            guard let index = Int(exactly: output), inputs.indices.contains(index) else {
                throw EngineError(.invalidDefinition, "\(name) names input \(output)")
            }
            return inputs[index]
        }
    }
}

extension VertexInfo {
    /// Whether the vertex reads what only one client can give.
    fileprivate var isLocal: Bool {
        guard case .source(let source) = operation.op else { return false }
        return source.identifier.hasPrefix("local://") || source.identifier.hasPrefix("oci-layout://")
    }

    fileprivate var progressGroup: SolveProgressGroup? {
        guard metadata.hasProgressGroup else { return nil }
        let group = metadata.progressGroup
        return SolveProgressGroup(id: group.id, name: group.name, isWeak: group.weak)
    }
}

extension SandboxSpec.ResourceLimits {
    /// Limits as a definition's metadata gives them; zero is no limit.
    fileprivate init(_ resources: Pb_LinuxResources) {
        self.init()
        if resources.memory > 0 { memoryBytes = UInt64(resources.memory) }
        if resources.cpuQuota > 0, resources.cpuPeriod > 0 {
            let (scaled, overflow) = UInt64(resources.cpuQuota).multipliedReportingOverflow(by: 1000)
            if !overflow { processorMillis = scaled / resources.cpuPeriod }
        }
    }
}
