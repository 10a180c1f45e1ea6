// SPDX-License-Identifier: Apache-2.0

import Archives
import LinuxSystem
import OCI
import ProjectFiles
import RegistryTestSupport
import SystemPackage
import Testing

@testable import FrontendStore

/// Packages that try to get out of their directory, or to be something else elsewhere.
@Suite struct HostilePackageTests {
    private static func link(_ path: String, _ target: String) -> (TarEntry, String) {
        (TarEntry(path: path, kind: .symbolicLink(target: target), mode: 0o777), "")
    }

    private static func entry(_ path: String, _ kind: TarEntry.Kind) -> (TarEntry, String) {
        (TarEntry(path: path, kind: kind, mode: 0o644), "")
    }

    /// What is wrong, the entries, and words of the refusal.
    private static let packages: [(name: String, entries: [(TarEntry, String)], words: String)] = [
        ("a path with ..", [(file("../marker"), "x")], "the segment .."),
        ("a path with .. inside", [(file("a/../../marker"), "x")], "the segment .."),
        ("an absolute path", [(file("/tmp/marker"), "x")], "begins or ends with /"),
        ("a path with . inside", [(file("a/./b"), "x")], "the segment ."),
        ("a path with //", [(file("a//b"), "x")], "//"),
        ("a backslash", [(file("a\\b"), "x")], "backslash"),
        ("a line end in a name", [(file("a\nb"), "x")], "control character"),
        ("a link to an absolute path", [link("out", "/etc/passwd")], "not in the package"),
        ("a link out", [link("bin/out", "../../etc")], "not in the package"),
        ("an empty link", [link("out", "")], "not in the package"),
        (
            "links that lead out together",
            [(file("a/b/file"), "x"), link("a/up", ".."), link("out", "a/up/../marker")],
            "leads out of the package or nowhere"
        ),
        ("a link to nothing", [link("out", "nothing")], "leads out of the package or nowhere"),
        ("links that lead to each other", [link("a", "b"), link("b", "a")], "leads out of the package or nowhere"),
        ("a file beneath a link", [(file("a/x"), "x"), link("b", "a"), (file("b/y"), "x")], "file as well"),
        ("a file in the place of a directory", [(file("a"), "x"), (file("a/b"), "x")], "is a file as well"),
        ("a directory in the place of a file", [(file("a/b"), "x"), (file("a"), "x")], "is a directory as well"),
        ("one path twice", [(file("a"), "x"), (file("a"), "y")], "stands twice"),
        ("files that differ in case", [(file("Makefile"), "x"), (file("makefile"), "y")], "differs from another"),
        ("directories that differ in case", [(file("A/x"), "x"), (file("a/y"), "y")], "differ only in case"),
        ("a file and a directory that differ in case", [(file("A"), "x"), (file("a/y"), "y")], "is a file as well"),
        (
            "names that are one after composition", [(file("\u{e9}"), "x"), (file("e\u{301}"), "y")],
            "differs from another"
        ),
        ("a hard link to nothing", [entry("a", .hardLink(target: "/etc/passwd"))], "no file before it"),
        ("a hard link out", [entry("a", .hardLink(target: "../../etc/passwd"))], "no file before it"),
        ("a hard link to a link", [link("l", "x"), entry("a", .hardLink(target: "l"))], "no file before it"),
        ("a device", [entry("null", .characterDevice(major: 1, minor: 3))], "no devices"),
        ("a disk", [entry("sda", .blockDevice(major: 8, minor: 0))], "no devices"),
        ("a pipe", [entry("pipe", .fifo)], "no pipes"),
        ("a version control folder", [(file(".git/config"), "x")], "belongs to no package"),
        ("one in other letters", [(file("a/.GIT/hooks/x"), "x")], "belongs to no package"),
        (
            "too many directories",
            [(file(String(repeating: "d/", count: FrontendLimit.depth) + "x"), "x")],
            "directories, at most"
        ),
        ("a name that is too long", [(file(String(repeating: "n", count: 1100)), "x")], "bytes, at most 1024"),
    ]

    @Test(arguments: packages.indices)
    func `an archive with anything of these is refused and leaves nothing`(index: Int) async throws {
        let (name, entries, words) = Self.packages[index]
        let scratch = try Scratch()
        let store = try scratch.frontends()
        let all = [(file("frontend.toml"), manifestText()), (file("bin/spec", mode: 0o755), "x")] + entries
        let bytes = try tar(all)
        let error = try await failure(FrontendStoreError.self) {
            _ = try store.insert(TreeDigest(Digest.of("any"))) { builder in try builder.add(archive(bytes)) }
        }
        #expect(error.message.contains(words), "\(name): \(error)")
        #expect(scratch.names(in: "frontends/sha256").isEmpty, "\(name)")
        #expect(!scratch.exists("marker") && !scratch.exists("frontends/marker"), "\(name)")
    }

    @Test func `a directory with links out, pipes or names in two cases is refused like an archive`() throws {
        let scratch = try Scratch()
        let cases: [(String, TestFile, String)] = [
            ("out", .link("../../../etc/passwd"), "not in the package"), ("out", .link("/etc"), "not in the package"),
            ("gone", .link("nowhere"), "leads out of the package or nowhere"), ("BIN/x", .text("x"), "only in case"),
        ]
        for (index, (path, content, words)) in cases.enumerated() {
            var files = package()
            files[path] = content
            let directory = try scratch.package("package-\(index)", files)
            let error = #expect(throws: FrontendStoreError.self) { try FrontendPackage.digest(of: directory) }
            #expect(error?.message.contains(words) == true, "\(path): \(String(describing: error))")
        }
        let piped = try scratch.package("piped", package())
        try Directory(host: piped).makeNode("pipe", mode: 0o010644)
        #expect(throws: FrontendStoreError.self) { try FrontendPackage.digest(of: piped) }
    }

    @Test func `more bytes than allowed are refused, however few they are in the archive`() throws {
        let scratch = try Scratch()
        let root = try Directory(host: FilePath(scratch.path).appending("tree"), createMode: 0o755)
        var builder = TreeBuilder(root: root, byteLimit: 1 << 20)
        let bytes = try tar([(file("zeros"), String(repeating: "\0", count: (1 << 20) + 1))])
        do {
            try builder.add(archive(bytes))
            Issue.record("was not refused")
        } catch let error as FrontendStoreError {
            #expect(error.code == .tooLarge)
            #expect(error.message.contains("more than the 1048576 bytes that are allowed"))
        }
    }

    @Test func `bytes that are no archive, or end early, are refused`() async throws {
        let scratch = try Scratch()
        let store = try scratch.frontends()
        let whole = try tar([
            (file("frontend.toml"), manifestText()), (file("data"), String(repeating: "x", count: 5000)),
        ])
        for bytes in [Array("no archive at all, but long enough to be looked at".utf8), Array(whole.prefix(3000))] {
            #expect(throws: (any Error).self) {
                _ = try store.insert(TreeDigest(Digest.of("any"))) { builder in try builder.add(archive(bytes)) }
            }
        }
        #expect(scratch.names(in: "frontends/sha256").isEmpty)
    }

    @Test func `a tree without a frontend.toml, or with a bad one, is not kept`() async throws {
        let scratch = try Scratch()
        let store = try scratch.frontends()
        for manifest in [nil, "name = 3\n"] as [String?] {
            var entries = [(file("bin/spec", mode: 0o755), "x")]
            if let manifest { entries.append((file("frontend.toml"), manifest)) }
            let bytes = try tar(entries)
            let root = try Directory(host: FilePath(scratch.path).appending(randomToken()), createMode: 0o755)
            var builder = TreeBuilder(root: root)
            try builder.add(archive(bytes))
            let digest = try builder.finish()
            #expect(throws: (any Error).self) {
                _ = try store.insert(digest) { builder in try builder.add(archive(bytes)) }
            }
        }
        #expect(scratch.names(in: "frontends/sha256").isEmpty)
    }
}
