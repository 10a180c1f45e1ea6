// SPDX-License-Identifier: Apache-2.0

import OCI
import Solver
import Testing

@testable import BuildCache

@Suite struct PolicyTests {
    private func record(
        _ id: String,
        size: Int64 = 10,
        used: Int64? = 0,
        uses: Int = 1,
        kind: RecordKind = .regular,
        inUse: Bool = false,
        shared: Bool = false,
        parents: [String] = []
    ) -> UsageRecord {
        UsageRecord(
            id: id,
            kind: kind,
            description: "about \(id)",
            size: size,
            created: 0,
            lastUsed: used,
            usageCount: uses,
            isInUse: inUse,
            isShared: shared,
            parents: parents
        )
    }

    private func policy(_ change: (inout PrunePolicy) -> Void) -> PrunePolicy {
        var policy = PrunePolicy()
        change(&policy)
        return policy
    }

    @Test func `works out how much is kept`() {
        let none = PrunePolicy()
        #expect(none.keptByteCount(total: 100, free: 0) == 0)
        let most = policy { $0.maxUsedSpace = 50 }
        #expect(most.keptByteCount(total: 100, free: 0) == 50)
        let free = policy { $0.minFreeSpace = 30 }
        #expect(free.keptByteCount(total: 100, free: 40) == 100)
        #expect(free.keptByteCount(total: 100, free: 10) == 80)
        let both = policy {
            $0.minFreeSpace = 30
            $0.maxUsedSpace = 90
        }
        #expect(both.keptByteCount(total: 100, free: 10) == 80)
        #expect(both.keptByteCount(total: 100, free: 25) == 90)
        let reserved = policy {
            $0.minFreeSpace = 200
            $0.reservedSpace = 60
        }
        #expect(reserved.keptByteCount(total: 100, free: 0) == 60)
    }

    @Test func `spares what is used, internal, of a frontend or shared`() {
        let records = [
            record("plain"), record("used", inUse: true), record("internal", kind: .internal),
            record("frontend", kind: .frontend), record("shared", shared: true),
        ]
        #expect(PrunePolicy().choose(from: records, free: 0, now: 0) == ["plain"])
        let all = policy { $0.all = true }
        #expect(all.choose(from: records, free: 0, now: 0).count == 4)
    }

    @Test func `spares what was used lately`() {
        let young = policy { $0.keepDuration = 100 }
        let records = [
            record("old", used: 800), record("new", used: 950), record("never", used: nil),
        ]
        #expect(young.choose(from: records, free: 0, now: 1000) == ["old", "never"])
    }

    @Test func `stops below the aim`() {
        let records = (0..<10).map { record("\($0)", used: Int64($0)) }
        let aim = policy { $0.maxUsedSpace = 75 }
        #expect(aim.choose(from: records, free: 0, now: 100) == ["0", "1", "2"])
        #expect(policy { $0.maxUsedSpace = 101 }.choose(from: records, free: 0, now: 100).isEmpty)
    }

    @Test func `takes children before their parents`() {
        let records = [
            record("a", used: 1), record("b", used: 2, parents: ["a"]),
            record("c", used: 3, parents: ["b"]),
        ]
        #expect(PrunePolicy().choose(from: records, free: 0, now: 9) == ["c", "b", "a"])
        #expect(policy { $0.maxUsedSpace = 25 }.choose(from: records, free: 0, now: 9) == ["c"])
    }

    @Test func `keeps parents of what stays`() {
        let records = [record("a"), record("b", inUse: true, parents: ["a"])]
        #expect(PrunePolicy().choose(from: records, free: 0, now: 9).isEmpty)
    }

    @Test func `prefers what was used long ago and seldom`() {
        let records = [
            record("old often", used: 1, uses: 9), record("old seldom", used: 1, uses: 1),
            record("new seldom", used: 9, uses: 1), record("new often", used: 9, uses: 9),
        ]
        let aim = policy { $0.maxUsedSpace = 15 }
        let order = aim.choose(from: records, free: 0, now: 100)
        #expect(order.first == "old seldom")
        #expect(order.count == 3)
        #expect(!order.contains("new often"))
    }

    @Test func `offers the usual policies of a disk`() {
        let policies = PrunePolicy.defaults(diskSize: 1_000_000_000_000)
        #expect(policies.count == 4)
        #expect(policies[0].filters.count == 3)
        #expect(policies[0].maxUsedSpace == 512_000_000)
        #expect(policies[1].keepDuration == 60 * 24 * 3_600_000)
        #expect(policies[2].maxUsedSpace == 100_000_000_000)
        #expect(policies[2].reservedSpace == 10_000_000_000)
        #expect(policies[3].all)
    }

    // MARK: Filters

    @Test(arguments: [
        ("type==regular", true), ("type==frontend", false), ("type!=frontend", true),
        ("type=regular", true), ("id=y", false),
        ("id==x", true), ("id~=^x$", true), ("id~=y", false), ("inuse", false), ("private", true),
        ("shared", false), ("immutable", true), ("mutable", false),
        ("type==regular,id==x", true), ("type==regular,id==z", false),
        ("description==\"about x\"", true), ("description~=about", true), ("parents", true),
        ("parents==\"p;q\"", true), ("", true),
    ])
    func `reads containerd's filters`(text: String, isMatch: Bool) throws {
        let record = record("x", parents: ["p", "q"])
        #expect(try UsageFilter(text).matches(record) == isMatch)
    }

    @Test(arguments: [
        "size==3", "id-x", "id==\"x", "id==\"x\"y", "==", "id~=(", "id==x,,type", ",", "id x",
        "\u{0}",
        String(repeating: "a", count: 5000),
    ])
    func `refuses filters that make no sense`(text: String) {
        let error = #expect(throws: BuildCacheError.self) { try UsageFilter(text) }
        #expect(error?.code == .invalidFilter)
    }

    // MARK: Stored keys

    @Test func `stores every part of a key`() {
        let edge = EdgeKey(
            key: CacheKey(digest: Digest.of("k"), isPersistable: true),
            output: 3
        )
        let derivation = KeyDerivation(
            operation: Digest.of("op"),
            isPersistable: true,
            inputs: [
                KeyDerivation.Input(origin: .key(edge), selector: Digest.of("s")),
                KeyDerivation.Input(origin: .content(Digest.of("c")), selector: nil),
            ],
            generation: Digest.of("g"),
            hash: .sha256
        )
        let bytes = KeyCoding.encode(derivation)
        #expect(KeyCoding.decode(bytes) == derivation)
        for count in 0..<bytes.count {
            let part = KeyCoding.decode(Array(bytes.prefix(count)))
            #expect(part != derivation, "\(count) of \(bytes.count) bytes")
        }
        #expect(KeyCoding.decode([2] + bytes.dropFirst()) == nil)
    }
}
