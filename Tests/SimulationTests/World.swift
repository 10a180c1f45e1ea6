// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Synchronization

/// What may go wrong, and what may be in a graph.
struct Settings {
    var operationFaultPercent = 0
    var loadFaultPercent = 0
    var cancelPercent = 0
    var forcedPercent = 0
    var privatePercent = 15
    var solverCount = 1
}

/// A result: what it is, and what an operation that only looks at content sees of it.
struct Value: Hashable, Sendable {
    let id: UInt64

    /// Different values often hold the same.
    var content: UInt64 { id % 3 }

    static func mix(_ parts: [UInt64]) -> Value {
        Value(id: parts.reduce(17) { SeededGenerator.mix($0 &* 31 &+ $1) })
    }

    func output(_ index: Int) -> Value { index == 0 ? self : Value.mix([id, UInt64(index)]) }
}

/// A vertex of a made-up graph.
struct Blueprint {
    /// What the operation is; two blueprints with the same text do the same.
    var text: UInt64
    var inputs: [(vertex: Int, output: Int)]
    var digestible: [Bool]
    var isPrivate = false
    var isForced = false
    var isDeterministic: Bool
    /// A source with a second digest: the value follows from this one.
    var chain: UInt64?
    var isImmediate: Bool
    var outputCount: Int
    /// Suspensions in the map, the digests and the run.
    var pauses: Int
    var resources: ResourceNeeds
}

/// A random graph with operations whose results can be worked out directly, and counts of all that ran.
final class World: Sendable {
    struct Counts {
        /// Executions that ended well, by the value they made.
        var completed: [UInt64: Int] = [:]
        /// Executions under way, by the value they make.
        var running: [UInt64: Int] = [:]
        var runningCount = 0
        var problems: [String] = []
        var faultCount = 0
    }

    let blueprints: [Blueprint]
    let settings: Settings
    private let counts = Mutex(Counts())
    private let random: Mutex<SeededGenerator>

    init(_ random: inout SeededGenerator, _ settings: Settings) {
        self.settings = settings
        self.random = Mutex(SeededGenerator(seed: random.next()))
        var blueprints: [Blueprint] = []
        for index in 0..<Int.random(in: 2...9, using: &random) {
            if index > 1, random.chance(20) {
                // The same work under another definition.
                var twin = blueprints[Int.random(in: 0..<index, using: &random)]
                if twin.chain != nil { twin.text = random.next() }
                blueprints.append(twin)
                continue
            }
            blueprints.append(Self.blueprint(index, blueprints, &random, settings))
        }
        self.blueprints = blueprints
    }

    private static func blueprint(
        _ index: Int,
        _ earlier: [Blueprint],
        _ random: inout SeededGenerator,
        _ settings: Settings
    ) -> Blueprint {
        let inputCount = index == 0 ? 0 : Int.random(in: 0...min(3, index), using: &random)
        let inputs = (0..<inputCount).map { _ in
            let vertex = Int.random(in: 0..<index, using: &random)
            return (
                vertex, Int.random(in: 0..<earlier[vertex].outputCount, using: &random)
            )
        }
        let isSource = inputCount == 0
        return Blueprint(
            text: UInt64.random(in: 0..<6, using: &random) &+ UInt64(index % 3) &* 100,
            inputs: inputs,
            digestible: inputs.map { _ in random.chance(40) },
            isPrivate: isSource && random.chance(settings.privatePercent),
            isForced: random.chance(settings.forcedPercent),
            isDeterministic: isSource || random.chance(30),
            chain: isSource && random.chance(30) ? UInt64.random(in: 0..<3, using: &random) : nil,
            isImmediate: random.chance(50),
            outputCount: random.chance(20) ? 2 : 1,
            pauses: Int.random(in: 0...3, using: &random),
            resources: [.none, .processor, .network][Int.random(in: 0..<3, using: &random)]
        )
    }

    // MARK: The truth

    /// The value of a vertex, worked out without any solver.
    func value(_ index: Int, session: UInt64) -> Value {
        var values: [Value] = []
        for blueprint in blueprints[0...index] {
            values.append(
                Self.make(
                    blueprint,
                    blueprint.inputs.map { values[$0.vertex].output($0.output) },
                    session
                )
            )
        }
        return values[index]
    }

    static func make(_ blueprint: Blueprint, _ inputs: [Value], _ session: UInt64) -> Value {
        if blueprint.isPrivate { return Value.mix([1, blueprint.text, session]) }
        if let chain = blueprint.chain {
            return Value.mix([2, chain, UInt64(blueprint.outputCount)])
        }
        var parts: [UInt64] = [3, blueprint.text, UInt64(blueprint.outputCount)]
        parts.append(blueprint.isDeterministic ? 1 : 0)
        for (input, isDigestible) in zip(inputs, blueprint.digestible) {
            parts.append(isDigestible ? 1 : 0)
            parts.append(isDigestible ? input.content : input.id)
        }
        return Value.mix(parts)
    }

    // MARK: For the solver

    func graph(session: UInt64) throws -> VertexGraph {
        try VertexGraph(
            blueprints.indices.map { index in
                Vertex(
                    digest: Self.digest(index),
                    operation: WorldOperation(world: self, index: index, session: session),
                    inputs: blueprints[index].inputs.map {
                        Edge(vertex: Self.digest($0.vertex), output: $0.output)
                    },
                    ignoresCache: blueprints[index].isForced,
                    isPrivate: blueprints[index].isPrivate
                )
            }
        )
    }

    static func digest(_ index: Int) -> Digest { Digest.of("vertex \(index)") }

    /// Whether a vertex, or one it is made from, runs in every build.
    func isForced(_ index: Int) -> Bool {
        blueprints[index].isForced || blueprints[index].inputs.contains { isForced($0.vertex) }
    }

    func isPrivate(_ index: Int) -> Bool {
        blueprints[index].isPrivate || blueprints[index].inputs.contains { isPrivate($0.vertex) }
    }

    // MARK: Chance and counting

    func fault(_ percent: Int) -> Bool {
        if percent == 0 { return false }
        let isFault = random.withLock { $0.chance(percent) }
        if isFault { counts.withLock { $0.faultCount += 1 } }
        return isFault
    }

    /// Notes the start of an execution.
    ///
    /// Forced runs may repeat, for they have keys of their own; so may those whose keys are bound to a session, for
    /// these have no lock and a cancelled run may still be ending while the next one starts.
    func begin(_ value: Value, mayRepeat: Bool) {
        counts.withLock { counts in
            counts.runningCount += 1
            counts.running[value.id, default: 0] += 1
            if counts.running[value.id, default: 0] > 1 && !mayRepeat {
                counts.problems.append("two executions made the same at once")
            }
        }
    }

    func end(_ value: Value, isComplete: Bool) {
        counts.withLock { counts in
            counts.runningCount -= 1
            counts.running[value.id, default: 0] -= 1
            if isComplete { counts.completed[value.id, default: 0] += 1 }
        }
    }

    func problem(_ text: String) { counts.withLock { $0.problems.append(text) } }
    var summary: Counts { counts.withLock { $0 } }
}

struct SimulatedFault: Error {}

struct WorldOperation: VertexOperation {
    let world: World
    let index: Int
    let session: UInt64

    private var blueprint: Blueprint { world.blueprints[index] }
    var name: String { "vertex \(index)" }
    var resources: ResourceNeeds { blueprint.resources }

    private func pause() async throws {
        for _ in 0..<blueprint.pauses {
            await Task.yield()
            try Task.checkCancellation()
        }
        if world.fault(world.settings.operationFaultPercent) { throw SimulatedFault() }
    }

    func immediateCacheMap() throws -> CacheMap? { blueprint.isImmediate ? map() : nil }

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        try await pause()
        return map()
    }

    private func map() -> CacheMap {
        let blueprint = blueprint
        let text =
            "\(blueprint.text) \(blueprint.outputCount) \(blueprint.isDeterministic) "
            + "\(blueprint.isPrivate ? session : 0) \(blueprint.chain ?? 99) "
            + "\(blueprint.digestible)"
        var alternatives: (@Sendable () async throws -> [Digest])?
        if let chain = blueprint.chain, !blueprint.isPrivate {
            alternatives = {
                try await pause()
                return [Digest.of("chain \(chain) \(blueprint.outputCount)")]
            }
        }
        return CacheMap(
            digest: Digest.of(text),
            inputs: blueprint.digestible.map { isDigestible in
                guard isDigestible else { return InputRule() }
                return InputRule { value in
                    try await pause()
                    guard let value = value as? Value else { throw SimulatedFault() }
                    return Digest.of("content \(value.content)")
                }
            },
            isPersistable: !blueprint.isPrivate,
            isDeterministic: blueprint.isDeterministic,
            alternatives: alternatives
        )
    }

    func execute(
        _ context: OperationContext,
        inputs: [any Sendable]
    ) async throws
        -> [any Sendable]
    {
        let values = inputs.compactMap { $0 as? Value }
        let result = World.make(blueprint, values, session)
        world.begin(result, mayRepeat: world.isForced(index) || world.isPrivate(index))
        var isComplete = false
        defer { world.end(result, isComplete: isComplete) }
        context.log(.output, [1])
        try await pause()
        isComplete = true
        return (0..<blueprint.outputCount).map { result.output($0) }
    }
}
