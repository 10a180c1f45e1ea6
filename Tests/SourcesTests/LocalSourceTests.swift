// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Glibc
import LinuxSystem
import OCI
import Snapshots
import SystemPackage
import Testing

@testable import Sources

@Suite struct `A local source` {
    @Test func `is read in place with modes, links and contents, owned by root`() async throws {
        let fixture = try LocalFixture(files: [
            "a.txt": "hello", "sub/deep/b": "", "sub/run.sh": "#!/bin/sh",
        ])
        try fixture.link("sub/up", to: "../a.txt")
        try fixture.open().setMode(name: "sub/run.sh", 0o4751)
        let content = try await fixture.scan().content
        #expect(try content.children("") == ["a.txt", "sub"])
        #expect(try content.children("sub") == ["deep", "run.sh", "up"])
        #expect(try content.children("a.txt") == [])
        #expect(try content.entry("sub/up")?.kind == .symbolicLink(target: "../a.txt"))
        let script = try #require(try content.entry("sub/run.sh"))
        #expect(
            script.kind == .regular && script.mode == 0o4751 && script.uid == 0 && script.gid == 0
        )
        #expect(try content.entry("nothing") == nil)
        #expect(try content.entry("a.txt/x") == nil)
        #expect(try content.entry("")?.mode == 0o755)
        #expect(try content.open("a.txt").readToEnd(byteLimit: 100) == Array("hello".utf8))
    }

    @Test func `gives each file the digest of the content hash`() async throws {
        let fixture = try LocalFixture(files: ["a": "some bytes", "empty": ""])
        let content = try await fixture.scan().content
        for name in ["a", "empty"] {
            let entry = try #require(try content.entry(name))
            let expected = try ContentHash.file(entry, attributes: [], content: content.open(name))
            #expect(try content.fileDigest(name) == expected)
        }
    }

    @Test func `hashes a file only when it changed`() async throws {
        let fixture = try LocalFixture(files: ["a": "1", "b": "2", "c/d": "3"])
        let first = try await fixture.scan()
        #expect(first.hashedFileCount == 3 && first.fileCount == 3 && first.byteCount == 3)
        let second = try await fixture.scan()
        #expect(second.hashedFileCount == 0)
        #expect(second.key == first.key)
        try fixture.write("b", "x")
        let third = try await fixture.scan()
        #expect(third.hashedFileCount == 1)
        #expect(third.key != first.key)
        #expect(try third.content.fileDigest("a") == first.content.fileDigest("a"))
    }

    @Test func `is the same with new times and inodes, another with a new mode, name or target`()
        async throws
    {
        let fixture = try LocalFixture(files: ["a": "1", "d/b": "2"])
        let first = try await fixture.scan().key
        let directory = try fixture.open()
        try directory.setTime(name: "a", FileStatus.Time(seconds: 1_000_000))
        #expect(try await fixture.scan().key == first)
        try directory.remove(name: "a")
        try fixture.write("a", "1")
        #expect(try await fixture.scan().key == first)
        try directory.setMode(name: "a", 0o600)
        let changed = try await fixture.scan().key
        #expect(changed != first)
        try directory.setMode(name: "a", 0o644)
        try directory.rename("a", to: directory, "z")
        #expect(![first, changed].contains(try await fixture.scan().key))
    }

    @Test func `hashes again what was written just before the last scan`() async throws {
        let fixture = try LocalFixture(files: ["a": "1"], secondsLater: 0)
        #expect(try await fixture.scan().hashedFileCount == 1)
        #expect(try await fixture.scan().hashedFileCount == 1)
    }

    @Test func `notices a change of equal length and time`() async throws {
        let fixture = try LocalFixture(files: ["a": "one"])
        let before = try await fixture.scan()
        let status = try fixture.open().status(name: "a")
        try fixture.write("a", "two")
        try fixture.open().setTime(name: "a", status.modified)
        let after = try await fixture.scan()
        #expect(after.hashedFileCount == 1 && after.key != before.key)
    }

    @Test(arguments: ["", "garbage", "kiln-index-2\n"])
    func `ignores an index that is damaged`(damage: String) async throws {
        let fixture = try LocalFixture(files: ["a": "1"])
        let key = try await fixture.scan().key
        let index = try fixture.state.root.directory("index")
        let name = try #require(try index.entries().first?.name)
        try index.remove(name: name)
        try index.createFile(name, mode: 0o600).write(Array(damage.utf8))
        let again = try await fixture.scan()
        #expect(again.key == key && again.hashedFileCount == 1)
        #expect(try await fixture.scan().hashedFileCount == 0)
    }

    @Test func `leaves out sockets and devices, and keeps FIFOs`() async throws {
        let fixture = try LocalFixture(files: ["a": "1"])
        let directory = try fixture.open()
        try directory.makeNode("pipe", mode: FileStatus.Kind.fifo.rawValue | 0o644)
        try directory.makeNode("sock", mode: FileStatus.Kind.socket.rawValue | 0o644)
        if geteuid() == 0 {
            try directory.makeNode(
                "null",
                mode: FileStatus.Kind.characterDevice.rawValue | 0o666,
                major: 1,
                minor: 3
            )
        }
        let scan = try await fixture.scan()
        #expect(try scan.paths() == ["a", "pipe"])
        #expect(try scan.content.entry("pipe")?.kind == .fifo)
    }

    @Test func `tells the names of one file as hard links`() async throws {
        let fixture = try LocalFixture(files: ["a": "1", "c": "2"])
        try fixture.open().makeHardLink("b", to: fixture.open(), "a")
        let content = try await fixture.scan().content
        let link = try #require(try content.entry("a")?.link)
        #expect(try content.entry("b")?.link == link)
        #expect(try content.entry("c")?.link == nil)
    }

    @Test func `carries extended attributes, also when the index knows the file`() async throws {
        let fixture = try LocalFixture(files: ["a": "1", "plain": "1"])
        try fixture.open().setAttribute("user.note", name: "a", Array("x".utf8))
        try fixture.open().setAttribute("user.overlay.opaque", name: "a", Array("y".utf8))
        let note = [ExtendedAttribute(name: "user.note", value: Array("x".utf8))]
        for hashed in [2, 0] {
            let scan = try await fixture.scan()
            #expect(scan.hashedFileCount == hashed)
            #expect(try scan.content.attributes("a") == note)
            #expect(try scan.content.attributes("plain") == [])
            #expect(try scan.content.fileDigest("a") != scan.content.fileDigest("plain"))
        }
    }

    @Test func `reads a directory with very many files and very deep ones`() async throws {
        let fixture = try LocalFixture()
        let directory = try fixture.open()
        for number in 0..<3000 { _ = try directory.createFile("f\(number)", mode: 0o644) }
        let deep = Array(repeating: "d", count: 200).joined(separator: "/")
        _ = try directory.makeDirectories(deep)
        try fixture.write(deep + "/end", "x")
        let scan = try await fixture.scan()
        #expect(scan.fileCount == 3001)
        #expect(try scan.content.open(deep + "/end").readToEnd(byteLimit: 10) == Array("x".utf8))
        let names = try scan.content.children("")
        #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    }

    @Test func `ends a scan that is cancelled`() async throws {
        let fixture = try LocalFixture(files: ["a": "1"])
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return try await fixture.scan()
        }
        await #expect(throws: CancellationError.self) { try await task.value }
    }
}

@Suite struct `A local source that cannot be read` {
    @Test func `names a directory that is missing`() async throws {
        let fixture = try LocalFixture()
        let error = await fixture.failure(of: fixture.path.appending("gone"))
        #expect(error?.code == .notFound)
        #expect(
            error?.message
                == "cannot read the directory \(fixture.path)/gone: no such file or directory"
        )
    }

    @Test func `names a path that is no directory`() async throws {
        let fixture = try LocalFixture(files: ["a": "1"])
        #expect(await fixture.failure(of: fixture.path.appending("a"))?.code == .notDirectory)
    }

    @Test(.enabled(if: geteuid() != 0, "root reads everything"))
    func `names a file that may not be read`() async throws {
        let fixture = try LocalFixture(files: ["sub/secret": "1"])
        try fixture.open().setMode(name: "sub/secret", 0)
        let error = await fixture.failure(of: fixture.path)
        #expect(error?.code == .denied)
        #expect(error?.message == "cannot read \(fixture.path)/sub/secret: permission denied")
    }

    @Test func `names a file whose name is no text`() async throws {
        let fixture = try LocalFixture()
        let name: [CChar] = [0x61, -1, 0]
        let path = Array(fixture.path.string.utf8.map { CChar(bitPattern: $0) }) + [0x2f] + name
        unsafe close(creat(path, 0o644))
        #expect(await fixture.failure(of: fixture.path)?.code == .invalid)
    }
}

@Suite struct `A scanned tree` {
    @Test func `refuses a file that changed since`() async throws {
        let fixture = try LocalFixture(files: ["a": "one", "b": "one", "c": "one"])
        let content = try await fixture.scan().content
        let opened = try content.open("a")
        try content.confirmUnchanged("a", opened)
        try fixture.write("a", "two!")
        try fixture.open().remove(name: "b")
        #expect(throws: SourcesError.self) { try content.confirmUnchanged("a", opened) }
        for name in ["a", "b"] {
            let error = #expect(throws: SourcesError.self) { try content.open(name) }
            #expect(error?.code == .changing)
            #expect(error?.message.contains("\(fixture.path)/\(name)") == true)
        }
        _ = try content.open("c")
    }

    @Test func `is not led out by what took the place of a file`() async throws {
        let fixture = try LocalFixture(files: ["a": "1", "d/x": "1", "p": "1"])
        let content = try await fixture.scan().content
        let directory = try fixture.open()
        try directory.remove(name: "a")
        try directory.makeSymbolicLink("a", to: "/etc/passwd")
        try directory.removeTree(name: "d")
        try directory.makeSymbolicLink("d", to: "/etc")
        try directory.remove(name: "p")
        try directory.makeNode("p", mode: FileStatus.Kind.fifo.rawValue | 0o644)
        for name in ["a", "d/x", "p"] {
            #expect(throws: SourcesError.self) { try content.open(name) }
        }
    }
}
