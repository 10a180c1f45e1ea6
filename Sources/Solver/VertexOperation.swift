// SPDX-License-Identifier: Apache-2.0

/// One build operation, as the solver sees it.
///
/// The solver asks for a cache map once an active vertex, and executes it when no result is found. Both run on the
/// concurrency pool: blocking work belongs on threads of its own. Both are cancelled, as tasks are, when nobody waits
/// for them any more; the solver waits until they have ended.
package protocol VertexOperation: Sendable {
    /// What to call it in messages.
    var name: String { get }

    /// What an execution takes up.
    var resources: ResourceNeeds { get }

    /// The cache map when it follows from the operation alone, without any wait.
    ///
    /// Spares the solver a task for each vertex. `nil` (the default) makes it ask ``cacheMap(_:)``.
    func immediateCacheMap() throws -> CacheMap?

    /// The cache map. Sources may do network or disk work here.
    func cacheMap(_ context: OperationContext) async throws -> CacheMap

    /// Runs the operation.
    ///
    /// - Parameters:
    ///   - context: What the operation can tell and ask.
    ///   - inputs: The results of the inputs, in the order of the vertex's inputs.
    /// - Returns: One result an output.
    /// - Throws: Any error; all that wait for the vertex get it as the cause of `operationFailed`.
    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable]
}

extension VertexOperation {
    package var resources: ResourceNeeds { .none }
    package func immediateCacheMap() throws -> CacheMap? { nil }
}

/// What an execution takes up while it runs.
package enum ResourceNeeds: Hashable, Sendable {
    /// Nothing worth counting: small file operations, lazy results.
    case none
    /// Processor time, as a step does.
    case processor
    /// Mostly waits for a network.
    case network
}

/// How many executions of a kind run at once, over all jobs of a solver.
package struct SolverLimits: Sendable {
    /// Executions with ``ResourceNeeds/processor``; at least 1.
    package var processorCount: Int
    /// Executions with ``ResourceNeeds/network``; at least 1.
    package var networkCount: Int

    package init(processorCount: Int, networkCount: Int = 8) {
        self.processorCount = max(1, processorCount)
        self.networkCount = max(1, networkCount)
    }
}
