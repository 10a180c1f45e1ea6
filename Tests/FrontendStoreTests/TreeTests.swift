// SPDX-License-Identifier: Apache-2.0

import Archives
import ContentStore
import LinuxSystem
import OCI
import ProjectFiles
import RegistryTestSupport
import SystemPackage
import Testing

@testable import FrontendStore

@Suite struct TreeTests {
    @Test func `a directory, an archive, an installed tree and a vendored copy have one digest`() async throws {
        let scratch = try Scratch()
        let directory = try scratch.package("package", package())
        let digest = try FrontendPackage.digest(of: directory)
        let store = try scratch.frontends()

        let archived = try tar([
            (TarEntry(path: "bin", kind: .directory, mode: 0o700), ""),
            (file("./data/words.txt", mode: 0o666), "hello"),
            (TarEntry(path: "bin/alias", kind: .symbolicLink(target: "spec"), mode: 0o777), ""),
            (file("bin/spec", mode: 0o4711), "#!/bin/sh\necho hello\n"),
            (file("frontend.toml"), manifestText()),
        ])
        let (installed, isNew) = try store.insert(digest) { builder in try builder.add(archive(archived)) }
        #expect(isNew)
        #expect(installed.tree == digest)
        #expect(try FrontendStore.hash(Directory(host: installed.directory)) == digest)

        let vendor = VendorDirectory(FilePath(scratch.path).appending("vendor"))
        let name = installed.manifest.name
        #expect(try vendor.write(installed, name, installed.manifest.version, platform: "any", digest))
        #expect(try !vendor.write(installed, name, installed.manifest.version, platform: "any", digest))
        let copy = try #require(vendor.path(of: name, installed.manifest.version, platform: "linux/amd64"))
        #expect(try FrontendPackage.digest(of: copy) == digest)
    }

    @Test func `names, modes of group and others, times and empty directories do not count, contents do`() throws {
        let scratch = try Scratch()
        let one = try scratch.package("one", package())
        var files = package()
        files["data/words.txt"] = .text("hello", mode: 0o600)
        let two = try scratch.package("two", files)
        _ = try Directory(host: two).makeDirectories("empty/inside")
        _ = try Directory(host: two).makeDirectories(".git")
        try Directory(host: two).setTime(name: "data", FileStatus.Time(seconds: 5))
        #expect(try FrontendPackage.digest(of: one) == FrontendPackage.digest(of: two))
        files["data/words.txt"] = .text("hello", mode: 0o744)
        let executable = try scratch.package("three", files)
        #expect(try FrontendPackage.digest(of: one) != FrontendPackage.digest(of: executable))
        files["data/words.txt"] = .text("hallo")
        let other = try scratch.package("four", files)
        #expect(try FrontendPackage.digest(of: one) != FrontendPackage.digest(of: other))
    }

    @Test func `the digest is the SHA-256 of the lines the specification names`() throws {
        let scratch = try Scratch()
        let directory = try scratch.package("package", package())
        func line(_ mode: String, _ text: String, _ path: String) -> String {
            "\(mode) \(text.utf8.count) \(Digest.of(text).hex) \(path)\n"
        }
        let lines = [
            line("link", "spec", "bin/alias"), line("755", "#!/bin/sh\necho hello\n", "bin/spec"),
            line("644", "hello", "data/words.txt"), line("644", manifestText(), "frontend.toml"),
        ]
        #expect(try FrontendPackage.digest(of: directory).description == "ft1:" + Digest.of(lines.joined()).hex)
    }

    @Test func `a platform's tree is its folder with the package's frontend.toml`() throws {
        let scratch = try Scratch()
        let manifest = manifestText(platforms: ["linux/amd64": "x86", "linux/arm64": "arm"])
        let both = try scratch.package(
            "both",
            [
                "frontend.toml": .text(manifest), "x86/bin/spec": .text("x86", mode: 0o755),
                "arm/bin/spec": .text("arm", mode: 0o755), "README": .text("not in any tree"),
            ]
        )
        let alone = try scratch.package(
            "alone",
            ["frontend.toml": .text(manifest), "bin/spec": .text("arm", mode: 0o755)]
        )
        let arm = try Platform(parsing: "linux/arm64")
        let expected = try FrontendStore.hash(Directory(host: alone))
        #expect(try FrontendPackage.digest(of: both, platform: arm) == expected)
        #expect(try FrontendPackage.digest(of: both, platform: Platform(parsing: "linux/amd64")) != expected)
        #expect(try FrontendPackage(developing: both, platform: arm).directory == both.appending("arm"))
        let error = #expect(throws: ProjectError.self) {
            try FrontendPackage(developing: both, platform: Platform(parsing: "linux/riscv64"))
        }
        #expect(
            error?.description == """
                F208 kiln.lock: acme/spec 1.4.2 is not published for linux/riscv64 (has linux/amd64, linux/arm64). \
                Pin a version that is, or build on one of these platforms.
                """
        )
    }

    @Test func `two packings of the same files are the same release`() async throws {
        let scratch = try Scratch()
        let one = try scratch.package("one", package())
        let two = try scratch.package("two", package())
        try Directory(host: two).setTime(name: "bin/spec", FileStatus.Time(seconds: 77))
        let first = try FrontendPacker(content: scratch.store("a")).pack(one)
        let second = try FrontendPacker(content: scratch.store("b")).pack(two)
        #expect(first.release.digest == second.release.digest)
        #expect(first.release.trees == ["any": try FrontendPackage.digest(of: one)])
        let read = try FrontendRelease(parsing: first.release.bytes, from: "here")
        #expect(read.trees == first.release.trees)
        #expect(read.name == first.manifest.name && read.version == first.manifest.version)
    }

    @Test func `a package whose program is missing or cannot run is not packed`() throws {
        let scratch = try Scratch()
        let packer = FrontendPacker(content: try scratch.store())
        var files = package()
        files["bin/spec"] = .text("x", mode: 0o644)
        let plain = try scratch.package("plain", files)
        #expect(throws: FrontendStoreError.self) { try packer.pack(plain) }
        files["bin/spec"] = nil
        files["bin/alias"] = nil
        let missing = try scratch.package("missing", files)
        let error = #expect(throws: FrontendStoreError.self) { try packer.pack(missing) }
        #expect(error?.message.contains("it has no file \"bin/spec\", which [entry] argv names") == true)
    }
}

/// `Protocol/vectors/treehash`, through an archive.
@Suite struct TreeVectorTests {
    private static let file = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Protocol/vectors/treehash/trees.json")
    /// Entries that an archive cannot say, or says in another way, and a link that hashes well and is not installed.
    private static let others: Set<String> = [
        "a link whose target is not there", "this directory", "NUL", "empty", "slash at the end",
    ]

    @Test func `an unpacked archive has the digest of its vector, or is refused with it`() throws {
        let bytes = try #require(try ProjectDirectory.read(Self.file))
        for tree in try JSONValue(parsing: bytes).elements ?? [] {
            let name = try #require(tree["name"]?.text)
            if Self.others.contains(name) { continue }
            let entries = (tree["files"]?.elements ?? []).map { file in
                var text = file["content"]?.text ?? ""
                if let hex = file["hex"]?.text {
                    let digits = Array(hex)
                    let content = stride(from: 0, to: digits.count - 1, by: 2)
                        .compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
                    text = String(decoding: content, as: UTF8.self)
                    // Text that is none cannot be written by this test's archive.
                    if Array(text.utf8) != content { text = "\0" + hex }
                }
                let path = file["path"]?.text ?? ""
                if let target = file["target"]?.text {
                    return (TarEntry(path: path, kind: .symbolicLink(target: target), mode: 0o777), "")
                }
                return (FrontendStoreTests.file(path, mode: UInt32(file["mode"]?.text ?? "644", radix: 8) ?? 0), text)
            }
            if entries.contains(where: { $0.1.hasPrefix("\0") }) { continue }
            let scratch = try Scratch()
            let root = try Directory(host: FilePath(scratch.path).appending("tree"), createMode: 0o755)
            var builder = TreeBuilder(root: root)
            if let expected = tree["tree"]?.text {
                try builder.add(archive(tar(entries)))
                #expect(try builder.finish().description == expected, "\(name)")
            } else {
                do {
                    try builder.add(archive(tar(entries)))
                    Issue.record("\(name) was not refused")
                } catch let error as FrontendStoreError {
                    #expect(error.code == .badPackage || error.code == .tooLarge, "\(name): \(error)")
                }
            }
        }
    }
}
