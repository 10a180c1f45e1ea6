// SPDX-License-Identifier: Apache-2.0

import Archives
import LinuxSystem
import Snapshots
import Testing

@Suite struct TreeReaderTests {
    @Test func `follows symlinks inside the tree alone`() async throws {
        let fixture = try Fixture()
        let tree = try await fixture.tree { writer in
            try writer.file("etc/hostname", "inside")
            try writer.makeSymbolicLink("up", to: "../../../../etc")
            try writer.makeSymbolicLink("abs", to: "/etc/hostname")
            try writer.makeSymbolicLink("etc/self", to: ".")
            try writer.makeSymbolicLink("dangling", to: "no/where")
        }
        let reader = try await TreeReader(tree)
        #expect(try reader.text("up/hostname") == "inside")
        #expect(try reader.text("abs") == "inside")
        #expect(try reader.text("/etc/self/self/../etc/self/hostname") == "inside")
        #expect(try reader.text("../../etc/hostname") == "inside")
        #expect(try reader.stat("abs", followSymlinks: false)?.linkTarget == "/etc/hostname")
        #expect(try reader.stat("abs", followSymlinks: true)?.path == "etc/hostname")
        #expect(try reader.stat("dangling", followSymlinks: true) == nil)
        #expect(try reader.resolve("dangling/x") == "no/where/x")
    }

    @Test func `ends circles of symlinks with an error`() async throws {
        let fixture = try Fixture()
        let tree = try await fixture.tree { writer in
            try writer.makeSymbolicLink("a", to: "b")
            try writer.makeSymbolicLink("b", to: "/a")
            try writer.makeSymbolicLink("grow", to: "grow/x")
        }
        let reader = try await TreeReader(tree)
        #expect(await code { _ = try reader.readFile("a", byteLimit: 9) } == .tooManyLinks)
        #expect(await code { _ = try reader.readDirectory("grow") } == .tooManyLinks)
    }

    @Test func `reads layers as one tree`() async throws {
        let fixture = try Fixture()
        let one = try fixture.image([.file("d/a", "1"), .file("d/b", "1"), .file("f", "1"), .file("x/y", "1")])
        let two = try fixture.image(
            [.file("d/b", "2"), .file("d/.wh.a"), .file("f/now", "2"), .file("x", "2")],
            below: [one]
        )
        let three = try fixture.image([.file("d/a", "3"), .file("x/z", "3")], below: [one, two])
        let reader = try await TreeReader(FileTree(layers: [one, two, three]))
        #expect(try reader.names("d") == ["a", "b"])
        #expect(try reader.text("d/a") == "3")
        #expect(try reader.text("d/b") == "2")
        #expect(try reader.names("f") == ["now"])
        #expect(try reader.names("x") == ["z"])
        #expect(try reader.stat("x/y", followSymlinks: false) == nil)
    }

    @Test func `reads parts of files within limits`() async throws {
        let fixture = try Fixture()
        let reader = try await TreeReader(fixture.tree { try $0.file("f", "0123456789") })
        #expect(try reader.readFile("f", offset: 3, length: 4, byteLimit: 4) == Array("3456".utf8))
        #expect(try reader.readFile("f", offset: 8, byteLimit: 4) == Array("89".utf8))
        #expect(try reader.readFile("f", offset: 99, byteLimit: 4) == [])
        #expect(await code { _ = try reader.readFile("f", byteLimit: 9) } == .tooLarge)
        #expect(await code { _ = try reader.readFile("f", offset: -1, byteLimit: 99) } == .invalid)
        #expect(await code { _ = try reader.readFile("f", length: -1, byteLimit: 99) } == .invalid)
        #expect(await code { _ = try reader.readFile("g", byteLimit: 9) } == .notFound)
        #expect(await code { _ = try reader.readFile("", byteLimit: 9) } == .isDirectory)
        #expect(await code { _ = try reader.readDirectory("f") } == .notDirectory)
        #expect(await code { _ = try reader.stat("a\0b", followSymlinks: true) } == .invalid)
        #expect(
            await code { _ = try reader.stat(String(repeating: "a/", count: 3000), followSymlinks: true) } == .invalid
        )
    }

    @Test func `the empty tree is an empty directory`() async throws {
        let reader = try await TreeReader(.scratch)
        #expect(try reader.names().isEmpty)
        #expect(try reader.stat("x", followSymlinks: true) == nil)
        #expect(try reader.contentDigest("/") == reader.contentDigest(""))
    }

    @Test func `never opens a device or FIFO`() async throws {
        let fixture = try Fixture()
        let fifo = try fixture.image([Entry(header: .init(path: "p", kind: .fifo, mode: 0o644), bytes: [])])
        let reader = try await TreeReader(FileTree(layers: [fifo]))
        #expect(await code { _ = try reader.open("p") } == .invalid)
    }

    @Test(arguments: [
        ("", ""), ("/", ""), ("a", "a"), ("/a//b/", "a/b"), ("a/./b", "a/b"), ("../..", ""), ("a/../../b", "b"),
        ("a/...", "a/..."), (".a", ".a"), ("a/\u{301}/../c", "a/c"), ("./", ""),
    ])
    func `cleans paths`(path: String, clean: String) {
        #expect(TreePath.clean(path) == clean)
    }
}
