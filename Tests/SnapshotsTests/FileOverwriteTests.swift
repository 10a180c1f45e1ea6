// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import Snapshots
import SystemPackage
import Testing

@Suite struct FileOverwriteTests {
    @Test(arguments: [nil, FileOwner(uid: 3, gid: 4)])
    func `keeps the mode of a file, and its owner unless another is given`(owner: FileOwner?) async throws {
        let parent = try Directory(host: "/tmp")
        let name = "kiln-overwrite-\(randomToken())"
        try parent.makeDirectory(name, mode: 0o700)
        defer { try? parent.removeTree(name: name) }
        let state = try StateDirectory(path: FilePath("/tmp/\(name)/state"))
        let store = try SnapshotStore(state: state, content: ContentStore(state: state))
        let base = FileTree.scratch.adding(
            try await store.write(on: .scratch) {
                try $0.makeFile("file", mode: 0o640, data: [1], owner: FileOwner(uid: 1, gid: 2))
                try $0.makeSymbolicLink("link", to: "file")
            }
        )
        let tree = base.adding(
            try await store.write(on: base) { try $0.makeFile("link", mode: 0o600, data: [2, 2], owner: owner) }
        )
        let reader = try await TreeReader(tree)
        let entry = try #require(try reader.stat("file", followSymlinks: false))
        #expect(FileOwner(uid: entry.uid, gid: entry.gid) == owner ?? FileOwner(uid: 1, gid: 2))
        #expect(entry.mode == 0o640)
        #expect(try reader.readFile("link", byteLimit: 10) == [2, 2])
        #expect(try reader.stat("link", followSymlinks: false)?.linkTarget == "file")
    }
}
