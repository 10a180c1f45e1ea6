// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import SystemPackage
import Testing

struct DescriptorTests {
    @Test func `locks once among open files, even of one process`() throws {
        try withDirectory { directory in
            let first = try directory.createFile("lock", mode: 0o600)
            let second = try directory.open("lock", flags: O_RDWR)
            #expect(try first.lock(exclusive: true, wait: false))
            #expect(try !second.lock(exclusive: true, wait: false))
            first.unlock()
            #expect(try second.lock(exclusive: true, wait: false))
        }
    }

    @Test func `shares a lock among readers`() throws {
        try withDirectory { directory in
            _ = try directory.createFile("lock", mode: 0o600)
            let readers = try (0..<3).map { _ in try directory.open("lock", flags: O_RDWR) }
            #expect(try readers.allSatisfy { try $0.lock(exclusive: false, wait: false) })
            #expect(try !directory.open("lock", flags: O_RDWR).lock(exclusive: true, wait: false))
        }
    }

    @Test func `refuses to read more than it was allowed`() throws {
        let file = try Descriptor.memory("test")
        try file.write([UInt8](repeating: 1, count: 1000))
        #expect(throws: SystemCallError.self) {
            try Descriptor.open(host: FilePath("/proc/self/fd/\(file.number)")).readToEnd(
                byteLimit: 999
            )
        }
    }

    @Test func `seals a memory file for good`() throws {
        let file = try Descriptor.memory("test", sealable: true)
        try file.write([1, 2, 3])
        try file.seal()
        #expect(throws: SystemCallError.self) { try file.write([4]) }
        #expect(throws: SystemCallError.self) { try file.truncate(to: 0) }
    }

    @Test func `copies a file whole`() throws {
        try withDirectory { directory in
            let bytes = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let source = try directory.createFile("source", mode: 0o600)
            try source.write(bytes)
            let copy = try directory.createFile("copy", mode: 0o600)
            #expect(try copy.copy(from: source) == 700_000)
            #expect(try directory.open("copy").readToEnd(byteLimit: 1 << 20) == bytes)
        }
    }
}
