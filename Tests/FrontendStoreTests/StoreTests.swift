// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import ProjectFiles
import RegistryTestSupport
import SystemPackage
import Testing

@testable import FrontendStore

@Suite struct StoreTests {
    /// A store with one tree, made of a directory.
    private struct Fixture {
        let scratch: Scratch
        let store: FrontendStore
        let source: FilePath
        let tree: TreeDigest

        init() throws {
            scratch = try Scratch()
            store = try scratch.frontends()
            source = try scratch.package("package", package())
            tree = try FrontendPackage.digest(of: source)
        }

        @discardableResult
        func insert(_ store: FrontendStore? = nil) throws -> (package: FrontendPackage, isNew: Bool) {
            try (store ?? self.store).insert(tree) { builder in
                try PackageContents(Directory(host: source)).copy(into: &builder)
            }
        }

        var place: String { "frontends/sha256/\(tree.digest.hex)" }
    }

    @Test func `an installed tree is found, read-only, and installing it again changes nothing`() throws {
        let fixture = try Fixture()
        #expect(try fixture.store.find(fixture.tree) == nil)
        #expect(try fixture.insert().isNew)
        let found = try #require(try fixture.store.find(fixture.tree))
        #expect(found.manifest.version.description == "1.4.2")
        let root = try Directory(host: found.directory)
        #expect(try root.status().permissions == 0o555)
        #expect(try root.status(name: "bin").permissions == 0o555)
        #expect(try root.status(name: "frontend.toml").permissions == 0o444)
        #expect(try root.directory("bin").status(name: "spec").permissions == 0o555)
        let inode = try root.status().inode
        #expect(try !fixture.insert().isNew)
        #expect(try Directory(host: found.directory).status().inode == inode)
        let listed = try fixture.store.list()
        #expect(listed.map(\.tree) == [fixture.tree])
        #expect(listed.first?.manifest?.name.text == "acme/spec")
    }

    @Test func `content of another digest is not kept`() throws {
        let fixture = try Fixture()
        let wanted = TreeDigest(Digest.of("another"))
        #expect(throws: UnexpectedTree.self) {
            try fixture.store.insert(wanted) { builder in
                try PackageContents(Directory(host: fixture.source)).copy(into: &builder)
            }
        }
        #expect(fixture.scratch.names(in: "frontends/sha256").isEmpty)
        #expect(fixture.scratch.names(in: "frontends/leases").isEmpty)
    }

    @Test func `a changed file is found out though length and time are the same, and the tree is replaced`() throws {
        let fixture = try Fixture()
        var package: FrontendPackage? = try fixture.insert().package
        let directory = try #require(package).directory
        package = nil
        _ = try #require(try fixture.store.find(fixture.tree))
        let words = try Directory(host: directory).directory("data")
        let before = try words.status(name: "words.txt").modified
        try words.setMode(name: "words.txt", 0o644)
        try words.open("words.txt", flags: O_WRONLY).write("hallo".utf8)
        try words.setTime(name: "words.txt", before)
        try words.setMode(name: "words.txt", 0o444)

        let error = #expect(throws: FrontendStoreError.self) { try fixture.store.find(fixture.tree) }
        #expect(error?.code == .damaged)
        #expect((error?.cause as? DamagedTree)?.found != fixture.tree)
        #expect(try fixture.store.rehash(fixture.tree) != fixture.tree)

        #expect(try fixture.insert().isNew)
        #expect(try fixture.store.find(fixture.tree) != nil)
        #expect(fixture.scratch.names(in: "frontends/sha256") == [fixture.tree.digest.hex])
    }

    @Test func `a file too many in a stored tree is damage`() throws {
        let fixture = try Fixture()
        let directory = try fixture.insert().package.directory
        let data = try Directory(host: directory).directory("data")
        try data.descriptor.setMode(0o755)
        try data.createFile("more", mode: 0o644).write("x".utf8)
        #expect(throws: FrontendStoreError.self) { try fixture.store.find(fixture.tree) }
    }

    @Test func `a tree that is used is neither removed nor collected, and goes afterwards`() throws {
        let fixture = try Fixture()
        var package: FrontendPackage? = try fixture.insert().package
        let other = try fixture.scratch.frontends()
        #expect(throws: FrontendStoreError.self) { try other.remove(fixture.tree) }
        #expect(try other.collect(unusedFor: .zero, keeping: []).isEmpty)
        #expect(package?.manifest.version.description == "1.4.2")
        package = nil
        #expect(try other.collect(unusedFor: .seconds(3600), keeping: []).isEmpty)
        #expect(try other.collect(unusedFor: .zero, keeping: [fixture.tree]).isEmpty)
        #expect(try other.collect(unusedFor: .zero, keeping: []).map(\.tree) == [fixture.tree])
        #expect(try fixture.store.find(fixture.tree) == nil)
        #expect(fixture.scratch.names(in: "frontends/sha256").isEmpty)
        #expect(try !other.remove(fixture.tree))
    }

    @Test func `what a dead process left unfinished goes, what a living one makes stays`() throws {
        let fixture = try Fixture()
        let sha256 = try Directory(host: FilePath(fixture.scratch.path).appending("frontends/sha256"))
        let dead = try sha256.makeDirectories(".dead/bin")
        try dead.createFile("spec", mode: 0o555).write("half".utf8)
        try dead.descriptor.setMode(0o555)
        let living = try TemporaryTree(fixture.store)
        let second = try fixture.scratch.frontends()
        #expect(fixture.scratch.names(in: "frontends/sha256") == [living.name])
        living.discard()
        #expect(fixture.scratch.names(in: "frontends/sha256").isEmpty)
        #expect(fixture.scratch.names(in: "frontends/leases").isEmpty)
        withExtendedLifetime(second) {}
    }

    @Test func `many installs of many trees at once leave each of them once and whole`() async throws {
        let scratch = try Scratch()
        let sources = try (0..<4).map { try scratch.package("package-\($0)", package("1.0.\($0)", says: "word \($0)")) }
        let trees = try sources.map { try FrontendPackage.digest(of: $0) }
        let newCount = try await withThrowingTaskGroup(of: Bool.self) { group in
            for index in 0..<24 {
                let (source, tree) = (sources[index % 4], trees[index % 4])
                // Locks belong to open files: a store of one's own is as good as a process of one's own.
                let store = try scratch.frontends()
                group.addTask {
                    try await blocking {
                        try store.insert(tree) { builder in
                            try PackageContents(Directory(host: source)).copy(into: &builder)
                        }.isNew
                    }
                }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(newCount == 4)
        #expect(scratch.names(in: "frontends/sha256") == trees.map(\.digest.hex).sorted())
        let store = try scratch.frontends()
        for tree in trees { #expect(try store.rehash(tree) == tree) }
    }
}
