// SPDX-License-Identifier: Apache-2.0

public import LLBMessages
internal import OCI

extension Definition {
    /// The definition with some of its sources replaced: pinned by a lock file, say, or redirected by a policy.
    ///
    /// Operations that are not affected keep their bytes and digests. A changed source, and everything built upon it, is
    /// written again in canonical form and so has another digest; metadata and locations follow. Operations the result
    /// does not need are left out.
    ///
    /// `replace` may change the message; leaving it as it is keeps the operation.
    ///
    /// - Throws: What ``graph(limits:capabilities:)`` throws for a definition that makes no sense; what `replace` throws.
    public func replacingSources(
        limits: DefinitionLimits = .standard,
        _ replace: (inout Pb_SourceOp) throws -> Void
    ) throws -> Definition {
        try rewritten(limits, encodesAll: false, replace)
    }

    /// The definition with every operation in canonical form, so that no encoder's order of fields or map entries reaches
    /// a digest.
    ///
    /// Equal graphs give equal digests; a definition that is canonical comes out with the bytes it had. Metadata and
    /// locations follow; operations the result does not need are left out.
    ///
    /// - Throws: `LLBError`, as ``graph(limits:capabilities:)`` for a definition that makes no sense.
    public func canonical(limits: DefinitionLimits = .standard) throws -> Definition {
        try rewritten(limits, encodesAll: true) { _ in }
    }

    private func rewritten(
        _ limits: DefinitionLimits,
        encodesAll: Bool,
        _ replace: (inout Pb_SourceOp) throws -> Void
    ) throws -> Definition {
        let graph = try graph(limits: limits, capabilities: nil)
        guard let result = graph.result else { return self }
        let bytes = Dictionary(
            operations.map { ($0.digest, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        var renamed: [Digest: Digest] = [:]
        var written: Set<Digest> = []
        var rewritten = Definition()
        for vertex in graph.vertices {
            guard let original = bytes[vertex.digest] else { continue }
            var message = vertex.operation
            if case .source(var source) = message.op {
                try replace(&source)
                message.source = source
            }
            for index in message.inputs.indices {
                guard let old = Digest(message.inputs[index].digest), let new = renamed[old] else {
                    continue
                }
                message.inputs[index].digest = new.description
            }
            let isKept = !encodesAll && message == vertex.operation
            let operation = isKept ? original : Operation(try message.canonicalBytes())
            renamed[vertex.digest] = operation.digest
            if written.insert(operation.digest).inserted { rewritten.operations.append(operation) }
            if let metadata = metadata[vertex.digest] {
                rewritten.metadata[operation.digest] =
                    rewritten.metadata[operation.digest] ?? metadata
            }
        }
        try rewritten.finish(with: result, renamed, from: self, encodesAll: encodesAll)
        return rewritten
    }

    private mutating func finish(
        with result: Edge,
        _ renamed: [Digest: Digest],
        from original: Definition,
        encodesAll: Bool
    ) throws(LLBError) {
        guard let last = original.operations.last else { return }
        var terminal = try Pb_Op(operationBytes: last.bytes, digest: last.digest)
        if encodesAll {
            // Nothing but the first input says what the result is; whatever else stands there means nothing.
            let input = terminal.inputs[0]
            terminal = Pb_Op()
            terminal.inputs = [input]
        }
        terminal.inputs[0].digest = (renamed[result.vertex] ?? result.vertex).description
        let isKept = !encodesAll && terminal.inputs[0].digest == result.vertex.description
        let operation = isKept ? last : Operation(try terminal.canonicalBytes())
        operations.append(operation)
        metadata[operation.digest] = original.metadata[last.digest]
        guard var source = original.source else { return }
        var locations: [String: Pb_Locations] = [:]
        for (name, value) in source.locations {
            let name = Digest(name).map { (renamed[$0] ?? $0).description } ?? name
            locations[name, default: Pb_Locations()].locations += value.locations
        }
        source.locations = locations
        self.source = source
    }
}
