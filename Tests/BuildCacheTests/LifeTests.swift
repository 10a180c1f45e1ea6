// SPDX-License-Identifier: Apache-2.0

import BuildCache
import ContentStore
import LinuxSystem
import OCI
import Snapshots
import Solver
import Synchronization
import SystemPackage
import Testing

/// Several processes, killed processes, damaged databases.
@Suite(.timeLimit(.minutes(1))) struct LifeTests {
    let place = Place()

    @Test func `sweeps what a killed process had not made durable`() async throws {
        let id: LayerID
        do {
            let killed = try Process(place)
            let tree = try await killed.tree(file: "a")
            killed.cache.save(entry("one", [tree]))
            id = tree.ids[0]
        }
        let next = try Process(place)
        #expect(!next.snapshots.contains(id))
        #expect(try await next.load("one") == nil)
    }

    @Test func `keeps what a killed process had made durable`() async throws {
        do {
            let killed = try Process(place)
            killed.cache.save(entry("one", [try await killed.tree(file: "a")]))
            try await killed.cache.flush()
        }
        let next = try Process(place)
        let found = try #require(try await next.load("one"))
        _ = try await TreeReader(found).readFile("a", byteLimit: 1000)
    }

    @Test func `does not sweep what a living process works on`() async throws {
        let living = try Process(place)
        let tree = try await living.tree(file: "a")
        do { _ = try Process(place) }
        let next = try Process(place)
        #expect(next.snapshots.contains(tree.ids[0]))
    }

    @Test func `begins anew when the database is damaged`() async throws {
        let id: LayerID
        do {
            let first = try Process(place)
            let tree = try await first.tree(file: "a")
            id = tree.ids[0]
            first.cache.save(entry("one", [tree]))
            try await first.cache.close()
        }
        let root = try Directory(host: place.path)
        try root.remove(name: "kiln.db")
        try root.createFile("kiln.db", mode: 0o600).write(Array(repeating: UInt8(7), count: 9000))
        let next = try Process(place)
        #expect(next.cache.notice?.contains("was damaged") == true)
        #expect(try await next.load("one") == nil)
        #expect(!next.snapshots.contains(id))
        next.cache.save(entry("one", [try await next.tree(file: "a")]))
        try await next.cache.close()
        let last = try Process(place)
        #expect(last.cache.notice == nil)
        #expect(try await last.load("one") != nil)
    }

    @Test func `refuses the database of a later Kiln`() async throws {
        do { try await Process(place).cache.close() }
        try setVersion(99)
        let error = #expect(throws: BuildCacheError.self) { _ = try Process(place) }
        #expect(error?.code == .newerDatabase)
        #expect(
            error?.message
                == "cannot open kiln.db: it has version 99, this Kiln knows 1; "
                + "use the newer Kiln, or another state directory"
        )
    }

    /// The schema version lies at offset 60 of the file, big endian.
    private func setVersion(_ version: UInt8) throws {
        let root = try Directory(host: place.path)
        // Reading it back through SQLite moves the log into the file first.
        var bytes = try root.open("kiln.db").readToEnd(byteLimit: 1 << 24)
        try #require(bytes.count > 100)
        bytes[63] = version
        try root.remove(name: "kiln.db")
        try root.createFile("kiln.db", mode: 0o600).write(bytes)
        for suffix in ["-wal", "-shm"] { try? root.remove(name: "kiln.db\(suffix)") }
    }

    // MARK: Locks

    @Test func `lets one process at a time compute a key, and the next find the result`()
        async throws
    {
        let first = try Process(place)
        let second = try Process(place)
        let order = Shared<[String]>([])
        let tree = try await first.tree(file: "a")
        let started = Shared(false)
        async let one: Void = first.cache.withBuildLock(key("one")) {
            started.change { $0 = true }
            try await Task.sleep(for: .milliseconds(50))
            order.change { $0.append("saved") }
            first.cache.save(entry("one", [tree]))
        }
        while !started.value { try await Task.sleep(for: .milliseconds(1)) }
        async let two = second.cache.withBuildLock(key("one")) {
            order.change { $0.append("entered") }
            return try await second.load("one")?.ids
        }
        try await one
        // Nobody flushes: a lock that is waited for makes the result durable at once.
        #expect(try await two == tree.ids)
        #expect(order.value == ["saved", "entered"])
    }

    @Test func `does not make other keys wait`() async throws {
        let first = try Process(place)
        let second = try Process(place)
        try await first.cache.withBuildLock(key("one")) {
            try await second.cache.withBuildLock(key("two")) {}
        }
    }

    @Test func `lets go of a lock when the body fails, and of a wait when it is cancelled`()
        async throws
    {
        let first = try Process(place)
        let second = try Process(place)
        await #expect(throws: CancellationError.self) {
            try await first.cache.withBuildLock(key("one")) { throw CancellationError() }
        }
        try await second.cache.withBuildLock(key("one")) {
            let waiting = Task {
                try await first.cache.withBuildLock(key("one")) {}
            }
            try await Task.sleep(for: .milliseconds(20))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        try await first.cache.withBuildLock(key("one")) {}
    }

    @Test func `keeps one process from computing a key twice at once`() async throws {
        let process = try Process(place)
        let running = Shared((now: 0, most: 0))
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<5 {
                group.addTask {
                    try? await process.cache.withBuildLock(key("one")) {
                        running.change {
                            $0.now += 1
                            $0.most = max($0.most, $0.now)
                        }
                        await Task.yield()
                        running.change { $0.now -= 1 }
                    }
                }
            }
        }
        #expect(running.value.most == 1)
    }

    // MARK: Knowledge

    @Test func `remembers answers with their age`() async throws {
        let clock = Clock()
        let process = try Process(place, clock: clock)
        process.cache.rememberAnswer([1, 2], for: "tag")
        clock.advance(seconds: 60)
        #expect(try process.cache.rememberedAnswer(to: "tag")?.answer == [1, 2])
        try await process.cache.flush()
        let other = try Process(place, clock: clock)
        #expect(try other.cache.rememberedAnswer(to: "tag")?.ageSeconds == 60)
        process.cache.rememberAnswer([3], for: "tag")
        #expect(try process.cache.rememberedAnswer(to: "tag")?.answer == [3])
        #expect(try process.cache.rememberedAnswer(to: "tag")?.ageSeconds == 0)
        #expect(try process.cache.rememberedAnswer(to: "other") == nil)
    }

    // MARK: With the solver

    struct Step: VertexOperation {
        let process: Process
        let name: String
        let runs: Shared<Int>

        var inputCount: Int

        func immediateCacheMap() throws -> CacheMap? {
            CacheMap(
                digest: Digest.of(name),
                inputs: (0..<inputCount).map { _ in InputRule() }
            )
        }

        func cacheMap(_ context: OperationContext) async throws -> CacheMap {
            CacheMap(digest: Digest.of(name), inputs: [InputRule()])
        }

        func execute(
            _ context: OperationContext,
            inputs: [any Sendable]
        ) async throws
            -> [any Sendable]
        {
            runs.change { $0 += 1 }
            let lower = inputs.first as? FileTree ?? .scratch
            return [try await process.tree(on: lower, file: name)]
        }
    }

    @Test func `lets a second process take everything from the first`() async throws {
        func build() async throws -> (ids: [LayerID], runs: Int) {
            let process = try Process(place)
            let runs = Shared(0)
            let names = ["a", "b", "c"]
            var vertices: [Vertex] = []
            for (index, name) in names.enumerated() {
                let inputs =
                    index == 0 ? [] : [Edge(vertex: Digest.of(names[index - 1]), output: 0)]
                let step = Step(
                    process: process,
                    name: name,
                    runs: runs,
                    inputCount: inputs.count
                )
                vertices.append(Vertex(digest: Digest.of(name), operation: step, inputs: inputs))
            }
            let graph = try VertexGraph(vertices)
            let solver = Solver(store: process.cache, limits: SolverLimits(processorCount: 2), hash: .sha256)
            let tree = try await solver.withJob { job in
                let edge = Edge(vertex: Digest.of("c"), output: 0)
                return try await solver.solve(graph, edge, job: job) as? FileTree
            }
            try await process.cache.close()
            return (try #require(tree).ids, runs.value)
        }
        let first = try await build()
        #expect(first.runs == 3)
        let second = try await build()
        #expect(second.runs == 0)
        #expect(second.ids == first.ids)
    }
}
