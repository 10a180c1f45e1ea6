// SPDX-License-Identifier: Apache-2.0

import Archives
import ContentStore
import Foundation
import LinuxSystem
import OCI
import Snapshots
import Synchronization
import Testing

@Suite struct ImageLayerTests {
    @Test(arguments: [Compression.none, .gzip(level: 1), .zstd(level: 1)])
    func `unpacks all that a layer can hold`(compression: Compression) async throws {
        let fixture = try Fixture()
        let layer = try fixture.image(
            [
                .directory("d", mode: 0o1777),
                Entry.file("d/su", "suid", mode: 0o4755, uid: 1000, gid: 3_000_000_000).with {
                    $0.seconds = 5
                    $0.nanoseconds = 123_456_789
                    $0.attributes = [
                        ("user.note", Array("hi".utf8)), ("trusted.overlay.opaque", [121]), ("security.selinux", [1]),
                    ]
                },
                .hard("d/also", "d/su"),
                .link("d/l", "/etc/passwd"),
                Entry(
                    header: TarEntry(path: "d/null", kind: .characterDevice(major: 1, minor: 3), mode: 0o666),
                    bytes: []
                ),
                Entry(header: TarEntry(path: "d/pipe", kind: .fifo, mode: 0o600), bytes: []),
                .file("/absolute", "a"),
                .file("./dotted//x", "x"),
                .file("twice", "1"),
                .file("twice", "2"),
            ],
            compression: compression
        )
        let reader = try await TreeReader(FileTree(layers: [layer]))
        #expect(
            try reader.dump() == [
                "d": "1777 0:0 dir",
                "d/su": "4755 1000:3000000000 file suid user.note=[104, 105] =d/also",
                "d/also": "4755 1000:3000000000 file suid user.note=[104, 105]",
                "d/l": #"777 0:0 symbolicLink(target: "/etc/passwd")"#,
                "d/null": "666 0:0 characterDevice(major: 1, minor: 3)",
                "d/pipe": "600 0:0 fifo",
                "absolute": "644 0:0 file a",
                "dotted": "755 0:0 dir",
                "dotted/x": "644 0:0 file x",
                "twice": "644 0:0 file 2",
            ]
        )
        #expect(
            try reader.stat("d/su", followSymlinks: false)?.mtime
                == FileStatus.Time(seconds: 5, nanoseconds: 123_456_789)
        )
    }

    @Test func `applies whiteouts, opaque marks and links to lower layers`() async throws {
        let fixture = try Fixture()
        let base = try fixture.image([
            .file("a/gone", "1"), .file("a/stays", "2"), .file("b/old", "3"), .file("c/tree/deep", "4"),
            .file("e/f", "5"),
            .file("orig", "O", mode: 0o640, uid: 7),
        ])
        let top = try fixture.image(
            [
                .file("a/.wh.gone"), .file("b/.wh..wh..opq"), .file("b/new", "6"), .file(".wh.c"), .directory("e"),
                .file(".wh.e"), .hard("linked", "orig"), .file("a/.wh..wh.plnk"),
            ],
            below: [base]
        )
        let reader = try await TreeReader(FileTree(layers: [base, top]))
        #expect(
            try reader.dump() == [
                "a": "755 0:0 dir", "a/stays": "644 0:0 file 2", "b": "755 0:0 dir", "b/new": "644 0:0 file 6",
                "e": "755 0:0 dir",
                "linked": "640 7:0 file O", "orig": "640 7:0 file O =linked",
            ]
        )
    }

    @Test func `an opaque root hides all below`() async throws {
        let fixture = try Fixture()
        let base = try fixture.image([.file("a/b", "1"), .file("c", "2"), .file("d", "3")])
        let top = try fixture.image([.file("a/x", "4"), .file(".wh..wh..opq"), .file("d", "5")], below: [base])
        let reader = try await TreeReader(FileTree(layers: [base, top]))
        #expect(try reader.dump().keys.sorted() == ["a", "a/x", "d"])
        #expect(try reader.text("d") == "5")
    }

    @Test func `a directory that replaces a file of its own layer shows nothing of lower layers`() async throws {
        let fixture = try Fixture()
        let base = try fixture.image([.file("x/lower", "1")])
        let top = try fixture.image([.file("x", "file"), .directory("x"), .file("x/upper", "2")], below: [base])
        #expect(try await TreeReader(FileTree(layers: [base, top])).names("x") == ["upper"])
    }

    @Test func `parents that no entry names look as in the layers below`() async throws {
        let fixture = try Fixture()
        let base = try fixture.image([.directory("p", mode: 0o1770)])
        let top = try fixture.image([.file("p/q/r", "1")], below: [base])
        let reader = try await TreeReader(FileTree(layers: [base, top]))
        #expect(try reader.dump() == ["p": "1770 0:0 dir", "p/q": "755 0:0 dir", "p/q/r": "644 0:0 file 1"])
    }

    @Test func `refuses names that lead out and ways over symlinks, and writes nothing outside`() async throws {
        let fixture = try Fixture()
        let marker = "\(fixture.path)/marker"
        let hostile: [[Entry]] = [
            [.file("../marker", "x")],
            [.file("a/../../marker", "x")],
            [.file("/../marker", "x")],
            [.link("out", "\(fixture.path)"), .file("out/marker", "x")],
            [.link("out", ".."), .file("out/marker", "x")],
            [.hard("h", "../../../../../../etc/hostname")],
            [.hard("h", "nothing")],
            [.link("out", "\(fixture.path)"), .hard("h", "out/state/kiln.db")],
            [.file("f", "x"), .file("f/g", "x")],
            [.file(String(repeating: "n", count: 256), "x")],
            [.file(".wh.."), .file(".wh...")],
            [Entry(header: TarEntry(path: "w", kind: .characterDevice(major: 0, minor: 0), mode: 0o644), bytes: [])],
        ]
        for entries in hostile {
            let layer = try fixture.image(entries)
            await #expect(throws: SnapshotError.self, "\(entries[0].header.path)") { _ = try await layer.content() }
        }
        #expect(!FileManager.default.fileExists(atPath: marker))
        #expect(try fixture.store.list().isEmpty)
        #expect(try fixture.state.temporary.entries().isEmpty)
    }

    @Test func `an absolute name and link target stay inside`() async throws {
        let fixture = try Fixture()
        let layer = try fixture.image([.file("/etc/kiln-marker", "in"), .hard("/copy", "/etc/kiln-marker")])
        let reader = try await TreeReader(FileTree(layers: [layer]))
        #expect(try reader.text("/copy") == "in")
        #expect(!FileManager.default.fileExists(atPath: "/etc/kiln-marker"))
    }

    @Test func `refuses a tar that is not the one the config names`() async throws {
        let fixture = try Fixture()
        let layer = try fixture.image([.file("f", "x")], diffID: Digest.of("another"))
        #expect(await code { _ = try await layer.content() } == .digestMismatch)
        #expect(try fixture.store.list().isEmpty)
    }

    @Test func `refuses a blob of another size, and one that is cut`() async throws {
        let fixture = try Fixture()
        let bytes = try tar([.file("f", String(repeating: "x", count: 5000))])
        let digest = try fixture.content.put(bytes)
        let layer = fixture.store.imageLayer(
            blob: OCI.Descriptor(mediaType: MediaType.layer, digest: digest, size: Int64(bytes.count + 1)),
            diffID: Digest.of(bytes),
            below: [],
            fetch: {}
        )
        #expect(await code { _ = try await layer.content() } == .digestMismatch)
        let whole = try compress(bytes, .gzip(level: 1))
        for cut in [Array(bytes[..<3000]), Array(whole[..<(whole.count - 9)])] {
            let layer = try fixture.image(tar: cut, diffID: Digest.of(bytes))
            await #expect(throws: (any Error).self) { _ = try await layer.content() }
        }
        #expect(try fixture.store.list().isEmpty)
    }

    @Test func `fetches once for many, tries again after a failure, and not at all when unpacked before`() async throws
    {
        struct Offline: Error {}
        let fixture = try Fixture()
        let bytes = try tar([.file("f", "x")])
        let calls = Mutex(0)
        let blob = OCI.Descriptor(mediaType: MediaType.layer, digest: Digest.of(bytes), size: Int64(bytes.count))
        let layer = fixture.store.imageLayer(blob: blob, diffID: Digest.of(bytes), below: []) {
            let count = calls.withLock { calls in
                calls += 1
                return calls
            }
            if count == 1 { throw Offline() }
            _ = try fixture.content.put(bytes)
        }
        #expect(!layer.isReady)
        await #expect(throws: Offline.self) { _ = try await layer.content() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = try await layer.content() } }
            try await group.waitForAll()
        }
        #expect(calls.withLock { $0 } == 2)
        try fixture.content.remove(Digest.of(bytes))
        let again = try fixture.secondStore().imageLayer(blob: blob, diffID: Digest.of(bytes), below: []) {
            throw Offline()
        }
        #expect(again.id == layer.id)
        #expect(try await TreeReader(FileTree(layers: [again])).text("f") == "x")
    }

    @Test func `names with combining marks after a slash are names`() async throws {
        let fixture = try Fixture()
        let layer = try fixture.image([
            .file("d/\u{301}x", "1"), .link("l", "d"), .file("e\u{301}", "2"), .file("\u{e9}", "3"),
        ])
        let reader = try await TreeReader(FileTree(layers: [layer]))
        #expect(try reader.text("l/\u{301}x") == "1")
        #expect(try reader.names().map { Array($0.utf8) }.count == 4)
        #expect(try reader.text("e\u{301}") == "2")
        #expect(try reader.text("\u{e9}") == "3")
    }
}
