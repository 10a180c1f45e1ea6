// SPDX-License-Identifier: Apache-2.0

import ContentStore
import LinuxSystem
import OCI
import SystemPackage
import Testing

@Suite struct PartialBlobTests {
    private let bytes = Array("the first half, the second half".utf8)

    @Test func `continues a download where the last try ended`() throws {
        try withScratchStore { store in
            let digest = Digest.of(bytes)
            do {
                let first = try store.partial(digest)
                #expect(first.offset == 0)
                try first.append(Array(bytes[..<15]))
            }
            let second = try store.partial(digest)
            #expect(second.offset == 15)
            try second.append(Array(bytes[15...]))
            try second.commit(expectedSize: Int64(bytes.count))
            #expect(try store.read(digest, byteLimit: 100) == bytes)
        }
    }

    @Test func `keeps what it has while bytes are missing, and drops what is wrong`() throws {
        try withScratchStore { store in
            let digest = Digest.of(bytes)
            do {
                let short = try store.partial(digest)
                try short.append(Array(bytes[..<4]))
                #expect(code { try short.commit(expectedSize: 31) } == .sizeMismatch)
            }
            do {
                let wrong = try store.partial(digest)
                #expect(wrong.offset == 4)
                try wrong.append([1, 2, 3])
                #expect(code { try wrong.commit() } == .digestMismatch)
            }
            #expect(!store.contains(digest))
            #expect(try store.partial(digest).offset == 0)
        }
    }

    @Test func `begins anew after a reset`() throws {
        try withScratchStore { store in
            let digest = Digest.of(bytes)
            let partial = try store.partial(digest)
            try partial.append([9, 9, 9])
            try partial.reset()
            #expect(partial.offset == 0)
            try partial.append(bytes)
            try partial.commit()
            try store.verify(digest)
        }
    }

    @Test func `lets one download a digest at a time`() async throws {
        try await withScratchStoreAsync { store in
            let digest = Digest.of(bytes)
            let first = Box(try store.partial(digest))
            let second = Task { [bytes] in
                try await blocking {
                    // Waits until the first let go; then the blob is there.
                    _ = try store.partial(digest)
                    return store.contains(digest) && (try? store.read(digest, byteLimit: 100)) == bytes
                }
            }
            try await Task.sleep(for: .milliseconds(50))
            try first.value?.append(bytes)
            try first.value?.commit()
            first.value = nil
            #expect(try await second.value)
        }
    }
}

/// Lets a value go at a moment of the test's choosing.
private final class Box<Value> {
    var value: Value?

    init(_ value: Value) { self.value = value }
}

private func withScratchStoreAsync(_ body: (ContentStore) async throws -> Void) async throws {
    let parent = try Directory(host: "/tmp")
    let name = "kiln-store-\(randomToken())"
    try parent.makeDirectory(name, mode: 0o700)
    defer { try? parent.removeTree(name: name) }
    try await body(ContentStore(state: StateDirectory(path: FilePath("/tmp/\(name)/state"))))
}
