// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Synchronization

/// Counts calls of fake operations, in order.
final class CallLog: Sendable {
    private let entries = Mutex<[String]>([])

    func add(_ entry: String) { entries.withLock { $0.append(entry) } }
    var all: [String] { entries.withLock { $0 } }
    var runs: [String] { all.filter { $0.hasPrefix("run ") }.map { String($0.dropFirst(4)) } }
    func clear() { entries.withLock { $0 = [] } }
}

struct FakeError: Error, CustomStringConvertible {
    let description: String
}

/// An operation whose result is the text `name(inputs)`.
struct FakeOperation: VertexOperation {
    let name: String
    let log: CallLog
    var mapText: String?
    var inputCount = 0
    /// Inputs that are known by what stands before the first `(` of their result.
    var digestible: Set<Int> = []
    var isPersistable = true
    var isDeterministic = false
    var isImmediate = true
    var alternatives: [String]?
    var resources = ResourceNeeds.none
    var result: String?
    var outputCount = 1
    var onMap: @Sendable () async throws -> Void = {}
    var onRun: @Sendable (OperationContext) async throws -> Void = { _ in }

    func immediateCacheMap() throws -> CacheMap? {
        if !isImmediate { return nil }
        log.add("map \(name)")
        return makeMap()
    }

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        log.add("map \(name)")
        try await onMap()
        return makeMap()
    }

    private func makeMap() -> CacheMap {
        CacheMap(
            digest: Digest.of(mapText ?? name),
            inputs: (0..<inputCount).map { index in
                guard digestible.contains(index) else { return InputRule() }
                return InputRule(selector: Digest.of("part")) { value in
                    log.add("digest \(name)")
                    return Digest.of("\(value)".prefix { $0 != "(" }.description)
                }
            },
            isPersistable: isPersistable,
            isDeterministic: isDeterministic,
            alternatives: alternatives.map { texts in
                { @Sendable () async throws -> [Digest] in
                    log.add("alternatives \(name)")
                    return texts.map { Digest.of($0) }
                }
            }
        )
    }

    func execute(
        _ context: OperationContext,
        inputs: [any Sendable]
    ) async throws
        -> [any Sendable]
    {
        log.add("run \(name)")
        try await onRun(context)
        let text =
            result ?? "\(name)(\(inputs.map { "\($0)" }.joined(separator: ",")))"
        return (0..<outputCount).map { $0 == 0 ? text : "\(text)#\($0)" }
    }
}

/// Builds graphs of fake operations by name.
struct GraphMaker {
    let log = CallLog()
    private(set) var vertices: [Vertex] = []

    @discardableResult
    mutating func add(
        _ name: String,
        _ inputs: [String] = [],
        digest: String? = nil,
        ignoresCache: Bool = false,
        isPrivate: Bool = false,
        _ change: (inout FakeOperation) -> Void = { _ in }
    ) -> Edge {
        var operation = FakeOperation(name: name, log: log)
        operation.inputCount = inputs.count
        change(&operation)
        vertices.append(
            Vertex(
                digest: Digest.of(digest ?? name),
                operation: operation,
                inputs: inputs.map { Edge(vertex: Digest.of($0), output: 0) },
                ignoresCache: ignoresCache,
                isPrivate: isPrivate
            )
        )
        return Edge(vertex: Digest.of(digest ?? name), output: 0)
    }

    func graph() throws -> VertexGraph { try VertexGraph(vertices) }
}

func edge(_ name: String, _ output: Int = 0) -> Edge {
    Edge(vertex: Digest.of(name), output: output)
}

extension Solver {
    convenience init(_ store: any CacheStore = MemoryCacheStore(), processors: Int = 4) {
        self.init(store: store, limits: SolverLimits(processorCount: processors), hash: .sha256)
    }

    /// Solves in a job of its own and gives the text.
    func text(_ graph: VertexGraph, _ edge: Edge) async throws -> String {
        try await withJob { job in "\(try await self.solve(graph, edge, job: job))" }
    }
}

/// Holds tasks back until it is opened.
final class Barrier: Sendable {
    private struct State {
        var isOpen = false
        var arrived = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    /// Waits until the barrier is opened, or the task is cancelled.
    func pass() async throws {
        let ready = state.withLock { state in
            state.arrived += 1
            let arrived = state.arrived
            let ready = state.watchers.filter { $0.count <= arrived }
            state.watchers.removeAll { $0.count <= arrived }
            return ready.map(\.continuation)
        }
        for watcher in ready { watcher.resume() }
        while !state.withLock({ $0.isOpen }) {
            try Task.checkCancellation()
            await Task.yield()
        }
    }

    func open() { state.withLock { $0.isOpen = true } }

    /// Waits until so many tasks came here.
    func arrivals(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.arrived >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }
}

extension KeyHash {
    static let sha256 = KeyHash { Digest.of($0) }
}
