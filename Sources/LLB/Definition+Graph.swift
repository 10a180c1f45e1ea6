// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI

extension Definition {
    /// Checks the definition and gives the graph an engine can run.
    ///
    /// Operations the result does not need are ignored, whatever they hold. Takes time and memory in proportion to the
    /// size of the definition.
    ///
    /// Operations may ask for `capabilities` in their metadata; `nil` accepts anything.
    /// - Throws: `unreadable`, `malformed`, `unsupportedCapability` or `tooLarge`, naming the operation.
    public func graph(
        limits: DefinitionLimits = .standard,
        capabilities: Set<String>? = Capability.all
    ) throws(LLBError) -> Graph {
        guard !isScratch else { return Graph(vertices: [], result: nil) }
        guard operations.count <= limits.operationCount else {
            throw LLBError(
                .tooLarge,
                "cannot load definition: it has \(operations.count) operations, at most \(limits.operationCount) are "
                    + "allowed"
            )
        }
        guard operations.count >= 2 else {
            throw LLBError(
                .malformed,
                "cannot load definition: it has a single operation and so no result"
            )
        }
        guard let result = try head() else { return Graph(vertices: [], result: nil) }
        var loader = GraphLoader(definition: self, limits: limits, capabilities: capabilities)
        let vertices = try loader.load(from: result)
        return Graph(vertices: vertices, result: result)
    }
}

/// Visits the operations below a result, inputs first, without recursion: a definition may be deeper than a stack.
private struct GraphLoader {
    let definition: Definition
    let limits: DefinitionLimits
    let capabilities: Set<String>?
    private let bytes: [Digest: [UInt8]]
    private var loaded: [Digest: VertexInfo] = [:]
    private var order: [VertexInfo] = []

    init(definition: Definition, limits: DefinitionLimits, capabilities: Set<String>?) {
        self.definition = definition
        self.limits = limits
        self.capabilities = capabilities
        // The terminal operation is no vertex: nothing may use it as an input.
        bytes = Dictionary(
            definition.operations.dropLast().map { ($0.digest, $0.bytes) },
            uniquingKeysWith: { first, _ in first }
        )
    }

    private struct Pending {
        let digest: Digest
        let operation: Pb_Op
        let inputs: [Edge]
        var nextInput = 0
    }

    mutating func load(from result: Edge) throws(LLBError) -> [VertexInfo] {
        var stack = [try open(result.vertex, user: nil)]
        while var top = stack.popLast() {
            while top.nextInput < top.inputs.count, loaded[top.inputs[top.nextInput].vertex] != nil {
                top.nextInput += 1
            }
            if top.nextInput < top.inputs.count {
                let next = top.inputs[top.nextInput].vertex
                let user = top.digest
                stack.append(top)
                guard stack.count < limits.depth else {
                    throw LLBError(
                        .tooLarge,
                        "cannot load definition: it is deeper than \(limits.depth) operations",
                        operation: next
                    )
                }
                stack.append(try open(next, user: user))
            } else {
                try close(top)
            }
        }
        try checkOutput(result, user: nil)
        return order
    }

    private func open(_ digest: Digest, user: Digest?) throws(LLBError) -> Pending {
        guard let bytes = bytes[digest] else {
            let user = user.map { "operation \($0)" } ?? "the result"
            throw LLBError(
                .malformed,
                "cannot load definition: \(user) needs \(digest), which is not in it"
            )
        }
        let message = try Pb_Op(operationBytes: bytes, digest: digest)
        var inputs: [Edge] = []
        inputs.reserveCapacity(message.inputs.count)
        for input in message.inputs { inputs.append(try Edge(input, user: digest)) }
        return Pending(digest: digest, operation: message, inputs: inputs)
    }

    private mutating func close(_ pending: Pending) throws(LLBError) {
        let metadata = definition.metadata[pending.digest] ?? Pb_OpMetadata()
        if let capabilities,
            let unknown = metadata.caps.keys.sorted().first(where: { !capabilities.contains($0) })
        {
            throw LLBError(
                .unsupportedCapability,
                "cannot load operation \(pending.digest): it needs capability \"\(unknown)\", which this engine does "
                    + "not have",
                operation: pending.digest
            )
        }
        let validator = OperationValidator(operation: pending.operation, digest: pending.digest)
        let outputCount = try validator.validate()
        for input in pending.inputs { try checkOutput(input, user: pending.digest) }
        let depth = 1 + (pending.inputs.compactMap { loaded[$0.vertex]?.depth }.max() ?? 0)
        guard depth <= limits.depth else {
            throw LLBError(
                .tooLarge,
                "cannot load definition: it is deeper than \(limits.depth) operations",
                operation: pending.digest
            )
        }
        let vertex = VertexInfo(
            digest: pending.digest,
            operation: pending.operation,
            inputs: pending.inputs,
            outputCount: outputCount,
            metadata: metadata,
            name: metadata.customName
                ?? pending.operation.displayName {
                    loaded[pending.inputs[$0].vertex]?.name ?? "unknown"
                },
            depth: depth
        )
        loaded[pending.digest] = vertex
        order.append(vertex)
    }

    private func checkOutput(_ edge: Edge, user: Digest?) throws(LLBError) {
        guard let vertex = loaded[edge.vertex], edge.index >= vertex.outputCount else { return }
        let user = user.map { "operation \($0)" } ?? "the result"
        throw LLBError(
            .malformed,
            "cannot load definition: \(user) needs output \(edge.index) of operation \(edge.vertex), which has "
                + "\(vertex.outputCount)",
            operation: edge.vertex
        )
    }
}
