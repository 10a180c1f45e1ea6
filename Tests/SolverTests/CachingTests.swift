// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Synchronization
import Testing

/// What runs, and what does not, when a store has seen some of a graph before.
@Suite struct CachingTests {
    let store = MemoryCacheStore()

    /// Solves with a new solver on the shared store, as a later build would.
    private func build(_ maker: GraphMaker, _ edge: Edge) async throws -> String {
        try await Solver(store).text(try maker.graph(), edge)
    }

    @Test func `runs everything once in an empty cache`() async throws {
        var maker = GraphMaker()
        maker.add("a")
        maker.add("b", ["a"])
        maker.add("c", ["a"])
        let top = maker.add("d", ["b", "c"])
        #expect(try await build(maker, top) == "d(b(a()),c(a()))")
        #expect(maker.log.runs.sorted() == ["a", "b", "c", "d"])
    }

    @Test func `runs nothing and loads only the top on a full hit`() async throws {
        var maker = GraphMaker()
        maker.add("a")
        maker.add("b", ["a"])
        let top = maker.add("c", ["b"])
        _ = try await build(maker, top)
        maker.log.clear()
        let loads = LoadCounter(store)
        let text = try await Solver(loads).text(try maker.graph(), top)
        #expect(text == "c(b(a()))")
        #expect(maker.log.runs.isEmpty)
        #expect(loads.count == 1)
    }

    @Test func `runs what stands above a change and loads its inputs`() async throws {
        var maker = GraphMaker()
        maker.add("a")
        maker.add("b", ["a"])
        let first = maker.add("c", ["b"])
        _ = try await build(maker, first)
        var changed = GraphMaker()
        changed.add("a")
        changed.add("b", ["a"])
        let top = changed.add("c", ["b"]) { $0.mapText = "changed" }
        #expect(try await build(changed, top) == "c(b(a()))")
        #expect(changed.log.runs == ["c"])
    }

    @Test func `does not ask for maps outside of what the edge is made from`() async throws {
        var maker = GraphMaker()
        let top = maker.add("a")
        maker.add("b", ["a"])
        _ = try await build(maker, top)
        #expect(maker.log.all == ["map a", "run a"])
    }

    // MARK: Content keys

    private func copy(from source: String, result: String) -> (GraphMaker, Edge) {
        var maker = GraphMaker()
        maker.add("base")
        maker.add(source) { $0.result = result }
        maker.add("copy", ["base", source], digest: "copy \(source)") { $0.digestible = [1] }
        let edge = maker.add("top", ["copy \(source)"], digest: "top \(source)")
        return (maker, edge)
    }

    @Test func `hits when an input was made differently but holds the same`() async throws {
        let (first, firstTop) = copy(from: "one", result: "same(1)")
        _ = try await build(first, firstTop)
        let (second, secondTop) = copy(from: "two", result: "same(2)")
        #expect(try await build(second, secondTop) == "top(copy(base(),same(1)))")
        #expect(second.log.runs == ["two"])
    }

    @Test func `hits by definition alone once content led the way`() async throws {
        let (first, firstTop) = copy(from: "one", result: "same(1)")
        _ = try await build(first, firstTop)
        let (second, secondTop) = copy(from: "two", result: "same(2)")
        _ = try await build(second, secondTop)
        second.log.clear()
        _ = try await build(second, secondTop)
        #expect(second.log.runs.isEmpty)
        #expect(!second.log.all.contains("digest copy"))
    }

    @Test func `misses when the content differs`() async throws {
        let (first, firstTop) = copy(from: "one", result: "same(1)")
        _ = try await build(first, firstTop)
        let (second, secondTop) = copy(from: "two", result: "other(2)")
        #expect(try await build(second, secondTop) == "top(copy(base(),other(2)))")
        #expect(second.log.runs == ["two", "copy", "top"])
    }

    @Test func `keeps nothing under a key that is bound to this process`() async throws {
        func make() -> (GraphMaker, Edge) {
            var maker = GraphMaker()
            maker.add("context") { $0.isPersistable = false }
            let top = maker.add("step", ["context"])
            return (maker, top)
        }
        let (first, top) = make()
        _ = try await build(first, top)
        let (second, _) = make()
        _ = try await build(second, top)
        #expect(second.log.runs == ["context", "step"])
    }

    @Test func `finds what was made of a session's files by their content`() async throws {
        func make() -> (GraphMaker, Edge) {
            var maker = GraphMaker()
            maker.add("context") {
                $0.isPersistable = false
                $0.result = "files(1)"
            }
            maker.add("copy", ["context"]) { $0.digestible = [0] }
            let top = maker.add("step", ["copy"])
            return (maker, top)
        }
        let (first, top) = make()
        _ = try await build(first, top)
        let (second, _) = make()
        _ = try await build(second, top)
        #expect(second.log.runs == ["context"])
    }

    // MARK: Alternatives

    private func image(_ tag: String, chain: String) -> (GraphMaker, Edge) {
        var maker = GraphMaker()
        maker.add("image", digest: "image \(tag)") {
            $0.mapText = tag
            $0.alternatives = [chain]
        }
        let top = maker.add("step", ["image \(tag)"], digest: "step \(tag)")
        return (maker, top)
    }

    @Test func `knows a source by its second digest`() async throws {
        let (first, firstTop) = image("v1", chain: "layers")
        _ = try await build(first, firstTop)
        let (second, secondTop) = image("v2", chain: "layers")
        _ = try await build(second, secondTop)
        #expect(second.log.runs.isEmpty)
        let (third, thirdTop) = image("v3", chain: "other")
        _ = try await build(third, thirdTop)
        #expect(third.log.runs == ["image", "step"])
    }

    @Test func `does not look for further digests when the first is known`() async throws {
        let (maker, top) = image("v1", chain: "layers")
        _ = try await build(maker, top)
        maker.log.clear()
        _ = try await build(maker, top)
        #expect(!maker.log.all.contains("alternatives image"))
    }

    // MARK: Ignoring the cache

    @Test func `runs a vertex that ignores the cache, and what depends on it`() async throws {
        func make(_ ignores: Bool) -> (GraphMaker, Edge) {
            var maker = GraphMaker()
            maker.add("a")
            maker.add("b", ["a"], ignoresCache: ignores)
            let top = maker.add("c", ["b"])
            return (maker, top)
        }
        let (first, top) = make(false)
        _ = try await build(first, top)
        let (forced, _) = make(true)
        _ = try await build(forced, top)
        #expect(forced.log.runs == ["b", "c"])
        let (later, _) = make(false)
        _ = try await build(later, top)
        #expect(later.log.runs.isEmpty)
    }

    @Test func `keeps the key of a forced run whose result follows from its key`() async throws {
        func make(_ ignores: Bool) -> (GraphMaker, Edge) {
            var maker = GraphMaker()
            maker.add("source", ignoresCache: ignores) { $0.isDeterministic = true }
            let top = maker.add("step", ["source"])
            return (maker, top)
        }
        let (first, top) = make(false)
        _ = try await build(first, top)
        let (forced, _) = make(true)
        _ = try await build(forced, top)
        #expect(forced.log.runs.isEmpty)
    }

    // MARK: Lost results

    @Test func `runs again what cannot be loaded`() async throws {
        var maker = GraphMaker()
        maker.add("a")
        let top = maker.add("b", ["a"])
        _ = try await build(maker, top)
        maker.log.clear()
        let broken = LoadCounter(store, failing: true)
        #expect(try await Solver(broken).text(try maker.graph(), top) == "b(a())")
        #expect(maker.log.runs == ["a", "b"])
        maker.log.clear()
        _ = try await build(maker, top)
        #expect(maker.log.runs.isEmpty)
    }

    // MARK: Outputs

    @Test func `loads one output and runs for another that was not kept`() async throws {
        var maker = GraphMaker()
        maker.add("a") { $0.outputCount = 2 }
        let graph = try maker.graph()
        #expect(try await Solver(store).text(graph, edge("a", 1)) == "a()#1")
        #expect(try await Solver(store).text(graph, edge("a", 0)) == "a()")
        #expect(maker.log.runs == ["a"])
    }

    @Test func `refuses an output that the vertex does not have`() async throws {
        var maker = GraphMaker()
        maker.add("a")
        let graph = try maker.graph()
        let error = await #expect(throws: SolverError.self) {
            try await Solver(store).text(graph, edge("a", 3))
        }
        #expect(error?.message == "cannot use output 3 of a: it has 1")
        #expect(error?.code == .invalidGraph)
    }

    @Test func `takes the same input twice`() async throws {
        var maker = GraphMaker()
        maker.add("a")
        let top = maker.add("b", ["a", "a"]) { $0.digestible = [1] }
        #expect(try await build(maker, top) == "b(a(),a())")
    }

    // MARK: Probes

    @Test func `tells every look into the cache`() async throws {
        let (first, firstTop) = copy(from: "one", result: "same(1)")
        let solver = Solver(store)
        try await solver.withJob { job in
            _ = try await solver.solve(first.graph(), firstTop, job: job)
            let probes = solver.probes(of: job)
            #expect(probes.map(\.name) == ["base", "one", "copy", "copy", "top"])
            #expect(
                probes.map(\.kind) == [
                    .definition, .definition, .definition, .content, .definition,
                ]
            )
            #expect(probes.allSatisfy { $0.outcome == .unknown })
        }
        let (second, secondTop) = copy(from: "two", result: "same(2)")
        try await solver.withJob { job in
            let outcome = try await solver.outcome(second.graph(), secondTop, job: job)
            let last = try #require(solver.probes(of: job).last)
            #expect(last.outcome == .known(outcome.key.key))
            #expect(outcome.isCached)
        }
    }
}

/// Counts loads of another store, and can lose every result.
final class LoadCounter: CacheStore {
    private let store: MemoryCacheStore
    private let failing: Bool
    private let loads = Mutex(0)

    var count: Int { loads.withLock { $0 } }

    init(_ store: MemoryCacheStore, failing: Bool = false) {
        self.store = store
        self.failing = failing
    }

    func primary(of key: CacheKey) -> CacheKey? { store.primary(of: key) }
    func record(for edge: EdgeKey) -> CacheRecord? { store.record(for: edge) }
    func drop(_ record: CacheRecord) { store.drop(record) }
    func alias(_ keys: [KeyDerivation], to primary: CacheKey) { store.alias(keys, to: primary) }
    func save(_ entry: CacheEntry) { store.save(entry) }

    func load(_ record: CacheRecord) async throws -> any Sendable {
        loads.withLock { $0 += 1 }
        if failing { throw FakeError(description: "the blob is lost") }
        return try await store.load(record)
    }

    func withBuildLock<Value: Sendable>(
        _ key: CacheKey,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await store.withBuildLock(key, body)
    }
}
