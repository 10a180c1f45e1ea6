// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import OCI
import RegistryTestSupport
import Snapshots
import SystemPackage
import Testing

@testable import Exporters

@Suite struct `The directory exporter` {
    private func export(
        _ fixture: Fixture,
        _ layers: MadeUpLayer...,
        attributes: [String: String] = [:],
        ids: [String] = ["linux/amd64"],
        isMultiPlatform: Bool = false
    ) async throws {
        let results = zip(ids, layers).map { id, layer in
            PlatformResult(platform: fixture.platform, id: id, tree: fixture.tree(layer))
        }
        _ = try await fixture.exporter.export(
            fixture.request("local", attributes, results, isMultiPlatform: isMultiPlatform)
        )
    }

    @Test func `writes files, links and directories with modes and times`() async throws {
        let fixture = try Fixture()
        var layer = MadeUpLayer()
        layer.add("bin", .directory(opaque: false), mode: 0o511, mtime: 5)
        layer.add("bin/run", .regular, mode: 0o4755, text: "#!", mtime: 6)
        layer.add("bin/link", .symbolicLink(target: "/etc/passwd"), mode: 0o777, mtime: 7)
        let link = LayerEntry.Identity(device: 1, inode: 9)
        layer.add("a", .regular, text: "same", link: link)
        layer.add("b", .regular, text: "same", link: link)
        layer.add("pipe", .fifo, mode: 0o600)
        layer.add("note", .regular, attributes: [ExtendedAttribute(name: "user.k", value: [1, 2])])
        try await export(fixture, layer)

        let out = try Directory(host: fixture.output)
        let bin = try out.directory("bin")
        #expect(try out.status(name: "bin").permissions == 0o511)
        #expect(try out.status(name: "bin").modified.seconds == 5)
        #expect(try bin.status(name: "run").permissions == 0o4755)
        #expect(try bin.status(name: "run").modified.seconds == 6)
        #expect(try bin.readLink(name: "link") == "/etc/passwd")
        #expect(try bin.status(name: "link").modified.seconds == 7)
        #expect(try out.status(name: "a").inode == out.status(name: "b").inode)
        #expect(try out.status(name: "pipe").kind == .fifo)
        #expect(try out.attribute("user.k", name: "note") == [1, 2])
        #expect(try bin.open("run").readToEnd(byteLimit: 9) == Array("#!".utf8))
        #expect(try out.entries().filter { $0.name.hasPrefix(".kiln") }.isEmpty)
    }

    @Test(.enabled(if: geteuid() == 0, "needs root"))
    func `keeps owners and devices as root`() async throws {
        let fixture = try Fixture()
        var layer = MadeUpLayer()
        layer.add("file", .regular, mode: 0o2755, owner: 1234)
        layer.add("null", .characterDevice(major: 1, minor: 3), mode: 0o666, owner: 7)
        try await export(fixture, layer)
        let out = try Directory(host: fixture.output)
        let file = try out.status(name: "file")
        #expect(file.owner == 1234 && file.group == 1234 && file.permissions == 0o2755)
        let null = try out.status(name: "null")
        #expect(
            null.kind == .characterDevice && null.deviceMajor == 1 && null.deviceMinor == 3
                && null.owner == 7
        )
    }

    @Test func `replaces files, merges directories and deletes nothing else`() async throws {
        let fixture = try Fixture()
        try fixture.scratch.write("out/keep", "old")
        try fixture.scratch.write("out/dir/old", "old")
        try fixture.scratch.write("out/file", "old")
        var layer = MadeUpLayer()
        layer.add(file: "dir/new", "new")
        layer.add(file: "file", "new")
        try await export(fixture, layer)
        let out = try Directory(host: fixture.output)
        for (name, text) in [
            ("keep", "old"), ("dir/old", "old"), ("dir/new", "new"), ("file", "new"),
        ] {
            #expect(try out.open(name).readToEnd(byteLimit: 9) == Array(text.utf8))
        }
        var clash = MadeUpLayer()
        clash.add(file: "dir", "a file")
        let error = await exportError { try await export(fixture, clash) }
        #expect(
            error?.message
                == "cannot write \(fixture.output)/dir: a directory stands there; remove it"
        )
    }

    @Test func `is not led out by symlinks that stand in the destination`() async throws {
        let fixture = try Fixture()
        try fixture.scratch.write("outside/file", "mine")
        let out = try Directory(host: fixture.output, createMode: 0o755)
        try out.makeSymbolicLink("dir", to: "../outside")
        try out.makeSymbolicLink("file", to: "../outside/file")
        var layer = MadeUpLayer()
        layer.add(file: "dir/file", "theirs")
        layer.add(file: "file", "theirs")
        try await export(fixture, layer)
        let outside = try Directory(host: FilePath(fixture.scratch.path).appending("outside"))
        #expect(try outside.open("file").readToEnd(byteLimit: 9) == Array("mine".utf8))
        #expect(
            try out.open("dir/file", scope: .noSymlinks).readToEnd(byteLimit: 9)
                == Array("theirs".utf8)
        )
        #expect(
            try out.open("file", scope: .noSymlinks).readToEnd(byteLimit: 9) == Array("theirs".utf8)
        )
    }

    @Test func `gives each platform a directory, or refuses to mix them`() async throws {
        let fixture = try Fixture()
        var first = MadeUpLayer()
        first.add(file: "a", "1")
        var second = MadeUpLayer()
        second.add(file: "a", "2")
        let ids = ["linux/amd64", "linux/arm/v7"]
        try await export(fixture, first, second, ids: ids, isMultiPlatform: true)
        let out = try Directory(host: fixture.output)
        #expect(try out.open("linux_amd64/a").readToEnd(byteLimit: 9) == Array("1".utf8))
        #expect(try out.open("linux_arm_v7/a").readToEnd(byteLimit: 9) == Array("2".utf8))
        let error = await exportError {
            try await export(
                fixture,
                first,
                second,
                attributes: ["platform-split": "false"],
                ids: ids,
                isMultiPlatform: true
            )
        }
        #expect(error?.code == .conflict)
        #expect(error?.message.contains("from linux/arm/v7: linux/amd64 has it too") == true)
    }

    @Test(arguments: ["..", ".", "", "a\0b"])
    func `refuses a platform that is no name`(id: String) async throws {
        let fixture = try Fixture()
        let error = await exportError {
            try await export(fixture, MadeUpLayer(), ids: [id], isMultiPlatform: true)
        }
        #expect(error?.code == .conflict)
    }

    @Test func `sets all times to SOURCE_DATE_EPOCH`() async throws {
        let fixture = try Fixture()
        var layer = MadeUpLayer()
        layer.add(file: "d/f", "x")
        try await export(fixture, layer, attributes: ["source-date-epoch": "42"])
        let out = try Directory(host: fixture.output)
        #expect(try out.status(name: "d").modified == FileStatus.Time(seconds: 42))
        #expect(try out.directory("d").status(name: "f").modified == FileStatus.Time(seconds: 42))
    }

    @Test func `names a destination that cannot be written`() async throws {
        let fixture = try Fixture()
        try fixture.scratch.write("out", "a file")
        let error = await exportError { try await export(fixture, MadeUpLayer()) }
        #expect(error?.code == .unwritable && error?.fault == .environment)
        #expect(error?.message == "cannot write \(fixture.output): not a directory")
    }
}
