// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import OCI
import Testing

@Suite struct ContentStoreTests {
    private let bytes = Array("hello, store".utf8)

    @Test func `gives back what was put, by digest`() throws {
        try withScratchStore { store in
            let digest = try store.put(bytes)
            #expect(digest == Digest.of(bytes))
            #expect(store.contains(digest))
            #expect(try store.size(of: digest) == Int64(bytes.count))
            #expect(try store.read(digest, byteLimit: 100) == bytes)
            #expect(try store.list().map(\.digest) == [digest])
            #expect(try store.put(bytes) == digest)
        }
    }

    @Test func `says that a blob is not there, and removes what is not there`() throws {
        try withScratchStore { store in
            let digest = Digest.of("nobody wrote this")
            #expect(!store.contains(digest))
            #expect(code { _ = try store.open(digest) } == .notFound)
            #expect(code { _ = try store.size(of: digest) } == .notFound)
            #expect(code { _ = try store.read(digest, byteLimit: 1) } == .notFound)
            try store.remove(digest)
        }
    }

    @Test func `refuses to read more than the limit`() throws {
        try withScratchStore { store in
            let digest = try store.put(bytes)
            #expect(code { _ = try store.read(digest, byteLimit: bytes.count - 1) } == .tooLarge)
            #expect(try store.read(digest, byteLimit: bytes.count) == bytes)
        }
    }

    @Test(arguments: [0, 5, 11]) func `moves a blob with a flipped byte away`(position: Int) throws {
        try withScratchStore { store in
            let digest = try store.put(bytes)
            var damaged = bytes
            damaged[position] ^= 1
            try replace(digest, in: store, with: damaged)
            #expect(code { _ = try store.read(digest, byteLimit: 100) } == .corrupt)
            #expect(!store.contains(digest))
            // The next build puts it again, and it is sound.
            try store.put(bytes)
            try store.verify(digest)
        }
    }

    @Test func `finds a cut, a grown and an emptied blob`() throws {
        for damaged in [Array(bytes.dropLast()), bytes + [0], []] {
            try withScratchStore { store in
                let digest = try store.put(bytes)
                try replace(digest, in: store, with: damaged)
                #expect(code { try store.verify(digest) } == .corrupt)
                #expect(!store.contains(digest))
            }
        }
    }

    @Test func `replaces a standing blob of another length when the right bytes come`() throws {
        try withScratchStore { store in
            let digest = try store.put(bytes)
            try replace(digest, in: store, with: [1, 2, 3])
            try store.put(bytes)
            #expect(try store.read(digest, byteLimit: 100) == bytes)
        }
    }

    @Test func `follows no link that stands in place of a blob`() throws {
        try withScratchStore { store in
            let digest = Digest.of(bytes)
            let blobs = try store.state.root.directory("blobs/sha256")
            try blobs.makeSymbolicLink(digest.hex, to: "/etc/passwd")
            #expect(throws: (any Error).self) { try store.open(digest) }
        }
    }

    // MARK: Writing

    @Test func `commits nothing when the bytes hash to another digest`() throws {
        try withScratchStore { store in
            let writer = try store.ingest(expected: Digest.of("something else"))
            try writer.write(bytes)
            #expect(code { try writer.commit() } == .digestMismatch)
            #expect(try store.list().isEmpty)
            #expect(try leftovers(store).isEmpty)
        }
    }

    @Test func `refuses too many bytes at once and too few at the end`() throws {
        try withScratchStore { store in
            let long = try store.ingest(expectedSize: 3)
            #expect(code { try long.write(bytes) } == .sizeMismatch)
            long.cancel()
            let short = try store.ingest(expectedSize: Int64(bytes.count) + 1)
            try short.write(bytes)
            #expect(code { try short.commit() } == .sizeMismatch)
            #expect(try store.list().isEmpty)
            #expect(try leftovers(store).isEmpty)
        }
    }

    @Test func `leaves nothing of a writer that is dropped`() throws {
        try withScratchStore { store in
            do {
                let writer = try store.ingest()
                try writer.write(bytes)
                #expect(try !leftovers(store).isEmpty)
            }
            #expect(try leftovers(store).isEmpty)
        }
    }

    @Test func `takes the same blob from two writers`() throws {
        try withScratchStore { store in
            let first = try store.ingest()
            let second = try store.ingest()
            try first.write(bytes)
            try second.write(bytes)
            #expect(try first.commit() == second.commit())
            #expect(try store.list().count == 1)
            #expect(try leftovers(store).isEmpty)
        }
    }

    @Test func `keeps a blob readable while it is removed`() throws {
        try withScratchStore { store in
            let digest = try store.put(bytes)
            let file = try store.open(digest)
            try store.remove(digest)
            #expect(try file.readToEnd(byteLimit: 100) == bytes)
        }
    }

    private func replace(_ digest: Digest, in store: ContentStore, with bytes: [UInt8]) throws {
        let blobs = try store.state.root.directory("blobs/sha256")
        try blobs.remove(name: digest.hex)
        try blobs.createFile(digest.hex, mode: 0o600).write(bytes)
    }

    private func leftovers(_ store: ContentStore) throws -> [String] {
        try store.state.temporary.entries().map(\.name)
    }
}
