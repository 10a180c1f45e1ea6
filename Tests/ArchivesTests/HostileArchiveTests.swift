// SPDX-License-Identifier: Apache-2.0

import Archives
import LinuxSystem
import Testing

@Suite struct HostileArchiveTests {
    @Test func `survives a flipped byte anywhere in a header`() throws {
        let whole = try TarFixture.pack([(TarEntry(path: "name", kind: .regular, mode: 0o644), [1, 2, 3])])
        for position in 0..<512 {
            var damaged = whole
            damaged[position] ^= 0xff
            _ = try? TarFixture.unpack(damaged)
            // With a checksum made right the reader sees the damage itself.
            _ = try? TarFixture.unpack(
                TarFixture.checksummed(Array(damaged[..<512])) + damaged[512...],
                byteLimit: 4096
            )
        }
    }

    @Test func `refuses more bytes than are allowed, however few the archive has`() throws {
        let data = TarFixture.sampleBytes(4096)
        let archive = try TarFixture.pack([(TarEntry(path: "x", kind: .regular, mode: 0o644), data)])
        #expect(try TarFixture.unpack(archive, byteLimit: 4096).first?.bytes == data)
        let error = #expect(throws: ArchiveError.self) { try TarFixture.unpack(archive, byteLimit: 4095) }
        #expect(error?.code == .tooLarge)
        // An old GNU sparse file of 1 TiB with one byte of data.
        var header = TarFixture.rawHeader("bomb", type: "S", size: "00000000001")
        for (index, byte) in "ustar  \u{0}".utf8.enumerated() { header[257 + index] = byte }
        for (index, byte) in "00000000000\u{0}00000000001".utf8.enumerated() { header[386 + index] = byte }
        for (index, byte) in "20000000000000".prefix(11).utf8.enumerated() { header[483 + index] = byte }
        let bomb = TarFixture.checksummed(header) + [65] + [UInt8](repeating: 0, count: 511 + 1024)
        let refused = #expect(throws: ArchiveError.self) { try TarFixture.unpack(bomb, byteLimit: 1 << 16) }
        #expect(refused?.code == .tooLarge)
    }

    @Test func `refuses owners no file can have`() throws {
        // Base 256: 2^32, which cut short would be root; and -1, which would mean "leave it as it is".
        for number: [UInt8] in [
            [0x80, 0, 0, 1, 0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            [0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        ] {
            var header = TarFixture.rawHeader("x")
            for (index, byte) in number.enumerated() { header[108 + index] = byte }
            let archive = TarFixture.checksummed(header) + [UInt8](repeating: 0, count: 1024)
            let error = #expect(throws: ArchiveError.self) { try TarFixture.unpack(archive) }
            #expect(error?.code == .malformed)
        }
    }

    @Test func `keeps holes of a file`() throws {
        var data = TarFixture.sampleBytes(1000)
        data += [UInt8](repeating: 0, count: 4 << 20)
        for bytes in [data, data + [1]] {
            let archive = try TarFixture.pack([(TarEntry(path: "x", kind: .regular, mode: 0o644), bytes)])
            var rest = archive[...]
            let reader = try unsafe ArchiveReader(plain: { buffer in
                let count = min(buffer.count, rest.count)
                unsafe buffer.copyBytes(from: rest.prefix(count))
                rest = rest.dropFirst(count)
                return count
            })
            _ = try reader.next()
            let file = try Descriptor.memory("sparse")
            #expect(try reader.extract(to: file, byteLimit: 1 << 30) == UInt64(bytes.count))
            #expect(try file.status().size == UInt64(bytes.count))
            #expect(try file.status().allocatedSize < 2 << 20)
            try file.seek(to: 0)
            #expect(try file.readToEnd(byteLimit: 1 << 30) == bytes)
        }
    }

    @Test func `refuses a zstd frame that wants more memory than is sane`() throws {
        // A frame header with a window of 2 GiB.
        let frame: [UInt8] = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]
        #expect(throws: ArchiveError.self) { try TarFixture.decompress(frame) }
    }
}
