// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import Snapshots
import Testing

@Suite struct TreeWriterTests {
    @Test func `makes directories, files and links with owner, mode and time`() async throws {
        let fixture = try Fixture()
        let reader = try await TreeReader(
            fixture.tree { writer in
                let owner = FileOwner(uid: 1, gid: 2)
                let time = FileStatus.Time(seconds: 3, nanoseconds: 4)
                try writer.makeDirectory("a/b", mode: 0o750, makeParents: true, owner: owner, timestamp: time)
                try writer.makeFile("a/b/f", mode: 0o604, data: [65], owner: owner, timestamp: time)
                try writer.makeSymbolicLink("a/l", to: "b", owner: owner, timestamp: time)
                try writer.makeFile("a/l/g", mode: 0o600, data: [66])
                try writer.makeFile("a/b/f", mode: 0o777, data: [67, 68], timestamp: time)
                try writer.makeDirectory("a/b", mode: 0o700)
            }
        )
        #expect(
            try reader.dump() == [
                "a": "750 1:2 dir", "a/b": "750 1:2 dir", "a/b/f": "604 1:2 file CD", "a/b/g": "600 0:0 file B",
                "a/l": #"777 1:2 symbolicLink(target: "b")"#,
            ]
        )
        #expect(try reader.stat("a/b/f", followSymlinks: false)?.mtime == FileStatus.Time(seconds: 3, nanoseconds: 4))
        #expect(try reader.stat("a/b", followSymlinks: false)?.mtime == FileStatus.Time(seconds: 3, nanoseconds: 4))
    }

    @Test func `what a layer wrote reads the same from disk`() async throws {
        let fixture = try Fixture()
        let base = try fixture.image([.file("old/a", "1"), .file("old/b", "2"), .file("was", "file")])
        let lower = FileTree(layers: [base])
        let layer = try await fixture.layer(on: lower) { writer in
            try writer.remove("old/a")
            try writer.remove("was")
            try writer.makeDirectory("was", mode: 0o755)
            try writer.file("was/in", "3")
            try writer.makeSymbolicLink("l", to: "was")
        }
        let known = try await TreeReader(lower.adding(layer)).dump(times: true)
        let store = try fixture.secondStore()
        let reread = FileTree(layers: [try store.layer(id: base.id), try store.layer(id: layer.id)])
        #expect(try await TreeReader(reread).dump(times: true) == known)
        #expect(known.keys.sorted() == ["l", "old", "old/b", "was", "was/in"])
    }

    @Test func `a directory made again shows nothing of what was deleted`() async throws {
        let fixture = try Fixture()
        let lower = try await fixture.tree { try $0.file("d/sub/old", "1") }
        let layer = try await fixture.layer(on: lower) { writer in
            try writer.remove("d")
            try writer.makeDirectory("d/sub", mode: 0o755, makeParents: true)
            try writer.file("d/sub/new", "2")
        }
        #expect(try await TreeReader(lower.adding(layer)).names("d/sub") == ["new"])
    }

    @Test func `removes by wildcard, and symlinks themselves`() async throws {
        let fixture = try Fixture()
        let lower = try await fixture.tree { writer in
            for name in ["d/a.o", "d/b.o", "d/c.c", "e/a.o"] { try writer.file(name, name) }
            try writer.makeSymbolicLink("l", to: "e")
            try writer.makeSymbolicLink("m", to: "d")
        }
        let layer = try await fixture.layer(on: lower) { writer in
            try writer.remove("d/*.o", allowWildcard: true)
            try writer.remove("*.none", allowWildcard: true)
            try writer.remove("l")
            try writer.remove("nothing", allowNotFound: true)
            #expect(throws: SnapshotError.self) { try writer.remove("nothing") }
            #expect(throws: SnapshotError.self) { try writer.remove("/", allowNotFound: true) }
            #expect(throws: SnapshotError.self) { try writer.remove("a/..") }
        }
        #expect(try await TreeReader(lower.adding(layer)).dump().keys.sorted() == ["d", "d/c.c", "e", "e/a.o", "m"])
    }

    @Test func `tells why an action is impossible`() async throws {
        let fixture = try Fixture()
        let codes: [(SnapshotError.Code, @Sendable (TreeWriter) throws -> Void)] = [
            (.notFound, { try $0.makeFile("no/f", mode: 0o644, data: []) }),
            (.notDirectory, { try $0.makeFile("f/g", mode: 0o644, data: []) }),
            (.isDirectory, { try $0.makeFile("d", mode: 0o644, data: []) }),
            (.exists, { try $0.makeSymbolicLink("f", to: "x") }),
            (.invalid, { try $0.makeSymbolicLink("s", to: "") }),
            (.invalid, { try $0.makeFile(String(repeating: "n", count: 256), mode: 0o644, data: []) }),
            (.notDirectory, { try $0.makeDirectory("f/x", mode: 0o755, makeParents: true) }),
            (.notFound, { try $0.remove("x") }),
        ]
        let lower = try await fixture.tree { writer in
            try writer.file("f")
            try writer.makeDirectory("d", mode: 0o755)
        }
        for (expected, body) in codes {
            #expect(await code { _ = try await fixture.store.write(on: lower, body) } == expected)
        }
        #expect(try fixture.store.list() == lower.layers.map(\.id))
        #expect(try fixture.state.temporary.entries().isEmpty)
    }

    @Test func `two thousand tiny layers on a chain are quick`() async throws {
        let fixture = try Fixture()
        var tree = FileTree.scratch
        let clock = ContinuousClock()
        let began = clock.now
        for index in 0..<2000 {
            tree = tree.adding(
                try await fixture.layer(on: tree) {
                    try $0.makeFile("f\(index % 50)", mode: 0o644, data: [UInt8(index % 251)])
                }
            )
        }
        let reader = try await TreeReader(tree)
        #expect(try reader.names().count == 50)
        #expect(try reader.readFile("f49", byteLimit: 9) == [UInt8(1999 % 251)])
        #expect(clock.now - began < .seconds(20))
    }
}
