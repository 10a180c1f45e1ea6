// SPDX-License-Identifier: Apache-2.0

import BuildCache
import LinuxSystem
import OCI
import Snapshots
import Solver
import Testing

/// Saving and finding results.
@Suite(.timeLimit(.minutes(1))) struct RecordTests {
    let place = Place()

    @Test func `finds what was saved before it is durable`() async throws {
        let process = try Process(place)
        let tree = try await process.tree(file: "a")
        process.cache.save(entry("one", [tree]))
        #expect(try await process.load("one")?.ids == tree.ids)
        #expect(try process.cache.primary(of: key("one")) == key("one"))
    }

    @Test func `brings a result back in another process`() async throws {
        let first = try Process(place)
        let lower = try await first.tree(file: "a", text: "lower")
        let tree = try await first.tree(on: lower, file: "b", text: "upper")
        first.cache.save(entry("one", [tree, FileTree.scratch, lower]))
        try await first.cache.close()
        let second = try Process(place)
        let found = try #require(try await second.load("one"))
        #expect(found.ids == tree.ids)
        let reader = try await TreeReader(found)
        #expect(try reader.readFile("a", byteLimit: 1000) == Array("lower".utf8))
        #expect(try reader.readFile("b", byteLimit: 1000) == Array("upper".utf8))
        #expect(try await second.load("one", output: 1)?.ids == [])
        #expect(try await second.load("one", output: 2)?.ids == lower.ids)
        #expect(try await second.load("one", output: 3) == nil)
        #expect(try await second.load("other") == nil)
    }

    @Test func `shows one process what another made durable while both run`() async throws {
        let first = try Process(place)
        let second = try Process(place)
        #expect(try second.cache.primary(of: key("one")) == nil)
        first.cache.save(entry("one", [try await first.tree(file: "a")]))
        try await first.cache.flush()
        #expect(try await second.load("one") != nil)
    }

    @Test func `leads other keys to a primary key`() async throws {
        let first = try Process(place)
        first.cache.save(entry("one", [try await first.tree(file: "a")]))
        first.cache.alias([derivation("two")], to: key("one"))
        #expect(try first.cache.primary(of: key("two")) == key("one"))
        try await first.cache.close()
        let second = try Process(place)
        #expect(try second.cache.primary(of: key("two")) == key("one"))
        #expect(try await second.load("two") != nil)
    }

    @Test func `takes along what led to a key that leads elsewhere now`() async throws {
        let first = try Process(place)
        first.cache.save(entry("one", [try await first.tree(file: "a")]))
        first.cache.alias([derivation("two")], to: key("one"))
        try await first.cache.flush()
        // A forced run: the old primary key leads to the new result.
        first.cache.save(entry("forced", [try await first.tree(file: "b")]))
        first.cache.alias([derivation("one")], to: key("forced"))
        #expect(try first.cache.primary(of: key("two")) == key("forced"))
        try await first.cache.close()
        let second = try Process(place)
        #expect(try second.cache.primary(of: key("one")) == key("forced"))
        #expect(try second.cache.primary(of: key("two")) == key("forced"))
    }

    @Test func `replaces a record that is saved again`() async throws {
        let first = try Process(place)
        first.cache.save(entry("one", [try await first.tree(file: "a")]))
        try await first.cache.flush()
        let tree = try await first.tree(file: "b")
        first.cache.save(entry("one", [tree]))
        #expect(try await first.load("one")?.ids == tree.ids)
        try await first.cache.close()
        #expect(try await Process(place).load("one")?.ids == tree.ids)
    }

    @Test func `forgets a record that was dropped`() async throws {
        let first = try Process(place)
        first.cache.save(entry("one", [try await first.tree(file: "a")]))
        try await first.cache.flush()
        let record = try #require(
            try first.cache.record(for: EdgeKey(key: key("one"), output: 0))
        )
        first.cache.drop(record)
        #expect(try await first.load("one") == nil)
        try await first.cache.close()
        let second = try Process(place)
        #expect(try await second.load("one") == nil)
        // The key is still known: what was made from it may be there.
        #expect(try second.cache.primary(of: key("one")) != nil)
    }

    @Test func `refuses a record whose layer is gone`() async throws {
        let first = try Process(place)
        let tree = try await first.tree(file: "a")
        first.cache.save(entry("one", [tree]))
        try await first.cache.close()
        let second = try Process(place)
        try second.snapshots.remove(tree.ids[0])
        let error = await #expect(throws: BuildCacheError.self) { try await second.load("one") }
        #expect(error?.code == .lost)
    }

    @Test func `keeps results that are no trees out of the database`() async throws {
        let first = try Process(place)
        first.cache.save(entry("one", ["text"]))
        try await first.cache.flush()
        #expect(try await first.load("one") == nil)
        #expect(try first.cache.primary(of: key("one")) != nil)
    }

    @Test func `brings an image layer back without having it`() async throws {
        let first = try Process(place)
        let blob = OCI.Descriptor(
            mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
            digest: Digest.of("blob"),
            size: 10
        )
        let layer = first.snapshots.imageLayer(
            blob: blob,
            diffID: Digest.of("diff"),
            below: [],
            fetch: {}
        )
        let below = try await first.tree(file: "a")
        // The image lies on top of another layer, as after a merge.
        first.cache.save(entry("one", [below.adding(layer)]))
        try await first.cache.noteOrigin(of: [blob.digest], "host/name", description: "an image")
        try await first.cache.close()
        let second = try Process(place)
        let found = try #require(try await second.load("one"))
        #expect(found.ids == below.ids + [layer.id])
        #expect(found.layers[1].blob == blob)
        #expect(found.layers[1].isReady == false)
        await #expect(throws: Fetcher.Absent.self) { _ = try await found.layers[1].content() }
        #expect(second.fetcher.requests == ["\(blob.digest) from host/name"])
    }

    @Test func `saves and finds two thousand results quickly`() async throws {
        let count = 2_000
        let first = try Process(place)
        let tree = try await first.tree(file: "a")
        let clock = ContinuousClock()
        let saving = try await clock.measure {
            for index in 0..<count { first.cache.save(entry("\(index)", [tree])) }
            try await first.cache.close()
        }
        let second = try Process(place)
        let probing = try clock.measure {
            for index in 0..<count {
                let primary = try #require(try second.cache.primary(of: key("\(index)")))
                _ = try #require(try second.cache.record(for: EdgeKey(key: primary, output: 0)))
            }
        }
        // Debug code on a busy machine; what is meant is tens of milliseconds.
        #expect(saving < .seconds(10))
        #expect(probing < .seconds(5))
        print("2000 results: saved in \(saving), probed in \(probing)")
    }

    @Test func `stores stacks of many layers as a tree`() async throws {
        let first = try Process(place)
        var tree = FileTree.scratch
        for index in 0..<60 {
            tree = try await first.tree(on: tree, file: "f\(index)")
            first.cache.save(entry("\(index)", [tree]))
        }
        try await first.cache.close()
        let second = try Process(place)
        #expect(try await second.load("59")?.ids == tree.ids)
        #expect(try await second.load("30")?.ids == Array(tree.ids.prefix(31)))
    }
}
