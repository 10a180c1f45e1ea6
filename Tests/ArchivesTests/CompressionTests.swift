// SPDX-License-Identifier: Apache-2.0

import Archives
import Foundation
import LinuxSystem
import SystemPackage
import Testing

@Suite struct CompressionTests {
    private static let block = 512 << 10

    @Test(arguments: [
        0, 1, 2, 100, 32 << 10, block - 1, block, block + 1, 2 * block, 9 * block, 9 * block + 12_345,
    ])
    func `writes gzip that the gzip program and Python read`(count: Int) throws {
        let bytes = noise(count, seed: UInt64(count))
        let packed = try compress(bytes, .gzip(level: nil))
        try run("/bin/gzip", ["-t"], input: packed)
        #expect(same(try run("/bin/gzip", ["-dc"], input: packed), bytes))
        #expect(same(try decompress(packed).plain, bytes))
        #expect(packed.starts(with: [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]))
        let scratch = try Scratch()
        let size = try python(
            "import gzip,sys; print(len(gzip.open(sys.argv[1]).read()))",
            scratch.write("a.gz", packed)
        )
        #expect(size == "\(count)\n")
    }

    @Test(arguments: [0, 1, 5, 6, 9])
    func `writes gzip at every level, for bytes that do not compress too`(level: Int) throws {
        let file = try Descriptor.open(host: "/dev/urandom")
        var random = [UInt8](repeating: 0, count: Self.block + 777)
        let count = try unsafe random.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
        try #require(count == random.count)
        for bytes in [random, [UInt8](repeating: 0, count: 3 * Self.block)] {
            let packed = try compress(bytes, .gzip(level: level))
            #expect(same(try decompress(packed).plain, bytes))
            #expect(packed.count < bytes.count + bytes.count / 100 + 100)
        }
    }

    @Test func `stores what does not shrink and deflates what does, whichever comes first`() throws {
        var generator = SystemRandomNumberGenerator()
        let random = (0..<300_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let text = Array(String(repeating: "the quick brown fox ", count: 20_000).utf8)
        // Spread as evenly as noise, but it repeats.
        let counter = (0..<300_000).map { UInt8(truncatingIfNeeded: $0) }
        let mixtures = [
            (random + text + random + counter, noise: 600_000), (text + random + counter + text, noise: 300_000),
            (counter + random, noise: 300_000),
        ]
        for (bytes, noise) in mixtures {
            let packed = try compress(bytes, .gzip(level: nil))
            try run("/bin/gzip", ["-t"], input: packed)
            #expect(same(try decompress(packed).plain, bytes))
            #expect(packed.count < noise + 150_000)
        }
    }

    @Test func `gives the same gzip bytes again and however the input is cut`() throws {
        let bytes = noise(5 * Self.block + 99)
        let once = try compress(bytes, .gzip(level: nil))
        for pieces in [7777, 512, Self.block, Self.block + 1, bytes.count] {
            #expect(same(try compress(bytes, .gzip(level: nil), pieces: pieces), once))
        }
    }

    @Test(arguments: [0, 1, 1000, 3_000_000, 9_000_000])
    func `writes zstd that the zstd program reads, always the same`(count: Int) throws {
        let bytes = noise(count)
        let packed = try compress(bytes, .zstd(level: nil))
        #expect(same(try run("/usr/bin/env", ["zstd", "-dc"], input: packed), bytes))
        #expect(same(try decompress(packed).plain, bytes))
        for pieces in [512, 100_003] where count > 0 {
            #expect(same(try compress(bytes, .zstd(level: nil), pieces: pieces), packed))
        }
    }

    @Test func `refuses levels that do not exist`() {
        for compression in [Compression.gzip(level: 10), .gzip(level: -1), .zstd(level: 0), .zstd(level: 23)] {
            #expect(throws: ArchiveError.self) { try compress([1], compression) }
        }
    }

    @Test func `passes plain bytes on`() throws {
        let bytes = noise(700_000)
        #expect(same(try compress(bytes, .none), bytes))
        #expect(same(try decompress(bytes).plain, bytes))
        #expect(try decompress([]).plain == [])
        #expect(try decompress([0x1f]).plain == [0x1f])
    }

    @Test(arguments: [Compression.gzip(level: 6), .zstd(level: 3)])
    func `reads several streams in a row as one and tells every byte it read`(compression: Compression) throws {
        let (a, b) = (noise(300_000, seed: 3), noise(5, seed: 4))
        let packed =
            try compress(a, compression) + compress([], compression) + compress(b, compression)
        for pieces in [1000, 1 << 20] {
            let (plain, seen) = try decompress(packed, pieces: pieces)
            #expect(same(plain, a + b))
            #expect(seen == packed.count)
        }
    }

    @Test(arguments: [1, 511, 256 << 10, 600_000])
    func `takes zeros behind gzip for padding, however many`(count: Int) throws {
        let bytes = noise(1000)
        let packed = try compress(bytes, .gzip(level: nil)) + [UInt8](repeating: 0, count: count)
        let (plain, seen) = try decompress(packed)
        #expect(same(plain, bytes))
        #expect(seen == packed.count)
        #expect(throws: ArchiveError.self) { try decompress(packed + [7]) }
    }

    @Test func `takes frames that zstd readers skip`() throws {
        let bytes = noise(1000)
        let skippable: [UInt8] = [0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
        let packed = try compress(bytes, .zstd(level: nil))
        #expect(same(try decompress(skippable + packed + skippable).plain, bytes))
    }

    @Test(arguments: [Compression.gzip(level: 6), .zstd(level: 3)])
    func `refuses streams that are cut, damaged or followed by rubbish`(compression: Compression) throws {
        let packed = try compress(noise(700_000), compression)
        for cut in [5, 15, packed.count / 2, packed.count - 1] {
            #expect(throws: ArchiveError.self) { try decompress(Array(packed[..<cut])) }
        }
        for index in [packed.count / 3, packed.count - 2] {
            var damaged = packed
            damaged[index] ^= 0x55
            #expect(throws: ArchiveError.self) { try decompress(damaged) }
        }
        #expect(throws: ArchiveError.self) { try decompress(packed + Array("rubbish!".utf8)) }
    }

    @Test func `stops at the first error of its output`() throws {
        struct Full: Error {}
        for compression in [Compression.none, .gzip(level: 1), .zstd(level: 1)] {
            #expect(throws: Full.self) {
                let compressor = unsafe try compression.makeCompressor { _ in throw Full() }
                let bytes = noise(6 << 20)
                try unsafe bytes.withUnsafeBytes { unsafe try compressor.write($0) }
                try compressor.finish()
            }
        }
    }
}
