// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import OCI
import Snapshots
import SystemPackage
import Testing

@Suite struct ContentDigestTests {
    // MARK: What counts

    @Test func `is the digest that BuildKit gives a file`() async throws {
        // printf 'namemode420uid0gid0size5typeflag0linknameunamegnamedevmajor0devminor0hello' | sha256sum
        let digest = try await digest(of: "a/file") { try $0.file("a/file", "hello") }
        #expect(
            digest.description == "sha256:cb3569cdc1e1de3978ee5b8ea2a3bf0ceca715be019dc377ed496759d3cccfd6"
        )
    }

    @Test(arguments: [
        Change("the bytes of a file") { try $0.file("d/file", "other") },
        Change("the mode of a file") { try $0.file("d/file", "hello", mode: 0o755) },
        Change("the owner of a file") { try $0.file("d/file", "hello", owner: FileOwner(uid: 7, gid: 0)) },
        Change("the group of a file") { try $0.file("d/file", "hello", owner: FileOwner(uid: 0, gid: 7)) },
        Change("the target of a link") {
            try $0.remove("d/link")
            try $0.makeSymbolicLink("d/link", to: "elsewhere")
        },
        Change("a new name") { try $0.file("d/new", "") },
        Change("a name that is gone") { try $0.remove("d/file") },
        Change("a directory in place of a file") {
            try $0.remove("d/file")
            try $0.makeDirectory("d/file", mode: 0o755)
        },
        Change("an empty directory") { try $0.makeDirectory("d/empty", mode: 0o755) },
        Change("the mode of a directory below") {
            try $0.remove("d/sub")
            try $0.makeDirectory("d/sub", mode: 0o700)
            try $0.file("d/sub/deep", "deep")
        },
    ])
    func `tells directories apart by what is in them`(change: Change) async throws {
        try await withStore { store in
            let base = FileTree.scratch.adding(try await store.write(on: .scratch, standard))
            let changed = base.adding(try await store.write(on: base, change.body))
            #expect(try await digest(base, "d") != digest(changed, "d"))
        }
    }

    @Test func `does not count times, and not what lies outside`() async throws {
        try await withStore { store in
            let one = FileTree.scratch.adding(try await store.write(on: .scratch, standard))
            let two = FileTree.scratch.adding(
                try await store.write(on: .scratch) {
                    try standard($0)
                    try $0.makeFile(
                        "d/file",
                        mode: 0o644,
                        data: Array("hello".utf8),
                        timestamp: FileStatus.Time(seconds: 1)
                    )
                    try $0.file("outside", "more")
                }
            )
            #expect(try await digest(one, "d") == digest(two, "d"))
            #expect(try await digest(one, "") != digest(two, ""))
        }
    }

    @Test func `does not depend on how a tree is cut into layers, or on a restart`() async throws {
        try await withStore { store in
            let whole = FileTree.scratch.adding(try await store.write(on: .scratch, standard))
            let below = FileTree.scratch.adding(
                try await store.write(on: .scratch) {
                    try standard($0)
                    try $0.file("d/file", "an older file")
                    try $0.file("d/gone", "deleted later")
                }
            )
            let cut = below.adding(
                try await store.write(on: below) {
                    try $0.file("d/file", "hello")
                    try $0.remove("d/gone")
                }
            )
            #expect(try await digest(whole, "d") == digest(cut, "d"))
            // Another process reads the same layers from disk.
            let other = try SnapshotStore(state: StateDirectory(path: store.state.path), content: store.content)
            let reopened = FileTree(layers: try cut.layers.map { try other.layer(id: $0.id) })
            #expect(try await digest(reopened, "d") == digest(cut, "d"))
        }
    }

    // MARK: Links

    @Test func `follows links on the way, and the last one where asked`() async throws {
        try await withStore { store in
            let tree = FileTree.scratch.adding(
                try await store.write(on: .scratch) {
                    try standard($0)
                    try $0.makeSymbolicLink("alias", to: "/d")
                }
            )
            #expect(try await digest(tree, "alias/file") == digest(tree, "d/file"))
            #expect(try await digest(tree, "alias", followSymlinks: true) == digest(tree, "d"))
            #expect(try await digest(tree, "alias") != digest(tree, "d"))
            #expect(try await digest(tree, "../alias/../alias/./file") == digest(tree, "d/file"))
        }
    }

    @Test(arguments: [false, true])
    func `finds a path without wildcards through links`(wildcard: Bool) async throws {
        try await withStore { store in
            let one = FileTree.scratch.adding(try await store.write(on: .scratch, linked))
            let two = one.adding(try await store.write(on: one) { try $0.file("usr/lib/so", "newer") })
            #expect(try await digest(one, "lib/so", wildcard: wildcard) != digest(two, "lib/so", wildcard: wildcard))
            #expect(try await digest(one, "lib/so", wildcard: wildcard) != ContentHash.empty)
        }
    }

    @Test func `gives matches below a link the names they were asked by`() async throws {
        try await withStore { store in
            let one = FileTree.scratch.adding(try await store.write(on: .scratch, linked))
            let two = one.adding(
                try await store.write(on: one) {
                    try $0.remove("lib")
                    try $0.remove("usr")
                    try $0.file("lib/so", "old")
                }
            )
            #expect(try await digest(one, "lib/*", wildcard: true) == digest(two, "lib/*", wildcard: true))
        }
    }

    @Test(arguments: [["*.tmp"], []])
    func `counts a link itself unless it is followed`(exclude: [String]) async throws {
        try await withStore { store in
            let one = FileTree.scratch.adding(
                try await store.write(on: .scratch) {
                    try $0.file("one/x", "same")
                    try $0.file("two/x", "same")
                    try $0.makeSymbolicLink("link", to: "one")
                }
            )
            let two = one.adding(
                try await store.write(on: one) {
                    try $0.remove("link")
                    try $0.makeSymbolicLink("link", to: "two")
                }
            )
            #expect(try await digest(one, "link", exclude: exclude) != digest(two, "link", exclude: exclude))
            #expect(
                try await digest(one, "link", followSymlinks: true, exclude: exclude)
                    == digest(two, "link", followSymlinks: true, exclude: exclude)
            )
        }
    }

    // MARK: Selections

    @Test func `counts what patterns choose and nothing else`() async throws {
        try await withStore { store in
            let one = FileTree.scratch.adding(try await store.write(on: .scratch, standard))
            let noise = one.adding(
                try await store.write(on: one) {
                    try $0.file("d/noise.tmp", "1")
                    try $0.file("d/sub/noise.tmp", "2")
                }
            )
            let change = one.adding(try await store.write(on: one) { try $0.file("d/sub/deep", "changed") })
            #expect(try await digest(one, "d", exclude: ["**/*.tmp"]) == digest(noise, "d", exclude: ["**/*.tmp"]))
            #expect(try await digest(one, "d", exclude: ["**/*.tmp"]) != digest(change, "d", exclude: ["**/*.tmp"]))
            #expect(try await digest(one, "d", include: ["sub"]) != digest(noise, "d", include: ["sub"]))
            #expect(try await digest(one, "d", include: ["file"]) == digest(change, "d", include: ["file"]))
            #expect(try await digest(one, "d", include: ["sub/deep"]) != digest(change, "d", include: ["sub/deep"]))
            #expect(try await digest(one, "d", include: ["nothing"]) == ContentHash.empty)
        }
    }

    @Test(arguments: [(include: [String](), exclude: ["file"]), (include: ["other"], exclude: [])])
    func `counts a file that was named, whatever the patterns say, as copying does`(
        patterns: (include: [String], exclude: [String])
    ) async throws {
        try await withStore { store in
            let one = FileTree.scratch.adding(try await store.write(on: .scratch, standard))
            let two = one.adding(try await store.write(on: one) { try $0.file("d/file", "changed") })
            for (path, wildcard) in [("d/f*", true), ("d/file", false)] {
                func digest(_ tree: FileTree) async throws -> Digest {
                    try await TreeReader(tree).contentDigest(
                        path,
                        wildcard: wildcard,
                        include: patterns.include,
                        exclude: patterns.exclude
                    )
                }
                #expect(try await digest(one) != digest(two))
                // The copy takes the file, so its content must count.
                let copy = try await store.write(on: .scratch) { [reader = try await TreeReader(one)] writer in
                    var options = CopyOptions()
                    options.allowWildcard = wildcard
                    options.createDestinationPath = true
                    options.includePatterns = patterns.include
                    options.excludePatterns = patterns.exclude
                    try writer.copy(from: reader, path, to: "dest/", options)
                }
                let copied = try await TreeReader(FileTree.scratch.adding(copy))
                #expect(try copied.stat("dest/file", followSymlinks: false) != nil)
            }
        }
    }

    @Test func `gives the digest of nothing when a wildcard matches nothing`() async throws {
        let digest = try await digest(of: "x*", wildcard: true) { try $0.file("file", "hello") }
        #expect(digest == ContentHash.empty)
    }

    @Test func `refuses a path, a link's end or a required path that is not there`() async throws {
        try await withStore { store in
            let tree = FileTree.scratch.adding(
                try await store.write(on: .scratch) {
                    try standard($0)
                    try $0.makeSymbolicLink("dangling", to: "nowhere")
                    try $0.makeSymbolicLink("circle", to: "circle")
                }
            )
            let reader = try await TreeReader(tree)
            func code(_ body: () throws -> Digest) -> SnapshotError.Code? {
                do { _ = try body() } catch { return (error as? SnapshotError)?.code }
                return nil
            }
            #expect(code { try reader.contentDigest("none") } == .notFound)
            #expect(code { try reader.contentDigest("d/file/below") } == .notFound)
            #expect(code { try reader.contentDigest("dangling", followSymlinks: true) } == .notFound)
            #expect(code { try reader.contentDigest("dang*", followSymlinks: true, wildcard: true) } == .notFound)
            #expect(code { try reader.contentDigest("dangling") } == nil)
            #expect(code { try reader.contentDigest("circle", followSymlinks: true) } == .tooManyLinks)
            #expect(code { try reader.contentDigest("d", include: ["sub"], requiredPaths: ["d/file"]) } == .notFound)
            #expect(code { try reader.contentDigest("d", include: ["file"], requiredPaths: ["d/file"]) } == nil)
        }
    }

    // MARK: Fixture

    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let body: @Sendable (TreeWriter) throws -> Void

        init(_ name: String, _ body: @escaping @Sendable (TreeWriter) throws -> Void) {
            testDescription = name
            self.body = body
        }
    }

    private func digest(
        of path: String,
        wildcard: Bool = false,
        in body: @escaping @Sendable (TreeWriter) throws -> Void
    ) async throws -> Digest {
        try await withStore { store in
            let tree = FileTree.scratch.adding(try await store.write(on: .scratch, body))
            return try await digest(tree, path, wildcard: wildcard)
        }
    }

    private func digest(
        _ tree: FileTree,
        _ path: String,
        followSymlinks: Bool = false,
        wildcard: Bool = false,
        include: [String] = [],
        exclude: [String] = []
    ) async throws -> Digest {
        try await TreeReader(tree).contentDigest(
            path,
            followSymlinks: followSymlinks,
            wildcard: wildcard,
            include: include,
            exclude: exclude
        )
    }

    private func withStore<Value>(_ body: (SnapshotStore) async throws -> Value) async throws -> Value {
        let parent = try Directory(host: "/tmp")
        let name = "kiln-content-digest-\(randomToken())"
        try parent.makeDirectory(name, mode: 0o700)
        defer { try? parent.removeTree(name: name) }
        let state = try StateDirectory(path: FilePath("/tmp/\(name)/state"))
        return try await body(SnapshotStore(state: state, content: ContentStore(state: state)))
    }
}

/// A directory with a bit of everything.
@Sendable private func standard(_ writer: TreeWriter) throws {
    try writer.file("d/file", "hello")
    try writer.file("d/sub/deep", "deep")
    try writer.makeSymbolicLink("d/link", to: "file")
}

/// What distributions with merged `/usr` look like.
@Sendable private func linked(_ writer: TreeWriter) throws {
    try writer.file("usr/lib/so", "old")
    try writer.makeSymbolicLink("lib", to: "usr/lib")
}

extension TreeWriter {
    fileprivate func file(
        _ path: String,
        _ text: String,
        mode: UInt32 = 0o644,
        owner: FileOwner? = nil
    ) throws {
        let (directory, _) = TreePath.split(path)
        try makeDirectory(directory, mode: 0o755, makeParents: true)
        // Writing over a file keeps its mode.
        try remove(path, allowNotFound: true)
        try makeFile(path, mode: mode, data: Array(text.utf8), owner: owner)
    }
}
