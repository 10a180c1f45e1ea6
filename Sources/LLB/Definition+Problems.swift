// SPDX-License-Identifier: Apache-2.0

internal import LLBMessages
internal import OCI

extension Definition {
    /// Everything that is wrong with a definition, operation by operation, where ``graph(limits:capabilities:)`` stops at
    /// the first.
    ///
    /// Operations that the result does not need are looked at as well. Empty when the graph can be built. At most
    /// `problemLimit` problems are named.
    public func problems(
        limits: DefinitionLimits = .standard,
        capabilities: Set<String>? = Capability.all,
        problemLimit: Int = 50
    ) -> [LLBError] {
        guard operations.count <= limits.operationCount else { return graphProblem(limits, capabilities) }
        var problems: [LLBError] = []
        var outputCounts: [Digest: Int] = [:]
        var edges: [(user: Digest, edge: Edge)] = []
        for operation in operations.dropLast() where problems.count < problemLimit {
            do throws(LLBError) {
                let message = try Pb_Op(operationBytes: operation.bytes, digest: operation.digest)
                for input in message.inputs {
                    edges.append((operation.digest, try Edge(input, user: operation.digest)))
                }
                outputCounts[operation.digest] = try OperationValidator(
                    operation: message,
                    digest: operation.digest
                )
                .validate()
            } catch {
                problems.append(error)
                // Its users are not to blame.
                outputCounts[operation.digest] = .max
            }
            if let problem = unknownCapability(operation.digest, capabilities) { problems.append(problem) }
        }
        for (user, edge) in edges where problems.count < problemLimit {
            if let problem = Self.problem(of: edge, user, outputCounts) { problems.append(problem) }
        }
        return problems.isEmpty ? graphProblem(limits, capabilities) : problems
    }

    private func unknownCapability(_ digest: Digest, _ capabilities: Set<String>?) -> LLBError? {
        guard let capabilities, let metadata = metadata[digest],
            let unknown = metadata.caps.keys.sorted().first(where: { !capabilities.contains($0) })
        else { return nil }
        return LLBError(
            .unsupportedCapability,
            "operation \(digest) needs capability \"\(unknown)\", which this engine does not have",
            operation: digest
        )
    }

    private static func problem(of edge: Edge, _ user: Digest, _ outputCounts: [Digest: Int]) -> LLBError? {
        guard let count = outputCounts[edge.vertex] else {
            return LLBError(
                .malformed,
                "operation \(user) needs \(edge.vertex), which is not in the definition",
                operation: user
            )
        }
        guard edge.index >= count else { return nil }
        return LLBError(
            .malformed,
            "operation \(user) needs output \(edge.index) of operation \(edge.vertex), which has \(count)",
            operation: user
        )
    }

    private func graphProblem(_ limits: DefinitionLimits, _ capabilities: Set<String>?) -> [LLBError] {
        do throws(LLBError) {
            _ = try graph(limits: limits, capabilities: capabilities)
            return []
        } catch {
            return [error]
        }
    }
}
