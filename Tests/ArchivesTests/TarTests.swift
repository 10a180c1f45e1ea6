// SPDX-License-Identifier: Apache-2.0

import Archives
import Foundation
import Testing

@Suite struct TarTests {
    /// One of everything that a layer may hold.
    static let sample: [(TarEntry, [UInt8])] = {
        func entry(_ path: String, _ kind: TarEntry.Kind, _ mode: UInt32 = 0o644) -> TarEntry {
            var entry = TarEntry(path: path, kind: kind, mode: mode)
            entry.seconds = 1_700_000_000
            return entry
        }
        var owned = entry("dir/owned", .regular, 0o4755)
        owned.uid = 3_000_000_000
        owned.gid = 2_097_152
        var timed = entry("dir/timed", .regular)
        timed.seconds = -2
        timed.nanoseconds = 250_000_000
        var marked = entry("dir/marked", .regular)
        marked.attributes = [("user.b", [0, 1, 10, 255]), ("user.a", Array("x".utf8))]
        return [
            (entry("dir", .directory, 0o1777), []),
            (owned, Array("owned\n".utf8)),
            (timed, noise(513)),
            (marked, noise(512)),
            (entry("dir/empty", .regular), []),
            (entry("dir/link", .symbolicLink(target: "../" + String(repeating: "t", count: 150)), 0o777), []),
            (entry("dir/hard", .hardLink(target: "dir/owned"), 0o4755), []),
            (entry("dir/null", .characterDevice(major: 1, minor: 3), 0o666), []),
            (entry("dir/disk", .blockDevice(major: 259, minor: 70_000), 0o660), []),
            (entry("dir/pipe", .fifo, 0o600), []),
            (entry("dir/ünï-e\u{301}-日本", .regular), Array("name\n".utf8)),
            (entry(String(repeating: "d", count: 90) + "/" + String(repeating: "f", count: 90), .regular), [1]),
            (entry("long/" + String(repeating: "n", count: 250), .regular), [2]),
            (entry(String(repeating: "deep/", count: 60) + "end", .directory, 0o755), []),
        ]
    }()

    @Test func `reads back what it wrote`() throws {
        let read = try untar(tar(Self.sample))
        #expect(read.count == Self.sample.count)
        for (wrote, got) in zip(Self.sample, read) {
            var expected = wrote.0
            expected.size = Int64(wrote.1.count)
            expected.attributes.sort { $0.name < $1.name }
            // libarchive reads a fraction before 1970 upwards; Python and GNU tar hold the writer to it below.
            if wrote.0.seconds < 0 {
                (expected.seconds, expected.nanoseconds) = (got.entry.seconds, got.entry.nanoseconds)
            }
            #expect(got.entry == expected)
            #expect(Array(got.entry.path.utf8) == Array(expected.path.utf8))
            #expect(got.bytes == wrote.1)
        }
    }

    @Test func `gives the same bytes for the same entries`() throws {
        let once = try tar(Self.sample)
        #expect(try tar(Self.sample) == once)
        #expect(once.count % 512 == 0)
    }

    @Test func `is read by Python as it was written`() throws {
        let scratch = try Scratch()
        let file = try scratch.write("a.tar", tar(Self.sample))
        let listing = try python(
            """
            import sys, tarfile
            for m in tarfile.open(sys.argv[1]):
                print(m.name, m.type.decode(), oct(m.mode), m.uid, m.gid, m.size, m.mtime, m.linkname, m.devmajor, m.devminor, sep='|')
                if 'SCHILY.xattr.user.b' in m.pax_headers: print('b=', m.pax_headers['SCHILY.xattr.user.b'].encode('utf-8', 'surrogateescape'))
            """,
            file
        )
        let lines = listing.split(separator: "\n").map(String.init)
        #expect(lines.contains("dir|5|0o1777|0|0|0|1700000000||0|0"))
        #expect(lines.contains("dir/owned|0|0o4755|3000000000|2097152|6|1700000000||0|0"))
        #expect(lines.contains("dir/timed|0|0o644|0|0|513|-1.75||0|0"))
        #expect(lines.contains("dir/hard|1|0o4755|0|0|0|1700000000|dir/owned|0|0"))
        #expect(lines.contains("dir/disk|4|0o660|0|0|0|1700000000||259|70000"))
        #expect(lines.contains { $0.hasPrefix("dir/ünï-e\u{301}-日本|0|") })
        #expect(lines.contains { $0.hasPrefix("long/" + String(repeating: "n", count: 250)) })
        #expect(lines.contains(#"b= b'\x00\x01\n\xff'"#))
    }

    @Test func `is extracted by GNU tar with attributes, links and times`() throws {
        let scratch = try Scratch()
        var sample = Self.sample
        sample.removeAll { if case .blockDevice = $0.0.kind { true } else { false } }
        let file = try scratch.write("a.tar", tar(sample))
        try run("/bin/mkdir", ["\(scratch.path)/out"])
        try run("/bin/tar", ["--xattrs", "--xattrs-include=*", "-C", "\(scratch.path)/out", "-xpf", file])
        let facts = try python(
            """
            import os, sys
            os.chdir(sys.argv[1])
            s = os.stat('dir/owned')
            print(s.st_uid, s.st_gid, oct(s.st_mode), s.st_nlink, s.st_ino == os.stat('dir/hard').st_ino)
            print(os.stat('dir/timed').st_mtime_ns, os.getxattr('dir/marked', 'user.b'), len(os.readlink('dir/link')))
            """,
            "\(scratch.path)/out"
        )
        #expect(
            facts == """
                3000000000 2097152 0o104755 2 True
                -1750000000 b'\\x00\\x01\\n\\xff' 153

                """
        )
    }

    @Test func `splits a long ASCII name as ustar does and spends no pax header on it`() throws {
        let name = String(repeating: "d", count: 90) + "/" + String(repeating: "f", count: 90)
        let bytes = try tar([(TarEntry(path: name, kind: .regular, mode: 0o644), [])])
        #expect(bytes.count == 512 * 3)
        #expect(Array(bytes[0..<90]) == [UInt8](repeating: UInt8(ascii: "f"), count: 90))
        #expect(Array(bytes[345..<435]) == [UInt8](repeating: UInt8(ascii: "d"), count: 90))
    }

    @Test func `names the pax header of a directory as Go does`() throws {
        var entry = TarEntry(path: "a/b", kind: .directory, mode: 0o755)
        entry.uid = .max
        let bytes = try tar([(entry, [])])
        #expect(String(decoding: bytes[0..<16], as: UTF8.self) == "a/b/PaxHeaders.0")
        #expect(bytes[156] == UInt8(ascii: "x"))
        #expect(bytes[329..<345].allSatisfy { $0 == 0 })
    }

    @Test func `refuses bytes that do not fit the header`() throws {
        var writer = unsafe TarWriter { _ in }
        var entry = TarEntry(path: "f", kind: .regular, mode: 0o644)
        entry.size = 2
        try writer.begin(entry)
        #expect(throws: ArchiveError.self) { try writer.finish() }
        let bytes: [UInt8] = [1, 2, 3]
        #expect(throws: ArchiveError.self) { try unsafe bytes.withUnsafeBytes { unsafe try writer.write($0) } }
        #expect(throws: ArchiveError.self) {
            try writer.begin(TarEntry(path: "a\0b", kind: .fifo, mode: 0o644))
        }
    }

    @Test(arguments: ["gnu", "pax", "ustar"])
    func `reads what GNU tar writes in each of its formats`(format: String) throws {
        let scratch = try Scratch()
        let long = format == "ustar" ? "name" : "aü" + String(repeating: "n", count: 200)
        try run("/bin/mkdir", ["\(scratch.path)/in"])
        try scratch.write("in/\(long)", Array("hello".utf8))
        try run("/bin/ln", ["\(scratch.path)/in/\(long)", "\(scratch.path)/in/\(long)2"])
        try run("/usr/bin/truncate", ["-s", "3M", "\(scratch.path)/in/sparse"])
        let options = format == "ustar" ? [] : ["--sparse"]
        let bytes = try run(
            "/bin/tar",
            ["--format=\(format)", "--sort=name"] + options + ["-C", "\(scratch.path)/in", "-cf", "-", "."]
        )
        let read = try untar(bytes)
        #expect(read.map(\.entry.path).map { $0.replacing("./", with: "") } == [".", long, "\(long)2", "sparse"])
        #expect(read[1].bytes == Array("hello".utf8))
        #expect(read[2].entry.kind == .hardLink(target: "./\(long)"))
        #expect(read[3].bytes.count == 3 << 20)
        #expect(read[3].bytes.allSatisfy { $0 == 0 } == true)
    }

    @Test(arguments: ["gzip", "bzip2", "xz", "zstd"])
    func `detects how an archive is compressed`(program: String) throws {
        let packed = try run("/usr/bin/env", [program, "-c"], input: tar(Self.sample))
        #expect(try untar(packed).count == Self.sample.count)
    }

    @Test func `takes nothing at all and bare end marks as an archive without entries`() throws {
        #expect(try untar([]).isEmpty)
        #expect(try untar([UInt8](repeating: 0, count: 1024)).isEmpty)
    }

    @Test func `refuses what is no archive`() throws {
        #expect(throws: ArchiveError.self) { try untar(Array("#!/bin/sh\necho hello\n".utf8)) }
        #expect(throws: ArchiveError.self) { try untar(noise(5000)) }
    }

    @Test func `refuses archives cut anywhere inside an entry, and never crashes`() throws {
        let whole = try tar([
            (TarEntry(path: String(repeating: "p", count: 300), kind: .regular, mode: 0o644), noise(3000))
        ])
        for cut in [100, 511, 513, 1000, 1500, 2048 + 100, 4000] {
            #expect(throws: (any Error).self) { try untar(Array(whole[..<cut])) }
        }
    }

    @Test func `survives damage to every byte of a header`() throws {
        let whole = try tar([
            (TarEntry(path: String(repeating: "p", count: 120), kind: .regular, mode: 0o644), noise(700))
        ])
        for index in stride(from: 0, to: 1536, by: 7) {
            for value: UInt8 in [0, 0x39, 0xff] {
                var damaged = whole
                damaged[index] = value
                _ = try? untar(damaged)
            }
        }
    }

    @Test func `refuses names longer than Linux allows`() throws {
        let bytes = try tar([(TarEntry(path: String(repeating: "n/", count: 2100) + "n", kind: .fifo, mode: 0o644), [])]
        )
        let error = #expect(throws: ArchiveError.self) { try untar(bytes) }
        #expect(error?.code == .tooLarge)
    }
}
