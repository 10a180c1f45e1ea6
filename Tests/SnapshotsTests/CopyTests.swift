// SPDX-License-Identifier: Apache-2.0

import Archives
import LinuxSystem
import Snapshots
import Testing

@Suite struct CopyTests {
    /// Copies from one tree onto another and tells what is there afterwards.
    private func copied(
        _ source: String,
        to destination: String,
        _ change: (inout CopyOptions) -> Void = { _ in },
        onto base: @escaping @Sendable (TreeWriter) throws -> Void = { _ in },
        from: @escaping @Sendable (TreeWriter) throws -> Void = CopyTests.sample
    ) async throws -> [String: String] {
        let fixture = try Fixture()
        var options = CopyOptions()
        options.createDestinationPath = true
        change(&options)
        let reader = try await TreeReader(fixture.tree(from))
        let lower = try await fixture.tree(base)
        let layer = try await fixture.layer(on: lower) { [options] in
            try $0.copy(from: reader, source, to: destination, options)
        }
        return try await TreeReader(lower.adding(layer)).dump()
    }

    @Sendable private static func sample(_ writer: TreeWriter) throws {
        try writer.file("src/a.txt", "a", mode: 0o640, owner: FileOwner(uid: 3, gid: 4))
        try writer.file("src/b.md", "b")
        try writer.file("src/sub/c.txt", "c", mode: 0o755)
        try writer.file("src/sub/d.md", "d")
        try writer.makeSymbolicLink("src/link", to: "a.txt")
        try writer.makeSymbolicLink("dirlink", to: "src/sub")
    }

    @Test func `a file goes to a name, or into a directory under its own`() async throws {
        #expect(try await copied("src/a.txt", to: "/x/y") == ["x": "755 0:0 dir", "x/y": "640 3:4 file a"])
        #expect(try await copied("src/a.txt", to: "/x/").keys.sorted() == ["x", "x/a.txt"])
        let there = try await copied("src/a.txt", to: "/x", onto: { try $0.makeDirectory("x", mode: 0o700) })
        #expect(there == ["x": "700 0:0 dir", "x/a.txt": "640 3:4 file a"])
        let linked = try await copied(
            "src/a.txt",
            to: "/l/",
            onto: { writer in
                try writer.makeDirectory("real", mode: 0o755)
                try writer.makeSymbolicLink("l", to: "/real")
            }
        )
        #expect(linked["real/a.txt"] == "640 3:4 file a")
    }

    @Test func `a directory goes whole, or what is in it`() async throws {
        let whole = try await copied("src", to: "/x/")
        #expect(
            whole.keys.sorted() == [
                "x", "x/src", "x/src/a.txt", "x/src/b.md", "x/src/link", "x/src/sub", "x/src/sub/c.txt",
                "x/src/sub/d.md",
            ]
        )
        let contents = try await copied("src", to: "/x") { $0.copyDirectoryContents = true }
        #expect(contents.keys.sorted() == ["x", "x/a.txt", "x/b.md", "x/link", "x/sub", "x/sub/c.txt", "x/sub/d.md"])
        #expect(contents["x/link"] == #"777 0:0 symbolicLink(target: "a.txt")"#)
        let root = try await copied("/", to: "/") { $0.copyDirectoryContents = true }
        #expect(root["src/sub/c.txt"] == "755 0:0 file c")
    }

    @Test func `copies the root under another name`() async throws {
        let there = try await copied("/", to: "/x/", onto: { try $0.makeDirectory("x", mode: 0o755) })
        #expect(there["x/src/b.md"] == "644 0:0 file b")
    }

    @Test func `sets owner, mode and time of all`() async throws {
        let all = try await copied("src", to: "/x") { options in
            options.copyDirectoryContents = true
            options.owner = FileOwner(uid: 9, gid: 8)
            options.mode = 0o4711
        }
        #expect(all["x/a.txt"] == "4711 9:8 file a")
        #expect(all["x/sub"] == "4711 9:8 dir")
        #expect(all["x/link"]?.hasPrefix("777 9:8") == true)
        let changed = try await copied("src", to: "/x") { options in
            options.copyDirectoryContents = true
            options.modeChange = "u=rwX,g+w,o-rwx"
        }
        #expect(changed["x/a.txt"] == "660 3:4 file a")
        #expect(changed["x/sub/c.txt"] == "770 0:0 file c")
        #expect(changed["x/sub"] == "770 0:0 dir")
        await #expect(throws: SnapshotError.self) { try await copied("src", to: "/x") { $0.modeChange = "u+q" } }
    }

    @Test func `selects by wildcards, include and exclude patterns`() async throws {
        #expect(try await copied("src/*.md", to: "/x/") { $0.allowWildcard = true }.keys.sorted() == ["x", "x/b.md"])
        #expect(
            try await copied("s*/s*/?.txt", to: "/x/") { $0.allowWildcard = true }.keys.sorted() == ["x", "x/c.txt"]
        )
        #expect(try await copied("no*", to: "/x/") { ($0.allowWildcard, $0.allowEmptyWildcard) = (true, true) } == [:])
        await #expect(throws: SnapshotError.self) { try await copied("no*", to: "/x/") { $0.allowWildcard = true } }
        await #expect(throws: SnapshotError.self) { try await copied("src/*.md", to: "/x/") }
        let texts = try await copied("src", to: "/x") { options in
            options.copyDirectoryContents = true
            options.includePatterns = ["**/*.txt"]
            options.excludePatterns = ["a.*"]
        }
        #expect(texts.keys.sorted() == ["x", "x/sub", "x/sub/c.txt"])
        let without = try await copied("src", to: "/x") { options in
            options.copyDirectoryContents = true
            options.excludePatterns = ["sub", "!sub/d.md", "link"]
        }
        #expect(without.keys.sorted() == ["x", "x/a.txt", "x/b.md", "x/sub", "x/sub/d.md"])
    }

    @Test func `insists on required paths`() async throws {
        func select(_ required: [String]) async -> SnapshotError.Code? {
            await code {
                _ = try await copied("src", to: "/x") { options in
                    options.copyDirectoryContents = true
                    options.includePatterns = ["sub/**", "nothing"]
                    options.requiredPaths = required
                }
            }
        }
        #expect(await select(["src/sub"]) == nil)
        #expect(await select(["src/sub", "src/nothing"]) == .notFound)
    }

    @Test func `follows a symlink where asked`() async throws {
        #expect(try await copied("dirlink", to: "/x/")["x/dirlink"] == #"777 0:0 symbolicLink(target: "src/sub")"#)
        #expect(
            try await copied("dirlink", to: "/x/") { $0.followSymlink = true }["x/dirlink/c.txt"] == "755 0:0 file c"
        )
    }

    @Test func `needs parents unless it may make them`() async throws {
        #expect(
            await code { _ = try await copied("src/b.md", to: "/x/y") { $0.createDestinationPath = false } }
                == .notFound
        )
        #expect(await code { _ = try await copied("none", to: "/x") } == .notFound)
    }

    @Test func `merges with directories and replaces others only where asked`() async throws {
        @Sendable func base(_ writer: TreeWriter) throws {
            try writer.file("x/own", "o")
            try writer.file("x/sub", "a file")
            try writer.file("x/b.md/in", "in")
            try writer.file("x/a.txt", "old")
        }
        #expect(
            await code {
                _ = try await copied("src", to: "/x", { $0.copyDirectoryContents = true }, onto: base)
            } != nil
        )
        let all = try await copied(
            "src",
            to: "/x",
            { options in
                options.copyDirectoryContents = true
                options.alwaysReplaceExisting = true
            },
            onto: base
        )
        #expect(all["x/own"] == "644 0:0 file o")
        #expect(all["x/sub/c.txt"] == "755 0:0 file c")
        #expect(all["x/b.md"] == "644 0:0 file b")
        #expect(all["x/b.md/in"] == nil)
        #expect(all["x/a.txt"] == "640 3:4 file a")
    }

    @Test(arguments: ["cat", "gzip", "bzip2", "xz", "zstd"])
    func `unpacks archives`(program: String) async throws {
        let fixture = try Fixture()
        let archive = try run(
            "/usr/bin/env",
            program == "cat" ? ["cat"] : [program, "-c"],
            input: tar([
                .directory("d", mode: 0o700), .file("d/f", "text", uid: 5), .hard("h", "d/f"), .link("l/s", "../d"),
                .file("l/s/g", "over"),
            ])
        )
        let reader = try await TreeReader(
            fixture.tree { writer in
                try writer.makeFile("a.tar", mode: 0o644, data: archive)
                try writer.file("b.tar", "no archive")
            }
        )
        let layer = try await fixture.layer { writer in
            var options = CopyOptions()
            options.attemptUnpack = true
            options.createDestinationPath = true
            for name in ["a.tar", "b.tar"] { try writer.copy(from: reader, name, to: "/out/", options) }
        }
        #expect(
            try await TreeReader(FileTree(layers: [layer])).dump() == [
                "out": "755 0:0 dir", "out/b.tar": "644 0:0 file no archive", "out/d": "700 0:0 dir",
                "out/d/f": "644 5:0 file text", "out/h": "644 5:0 file text =out/d/f", "out/l": "755 0:0 dir",
                "out/l/s": #"777 0:0 symbolicLink(target: "../d")"#, "out/d/g": "644 0:0 file over",
            ]
        )
    }

    @Test func `an archive never leads out of the tree`() async throws {
        let fixture = try Fixture()
        for entries: [Entry] in [
            [.file("../../marker", "x")], [.link("o", "/"), .file("o/../../marker", "x")],
            [.hard("h", "/etc/hostname")],
        ] {
            let bytes = try tar(entries)
            let reader = try await TreeReader(fixture.tree { try $0.makeFile("a", mode: 0o644, data: bytes) })
            await #expect(throws: SnapshotError.self) {
                _ = try await fixture.layer { writer in
                    var options = CopyOptions()
                    options.attemptUnpack = true
                    try writer.copy(from: reader, "a", to: "/", options)
                }
            }
        }
        let bytes = try tar([.link("o", "\(fixture.path)"), .file("o/marker", "in")])
        let reader = try await TreeReader(fixture.tree { try $0.makeFile("a", mode: 0o644, data: bytes) })
        let layer = try await fixture.layer { writer in
            var options = CopyOptions()
            options.attemptUnpack = true
            try writer.copy(from: reader, "a", to: "/", options)
        }
        // The link was followed inside of the tree.
        #expect(try await TreeReader(FileTree(layers: [layer])).text("\(fixture.path)/marker") == "in")
        #expect((try? Directory(host: fixture.path).status(name: "marker")) == nil)
    }
}
