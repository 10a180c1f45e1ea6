// SPDX-License-Identifier: Apache-2.0

import Archives
import ContentStore
import LinuxSystem
import OCI
import Snapshots
import Testing

@Suite struct ExportTests {
    @Sendable static func fill(_ writer: TreeWriter) throws {
        try writer.file("a/one", "1", mode: 0o600, owner: FileOwner(uid: 5, gid: 6), at: 100)
        try writer.file("a/two", "2", at: 200)
        try writer.makeDirectory("empty", mode: 0o700, timestamp: FileStatus.Time(seconds: 300))
        try writer.makeSymbolicLink("link", to: "a/one", timestamp: FileStatus.Time(seconds: 400))
    }

    @Test(arguments: [Compression.none, .gzip(level: nil), .zstd(level: nil)])
    func `a packed layer unpacks to the same tree, deletions included`(compression: Compression) async throws {
        let fixture = try Fixture()
        let base = try fixture.image([.file("gone/x", "1"), .file("dir/old", "2"), .file("kept", "3")])
        let lower = FileTree(layers: [base])
        let layer = try await fixture.layer(on: lower) { writer in
            try Self.fill(writer)
            try writer.remove("gone")
            try writer.remove("dir")
            try writer.file("dir/new", "4")
        }
        let before = try await TreeReader(lower.adding(layer)).dump()
        let (blob, diffID) = try await fixture.store.export(layer, compression: compression)
        #expect(layer.diffID == diffID)
        let back = fixture.store.imageLayer(blob: blob, diffID: diffID, below: [base], fetch: {})
        #expect(try await TreeReader(lower.adding(back)).dump() == before)
        #expect(try await TreeReader(lower.adding(back)).names() == ["a", "dir", "empty", "kept", "link"])
        #expect(try await TreeReader(lower.adding(back)).names("dir") == ["new"])
    }

    @Test func `packs hard links once and unpacks them as links`() async throws {
        let fixture = try Fixture()
        let image = try fixture.image([.file("a", "text"), .hard("d/b", "a"), .hard("c", "a")])
        let source = FileTree(layers: [image])
        let reader = try await TreeReader(source)
        let layer = try await fixture.layer { try $0.copy(from: reader, "/", to: "/", CopyOptions.contents) }
        let before = try await TreeReader(FileTree(layers: [layer])).dump()
        #expect(before.values.filter { $0.contains(" =a") }.count == 2)
        let (blob, diffID) = try await fixture.store.export(layer, compression: .none)
        let back = fixture.store.imageLayer(blob: blob, diffID: diffID, below: [], fetch: {})
        #expect(try await TreeReader(FileTree(layers: [back])).dump() == before)
    }

    @Test func `gives the same bytes on every machine and remembers them`() async throws {
        let (one, two) = (try Fixture(), try Fixture())
        @Sendable func fill(_ writer: TreeWriter) throws {
            try writer.makeFile("x", mode: 0o644, data: [1], timestamp: FileStatus.Time(seconds: 7, nanoseconds: 9))
            try writer.makeDirectory("d", mode: 0o755, timestamp: FileStatus.Time(seconds: 8))
        }
        let layers = [try await one.layer(fill), try await two.layer(fill)]
        let a = try await one.store.export(layers[0], compression: .gzip(level: nil))
        let b = try await two.store.export(layers[1], compression: .gzip(level: nil))
        #expect(a.blob == b.blob && a.diffID == b.diffID)
        #expect(try await one.store.export(layers[0], compression: .gzip(level: nil)).blob == a.blob)
        let again = try one.secondStore().layer(id: layers[0].id)
        #expect(again.diffID == a.diffID)
        #expect(again.blob == a.blob)
        // A blob that was collected is packed again.
        try one.content.remove(a.blob.digest)
        #expect(try await one.store.export(layers[0], compression: .gzip(level: nil)).blob == a.blob)
        #expect(one.content.contains(a.blob.digest))
    }

    @Test func `clamps times without forgetting the plain form`() async throws {
        let fixture = try Fixture()
        let layer = try await fixture.layer { writer in
            try writer.makeFile("late", mode: 0o644, data: [], timestamp: FileStatus.Time(seconds: 5000))
            try writer.makeFile("early", mode: 0o644, data: [], timestamp: FileStatus.Time(seconds: 50))
        }
        let plain = try await fixture.store.export(layer, compression: .none)
        let clamped = try await fixture.store.export(layer, compression: .none, clamp: 100)
        #expect(plain.diffID != clamped.diffID)
        #expect(layer.diffID == plain.diffID)
        let back = fixture.store.imageLayer(blob: clamped.blob, diffID: clamped.diffID, below: [], fetch: {})
        let reader = try await TreeReader(FileTree(layers: [back]))
        #expect(try reader.stat("late", followSymlinks: false)?.mtime.seconds == 100)
        #expect(try reader.stat("early", followSymlinks: false)?.mtime.seconds == 50)
    }

    @Test func `an image's layer gives its own blob, or the same tar in another compression`() async throws {
        let fixture = try Fixture()
        let layer = try fixture.image([.file("f", "x").with { $0.nanoseconds = 5 }], compression: .gzip(level: 9))
        let (own, diffID) = (try #require(layer.blob), try #require(layer.diffID))
        #expect(try await fixture.store.export(layer, compression: .zstd(level: nil)).blob == own)
        let forced = try await fixture.store.export(layer, compression: .zstd(level: nil), force: true)
        #expect(forced.diffID == diffID)
        #expect(forced.blob.mediaType == MediaType.layerZstd)
        #expect(layer.diffID == diffID && layer.blob == own)
        #expect(try fixture.secondStore().layer(id: layer.id).diffID == diffID)
    }
}

extension CopyOptions {
    static var contents: CopyOptions {
        var options = CopyOptions()
        options.copyDirectoryContents = true
        return options
    }
}
