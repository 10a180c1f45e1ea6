// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import OCI
import SystemPackage
import Testing

@testable import Sources

@Suite struct `A selection of a local source` {
    @Test func `leaves out what is excluded, with exceptions`() async throws {
        let fixture = try LocalFixture(files: [
            "keep": "", "node_modules/x/y": "", "a.log": "", "sub/b.log": "", "docs/a.md": "",
            "docs/b.txt": "",
        ])
        let scan = try await fixture.scan(exclude: [
            "node_modules", "**/*.log", "docs", "!docs/*.md",
        ])
        #expect(try scan.paths() == ["docs", "docs/a.md", "keep", "sub"])
    }

    @Test func `takes only what is included, with the directories on the way`() async throws {
        let fixture = try LocalFixture(files: ["a/b/c": "", "a/x": "", "d/e": "", "f": ""])
        #expect(try await fixture.scan(include: ["a/b"]).paths() == ["a", "a/b", "a/b/c"])
        #expect(try await fixture.scan(include: ["*/e"]).paths() == ["d", "d/e"])
        #expect(try await fixture.scan(include: ["nothing"]).paths() == [])
    }

    @Test func `combines included and excluded`() async throws {
        let fixture = try LocalFixture(files: ["a/b": "", "a/c": "", "d": ""])
        #expect(try await fixture.scan(include: ["a"], exclude: ["a/c"]).paths() == ["a", "a/b"])
    }

    @Test func `does not hash what it leaves out, and does not forget it`() async throws {
        let fixture = try LocalFixture(files: ["a": "1", "b": "2"])
        #expect(try await fixture.scan(exclude: ["b"]).hashedFileCount == 1)
        #expect(try await fixture.scan(include: ["b"]).hashedFileCount == 1)
        #expect(try await fixture.scan().hashedFileCount == 0)
    }

    @Test func `follows symlinks on the way and at the end of a path`() async throws {
        let fixture = try LocalFixture(files: ["real/deep/file": "1", "other": "2"])
        try fixture.link("link", to: "real")
        try fixture.link("real/again", to: "deep/file")
        let scan = try await fixture.scan(follow: ["link/again"])
        #expect(try scan.paths() == ["link", "real", "real/again", "real/deep", "real/deep/file"])
    }

    @Test func `follows wildcards`() async throws {
        let fixture = try LocalFixture(files: ["a1": "", "a2": "", "b": "", "target": ""])
        try fixture.link("a3", to: "target")
        #expect(try await fixture.scan(follow: ["a*"]).paths() == ["a1", "a2", "a3", "target"])
    }

    @Test func `reads symlinks as if the directory were the root`() async throws {
        let fixture = try LocalFixture(files: ["etc/passwd": "mine", "x": ""])
        try fixture.link("out", to: "../../../../etc/passwd")
        try fixture.link("absolute", to: "/etc/passwd")
        for name in ["out", "absolute"] {
            let scan = try await fixture.scan(follow: [name])
            #expect(try scan.paths() == [name, "etc", "etc/passwd"].sorted())
            #expect(
                try scan.content.open("etc/passwd").readToEnd(byteLimit: 10) == Array("mine".utf8)
            )
        }
    }

    @Test func `ends with symlinks in a circle and paths that do not exist`() async throws {
        let fixture = try LocalFixture(files: ["x": ""])
        try fixture.link("a", to: "b")
        try fixture.link("b", to: "a")
        #expect(try await fixture.scan(follow: ["a", "gone/way"]).paths() == ["a", "b"])
    }

    @Test func `takes everything when a path leads to the root`() async throws {
        let fixture = try LocalFixture(files: ["x": "", "y/z": ""])
        #expect(try await fixture.scan(follow: ["y/../."]).paths() == ["x", "y", "y/z"])
    }

    @Test func `refuses a malformed pattern`() async throws {
        let fixture = try LocalFixture()
        let error = await #expect(throws: SourcesError.self) {
            try await fixture.scan(exclude: ["a[b"])
        }
        #expect(error?.code == .invalid)
    }
}

@Suite struct `The index of a local source` {
    private func record(_ inode: UInt64, day: UInt32 = 10, text: String = "x") -> LocalIndex.Record {
        LocalIndex.Record(
            device: 1,
            inode: inode,
            size: 3,
            modified: .init(seconds: -5, nanoseconds: 7),
            changed: .init(seconds: 1 << 40, nanoseconds: 999_999_999),
            digest: .of(text),
            hasAttributes: inode % 2 == 0,
            lastSeenDay: day
        )
    }

    @Test func `survives being written and read`() throws {
        var index = LocalIndex()
        _ = index.merge(learned: [record(9), record(2), record(2, text: "y")], met: [], today: 10)
        let read = try #require(LocalIndex(decoding: index.encoded()))
        #expect(read.records.map(\.inode) == [2, 9])
        #expect(read.encoded() == index.encoded())
    }

    @Test func `is refused when cut or changed anywhere`() {
        var index = LocalIndex()
        _ = index.merge(learned: [record(1), record(2)], met: [], today: 10)
        let bytes = index.encoded()
        for length in 0..<bytes.count {
            #expect(LocalIndex(decoding: Array(bytes[..<length])) == nil)
        }
        for position in bytes.indices {
            var changed = bytes
            changed[position] ^= 0x40
            #expect(LocalIndex(decoding: changed) == nil)
        }
        #expect(LocalIndex(decoding: bytes + [0]) == nil)
    }

    @Test func `is not written when nothing is new, and drops what nobody met for a month`() {
        var index = LocalIndex()
        _ = index.merge(learned: [record(1, day: 10), record(2, day: 10)], met: [], today: 10)
        let isSameDayStale = index.merge(learned: [], met: [0, 1], today: 10)
        let isLaterStale = index.merge(learned: [], met: [1], today: 10 + LocalIndex.keptDays + 1)
        #expect(!isSameDayStale && isLaterStale)
        #expect(index.records.map(\.inode) == [2])
    }
}
