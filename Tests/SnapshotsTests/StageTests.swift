// SPDX-License-Identifier: Apache-2.0

import ContentStore
import Glibc
import LinuxSystem
@testable import Snapshots
import SystemPackage
import Testing

/// Stages, differences, flat trees and cache directories in a store of their own.
@Suite struct StageTests {
    private func withStore(
        mode: SnapshotStore.Mode? = nil,
        _ body: (SnapshotStore) async throws -> Void
    ) async throws {
        let parent = try Directory(host: "/tmp")
        let name = "kiln-stage-\(randomToken())"
        try parent.makeDirectory(name, mode: 0o700)
        defer { try? parent.removeTree(name: name) }
        let state = try StateDirectory(path: FilePath("/tmp/\(name)/state"))
        try await body(SnapshotStore(state: state, content: ContentStore(state: state), mode: mode))
    }

    /// `base/{kept,gone}`, `base/sub/file` and `top`.
    private func baseTree(_ store: SnapshotStore) async throws -> FileTree {
        FileTree(layers: [
            try await store.write(on: .scratch) { writer in
                try writer.makeDirectory("base/sub", mode: 0o750, makeParents: true)
                try writer.makeFile("base/kept", mode: 0o644, data: Array("kept".utf8))
                try writer.makeFile("base/gone", mode: 0o644, data: Array("gone".utf8))
                try writer.makeFile("base/sub/file", mode: 0o600, data: Array("file".utf8))
                try writer.makeFile("top", mode: 0o755, data: Array("top".utf8))
            }
        ])
    }

    /// All paths with what stands there; files by their text.
    private func describe(_ tree: FileTree) async throws -> [String] {
        let reader = try await TreeReader(tree)
        var lines: [String] = []
        try reader.walk { entry in
            var line = "\(entry.path) \(String(entry.mode, radix: 8))"
            if entry.isRegular {
                line += " " + String(decoding: try reader.readFile(entry.path, byteLimit: 100), as: UTF8.self)
            } else if let target = entry.linkTarget {
                line += " -> \(target)"
            }
            lines.append(line)
            return true
        }
        return lines
    }

    /// What a step might do, on plain files.
    private func change(_ root: Directory) throws {
        let base = try root.directory("base")
        try base.remove(name: "gone")
        try base.removeTree(name: "sub")
        try base.makeDirectory("sub", mode: 0o755)
        try base.createFile("sub/new", mode: 0o644).write(Array("new".utf8))
        try base.setMode(name: "sub", 0o755)
        try base.setMode(name: "sub/new", 0o644)
        try base.makeSymbolicLink("link", to: "../top")
        try base.setMode(name: "kept", 0o600)
    }

    private let changed = [
        " 755", "base 750", "base/kept 600 kept", "base/link 777 -> ../top", "base/sub 755", "base/sub/new 644 new",
        "top 755 top",
    ]

    @Test func `finds what a step changed in a copied root`() async throws {
        try await withStore(mode: .copy) { store in
            let tree = try await baseTree(store)
            let stage = try await store.stage(on: tree)
            #expect(stage.mode == .copy)
            #expect(stage.lowers.isEmpty)
            try change(stage.upper)
            let layer = try #require(try await stage.commit())
            let found = try await describe(tree.adding(layer))
            #expect(found == changed, "\(found)")
            // Only what changed is in the layer.
            let content = try await layer.content()
            #expect(try content.entry("top") == nil)
            #expect(try content.entry("base/gone")?.kind == .whiteout)
        }
    }

    @Test func `makes no layer of a step that changed nothing`() async throws {
        for mode: SnapshotStore.Mode in [.copy, .overlay] {
            try await withStore(mode: mode) { store in
                let tree = try await baseTree(store)
                #expect(try await store.stage(on: tree).commit() == nil)
                await (try store.stage(on: tree)).discard()
                #expect(try store.list() == tree.layers.map(\.id))
                #expect(try store.state.temporary.entries().isEmpty)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "needs to mount"))
    func `reads what the kernel's overlayfs wrote`() async throws {
        try await withStore(mode: .overlay) { store in
            let tree = try await baseTree(store)
            let stage = try await store.stage(on: tree)
            #expect(stage.lowers.count == 1)
            let work = try #require(stage.work)
            let place = store.state.path.removingLastComponent().appending("merged")
            _ = try Directory(host: place, createMode: 0o755)
            // By path: the launcher mounts by descriptor, this test only wants the kernel's own notes.
            let script = """
                set -e; umask 022
                mount -t overlay -o lowerdir=$(readlink /proc/\(getpid())/fd/\(stage.lowers[0].descriptor.number)),\
                upperdir=$(readlink /proc/\(getpid())/fd/\(stage.upper.descriptor.number)),\
                workdir=$(readlink /proc/\(getpid())/fd/\(work.descriptor.number)) kiln \(place)
                cd \(place)/base
                rm gone; rm -r sub; mkdir sub; printf new > sub/new; ln -s ../top link; chmod 600 kept
                cd /; umount \(place)
                """
            #expect(try await run(["/usr/bin/unshare", "-m", "/bin/sh", "-c", script]) == 0)
            let layer = try #require(try await stage.commit())
            let found = try await describe(tree.adding(layer))
            #expect(found == changed, "\(found)")
        }
    }

    @Test func `finds the difference of two trees that share nothing`() async throws {
        try await withStore { store in
            let lower = try await baseTree(store)
            let upper = FileTree(layers: [
                try await store.write(on: .scratch) { writer in
                    try writer.makeDirectory("base", mode: 0o700)
                    try writer.makeFile("base/kept", mode: 0o644, data: Array("other".utf8))
                    try writer.makeFile("base/sub", mode: 0o644, data: Array("file now".utf8))
                    try writer.makeDirectory("top", mode: 0o755)
                    try writer.makeFile("top/in", mode: 0o644, data: [])
                }
            ])
            let layer = try await store.difference(lower: lower, upper: upper)
            #expect(try await describe(lower.adding(layer)) == describe(upper))
            let none = try await store.difference(lower: lower, upper: baseTree(store))
            let again = try await describe(lower.adding(none))
            #expect(try await again == describe(lower))
        }
    }

    @Test func `keeps a tree of many layers readable in few directories`() async throws {
        try await withStore { store in
            var tree = try await baseTree(store)
            for index in 0..<200 {
                tree = tree.adding(
                    try await store.write(on: tree) { writer in
                        try writer.makeFile("base/n\(index)", mode: 0o644, data: Array("\(index)".utf8))
                        if index % 7 == 0 { try writer.remove("base/n\(index / 2)", allowNotFound: true) }
                        if index == 150 { try writer.remove("base/sub") }
                    }
                )
            }
            let stage = try await store.stage(on: tree)
            #expect(stage.lowers.count <= SnapshotStore.lowerDirectoryLimit)
            await stage.discard()
            let flat = try await store.flattened(tree)
            #expect(try await describe(flat) == describe(tree))
            // The flat part is kept for the next stage.
            let count = try store.list().count
            await (try store.stage(on: tree)).discard()
            #expect(try store.list().count == count)
        }
    }

    // MARK: Cache directories

    @Test func `keeps what is written to a cache mount`() async throws {
        try await withStore { store in
            let seed = try await baseTree(store)
            do {
                let cache = try await store.cacheDirectory(
                    id: "../../go",
                    sharing: .locked,
                    seed: seed,
                    seedPath: "/base"
                )
                #expect(cache.isNew)
                #expect(try cache.directory.statusIfExists(name: "kept") != nil)
                #expect(try cache.directory.status().permissions == 0o750)
                try cache.directory.createFile("more", mode: 0o644).write([1])
            }
            let again = try await store.cacheDirectory(id: "../../go", sharing: .shared, seed: seed, seedPath: "/base")
            #expect(!again.isNew)
            #expect(try again.directory.statusIfExists(name: "more") != nil)
            // Another seed is another cache.
            #expect(try await store.cacheDirectory(id: "../../go", sharing: .shared).isNew)
            #expect(try store.cacheDirectories().map(\.id) == ["../../go", "../../go"])
        }
    }

    @Test func `shares, locks and separates cache mounts`() async throws {
        try await withStore { store in
            let first = try await store.cacheDirectory(id: "c", sharing: .shared)
            let second = try await store.cacheDirectory(id: "c", sharing: .shared)
            #expect(try first.directory.status().inode == second.directory.status().inode)
            let waiting = Task { try await store.cacheDirectory(id: "c", sharing: .locked) }
            try await Task.sleep(for: .milliseconds(60))
            waiting.cancel()
            await #expect(throws: CancellationError.self) { _ = try await waiting.value }
            let own = try await store.cacheDirectory(id: "c", sharing: .isolated)
            #expect(try own.directory.status().inode != first.directory.status().inode)
            let held = try #require(try store.cacheDirectories().first { !$0.name.contains("-") })
            #expect(try !store.removeCacheDirectory(held.name))
            withExtendedLifetime((first, second, own)) {}
        }
    }

    @Test func `removes a cache mount that nobody holds`() async throws {
        try await withStore { store in
            do { _ = try await store.cacheDirectory(id: "c", sharing: .locked) }
            let info = try #require(try store.cacheDirectories().first)
            #expect(try store.removeCacheDirectory(info.name))
            #expect(try store.cacheDirectories().isEmpty)
            for name in ["../x", "a/b", "A"] {
                #expect(throws: SnapshotError.self) { try store.removeCacheDirectory(name) }
            }
        }
    }

    // MARK: Modes

    @Test(arguments: [
        ("644", 0o755, 0o644), ("4711", 0o644, 0o4711), ("u+x", 0o644, 0o744), ("a=rX", 0o755, 0o555),
        ("a=rX", 0o644, 0o444), ("u+rwX,go-w", 0o622, 0o600), ("g=u", 0o640, 0o660), ("go=u", 0o700, 0o777),
        ("o-g", 0o657, 0o652), ("a=u", 0o751, 0o777), ("+t", 0o755, 0o1755), ("u+s", 0o755, 0o4755),
        ("ug+s", 0o755, 0o6755),
        ("u=rw", 0o4755, 0o655), ("=", 0o777, 0), ("o+s", 0o755, 0o755),
    ])
    func `changes modes as chmod does`(change: String, before: Int, after: Int) throws {
        let result = try ModeChange(change).apply(to: UInt32(before), isDirectory: false)
        #expect(result == UInt32(after), "\(String(result, radix: 8))")
    }

    @Test(arguments: ["", "u", "rwx", "u+q", "u+r,", ",u+r", "99", "77777", "0x7", "u*r"])
    func `refuses modes that make no sense`(change: String) {
        let error = #expect(throws: SnapshotError.self) { try ModeChange(change) }
        #expect(error?.code == .invalid)
    }

    /// Runs a program and gives its exit status.
    private func run(_ arguments: [String]) async throws -> Int32 {
        try await blocking {
            var pid: pid_t = 0
            var argv = unsafe arguments.map { unsafe strdup($0) } + [nil]
            defer { unsafe argv.forEach { unsafe free($0) } }
            guard unsafe posix_spawn(&pid, arguments[0], nil, nil, &argv, environ) == 0 else { return -1 }
            var status: Int32 = 0
            while unsafe waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            return status
        }
    }
}
