// SPDX-License-Identifier: Apache-2.0

import BuildCache
import ContentStore
import LinuxSystem
import OCI
import Snapshots
import Solver
import Testing

/// `du` and `prune` on a real store.
@Suite(.timeLimit(.minutes(1))) struct CollectionTests {
    let place = Place()

    private var everything: PrunePolicy {
        var policy = PrunePolicy()
        policy.all = true
        return policy
    }

    @Test func `adds up to what is on the disk`() async throws {
        let process = try Process(place)
        let lower = try await process.tree(file: "a", text: String(repeating: "x", count: 100_000))
        let tree = try await process.tree(on: lower, file: "b")
        process.cache.save(entry("one", [tree], kind: .gitCheckout))
        _ = try process.content.put(Array(repeating: 1, count: 5000))
        let unsaved = try await process.tree(file: "c")
        let usage = try await process.cache.diskUsage()
        let layers = try process.snapshots.list().reduce(0) {
            $0 + (try process.snapshots.diskUsage($1))
        }
        #expect(usage.reduce(0) { $0 + $1.size } == layers + 5000)
        #expect(usage.count == 4)
        let top = try #require(usage.first { $0.id == tree.ids[1] })
        #expect(top.parents == [tree.ids[0]])
        #expect(top.kind == .gitCheckout)
        #expect(top.description == "one")
        #expect(top.isInUse)
        #expect(usage.first { $0.id == unsaved.ids[0] }?.isInUse == true)
        #expect(
            try await process.cache.diskUsage([UsageFilter("type==source.git.checkout")]).count == 2
        )
    }

    @Test func `removes everything nobody uses, rows and files`() async throws {
        do {
            let first = try Process(place)
            let lower = try await first.tree(file: "a")
            first.cache.save(entry("lower", [lower]))
            first.cache.save(entry("upper", [try await first.tree(on: lower, file: "b")]))
            _ = try first.content.put([1, 2, 3])
            try await first.cache.close()
        }
        let second = try Process(place)
        let removed = try await second.cache.prune([everything])
        #expect(removed.count == 3)
        #expect(try second.snapshots.list() == [])
        #expect(try second.content.list().isEmpty)
        #expect(try await second.cache.diskUsage() == [])
        #expect(try await second.load("lower") == nil)
        #expect(try await second.load("upper") == nil)
    }

    @Test func `never removes what another process loaded`() async throws {
        do {
            let first = try Process(place)
            first.cache.save(entry("used", [try await first.tree(file: "a")]))
            first.cache.save(entry("idle", [try await first.tree(file: "b")]))
            try await first.cache.close()
        }
        let collector = try Process(place)
        do {
            let user = try Process(place)
            let tree = try #require(try await user.load("used"))
            #expect(try await collector.cache.prune([everything]).count == 1)
            _ = try await TreeReader(tree).readFile("a", byteLimit: 1000)
            #expect(try await collector.load("idle") == nil)
        }
        // The user is gone without a word.
        #expect(try await collector.cache.prune([everything]).count == 1)
    }

    @Test func `lets a result go that its own process uses no more`() async throws {
        let process = try Process(place)
        do {
            process.cache.save(entry("one", [try await process.tree(file: "a")]))
            try await process.cache.flush()
        }
        #expect(try await process.cache.prune([everything]).count == 1)
        process.cache.save(entry("one", [try await process.tree(file: "a")]))
        try await process.cache.flush()
        let held = try await process.load("one")
        #expect(try await process.cache.prune([everything]).isEmpty)
        #expect(held != nil)
    }

    @Test func `keeps a layer as long as another one stands on it`() async throws {
        let clock = Clock()
        do {
            let first = try Process(place, clock: clock)
            let lower = try await first.tree(file: "a")
            first.cache.save(entry("lower", [lower]))
            try await first.cache.flush()
            clock.advance(seconds: 1000)
            first.cache.save(entry("upper", [try await first.tree(on: lower, file: "b")]))
            try await first.cache.close()
        }
        let second = try Process(place, clock: clock)
        var policy = PrunePolicy()
        policy.keepDuration = 500_000
        #expect(try await second.cache.prune([policy]).isEmpty)
        #expect(try await second.load("lower") != nil)
    }

    @Test func `never removes a pinned blob`() async throws {
        let process = try Process(place)
        let pinned = try process.content.put([1])
        let other = try process.content.put([2])
        try await process.cache.pin("image", [pinned])
        #expect(try await process.cache.prune([everything]).map(\.id) == [other.description])
        try await process.cache.unpin("image")
        #expect(try await process.cache.prune([everything]).map(\.id) == [pinned.description])
    }
}
