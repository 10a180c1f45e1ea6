// SPDX-License-Identifier: Apache-2.0

import Archives
import LinuxSystem

/// Archives made by hand and read back.
enum TarFixture {
    /// Packs entries by ``TarWriter``.
    static func pack(_ entries: [(TarEntry, [UInt8])]) throws -> [UInt8] {
        let sink = Sink()
        var writer = unsafe TarWriter { unsafe sink.bytes.append(contentsOf: $0) }
        for (entry, bytes) in entries {
            var entry = entry
            if entry.kind == .regular { entry.size = Int64(bytes.count) }
            try writer.begin(entry)
            try unsafe bytes.withUnsafeBytes { unsafe try writer.write($0) }
        }
        try writer.finish()
        return sink.bytes
    }

    /// Collects bytes.
    final class Sink {
        var bytes: [UInt8] = []
    }

    /// Reads all entries and their bytes.
    static func unpack(_ archive: [UInt8], byteLimit: Int64 = 1 << 20) throws -> [(entry: TarEntry, bytes: [UInt8])] {
        var rest = archive[...]
        let reader = try unsafe ArchiveReader(plain: { buffer in
            let count = min(buffer.count, rest.count)
            unsafe buffer.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            return count
        })
        var result: [(entry: TarEntry, bytes: [UInt8])] = []
        while let entry = try reader.next() {
            var bytes: [UInt8] = []
            if entry.kind == .regular {
                let file = try Descriptor.memory("entry")
                _ = try reader.extract(to: file, byteLimit: byteLimit)
                try file.seek(to: 0)
                bytes = try file.readToEnd(byteLimit: Int(byteLimit))
            }
            result.append((entry, bytes))
        }
        return result
    }

    /// A ustar header written by hand, with a right checksum: for what ``TarWriter`` would never write.
    static func rawHeader(
        _ name: String,
        type: Character = "0",
        size: String = "00000000000",
        uid: String = "0000000",
        link: String = ""
    ) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte }
        }
        put(name, at: 0)
        put("0000644", at: 100)
        put(uid, at: 108)
        put("0000000", at: 116)
        put(size, at: 124)
        put("00000000000", at: 136)
        put(String(type), at: 156)
        put(link, at: 157)
        put("ustar\u{0}00", at: 257)
        return checksummed(block)
    }

    /// A header with its checksum made right.
    static func checksummed(_ header: [UInt8]) -> [UInt8] {
        var block = header
        for index in 148..<156 { block[index] = UInt8(ascii: " ") }
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        let padded = String(repeating: "0", count: 6 - sum.count) + sum
        for (index, byte) in padded.utf8.enumerated() { block[148 + index] = byte }
        block[154] = 0
        return block
    }

    /// Decompresses, reading by pieces of a given size.
    static func decompress(_ bytes: [UInt8], piece: Int = 10_000) throws -> [UInt8] {
        let file = try Descriptor.memory("compressed")
        try file.write(bytes)
        try file.seek(to: 0)
        let reader = unsafe Decompressor(file)
        var result: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: piece)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { unsafe try reader.read(into: $0) }
            if count == 0 { return result }
            result += buffer[..<count]
        }
    }

    /// Bytes that compress a little, the same each time.
    static func sampleBytes(_ count: Int) -> [UInt8] {
        var state: UInt64 = 0x9e37_79b9_7f4a_7c15
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 60)
        }
    }
}
