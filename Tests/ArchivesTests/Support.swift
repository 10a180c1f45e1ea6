// SPDX-License-Identifier: Apache-2.0

import Archives
import Foundation
import LinuxSystem
import SystemPackage

/// An empty directory of the host that goes with the test.
final class Scratch {
    let path: String
    private let name: String

    init() throws {
        name = "kiln-archives-\(randomToken(count: 8))"
        path = "/tmp/" + name
        try Directory(host: "/tmp").makeDirectory(name, mode: 0o700)
    }

    deinit { try? Directory(host: "/tmp").removeTree(name: name) }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = "\(path)/\(name)"
        try Data(bytes).write(to: URL(filePath: file))
        return file
    }

    func open(_ name: String) throws -> Descriptor { try Descriptor.open(host: FilePath("\(path)/\(name)")) }
}

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Runs a program of the host and gives what it prints; another status than 0 is an error.
@discardableResult
func run(_ program: String, _ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
    let answer = try HelperProgram(
        path: FilePath(program),
        arguments: arguments,
        environment: ["PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"]
    )
    .run(input: input, outputByteLimit: 1 << 26, timeLimit: .seconds(20))
    guard answer.status == 0 else { throw TestFailure("\(program): \(answer.complaint)") }
    return answer.output
}

func python(_ script: String, _ arguments: String...) throws -> String {
    String(decoding: try run("/usr/bin/env", ["python3", "-c", script] + arguments), as: UTF8.self)
}

/// Bytes that compress badly but not not at all, the same for the same seed.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    // A period that no block size divides; made once, for unoptimised code is slow.
    var period: [UInt8] = []
    for index in 0..<min(count, 50_021) {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        period.append(index % 3 == 0 ? UInt8(ascii: "a") : UInt8(truncatingIfNeeded: state >> 11))
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count { bytes += period.prefix(count - bytes.count) }
    return bytes
}

/// Whether bytes are equal; a failed `#expect` over the arrays themselves would print megabytes.
func same(_ left: [UInt8], _ right: [UInt8]) -> Bool { left == right }

/// Compresses in pieces of a size.
func compress(_ bytes: [UInt8], _ compression: Compression, pieces: Int = 1 << 20) throws -> [UInt8] {
    var output: [UInt8] = []
    let compressor = unsafe try compression.makeCompressor { unsafe output.append(contentsOf: $0) }
    for start in stride(from: 0, to: bytes.count, by: pieces) {
        try unsafe bytes[start..<min(start + pieces, bytes.count)].withUnsafeBytes { unsafe try compressor.write($0) }
    }
    try compressor.finish()
    return output
}

/// Reads a file of a scratch directory through a ``Decompressor``.
func decompress(_ bytes: [UInt8], pieces: Int = 64 << 10) throws -> (plain: [UInt8], seen: Int) {
    let file = try Descriptor.memory("test")
    try file.write(bytes)
    try file.seek(to: 0)
    var seen = 0
    let decompressor = unsafe Decompressor(file) { seen += $0.count }
    var plain: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: pieces)
    while true {
        let count = try unsafe chunk.withUnsafeMutableBytes { unsafe try decompressor.read(into: $0) }
        if count == 0 { return (plain, seen) }
        plain += chunk[..<count]
    }
}

/// Writes entries with their bytes.
func tar(_ entries: [(TarEntry, [UInt8])]) throws -> [UInt8] {
    var output: [UInt8] = []
    var writer = unsafe TarWriter { unsafe output.append(contentsOf: $0) }
    for (entry, bytes) in entries {
        var entry = entry
        if entry.kind == .regular { entry.size = Int64(bytes.count) }
        try writer.begin(entry)
        if !bytes.isEmpty { try unsafe bytes.withUnsafeBytes { unsafe try writer.write($0) } }
    }
    try writer.finish()
    return output
}

/// Reads all entries with their bytes.
func untar(_ bytes: [UInt8]) throws -> [(entry: TarEntry, bytes: [UInt8])] {
    let file = try Descriptor.memory("test")
    try file.write(bytes)
    try file.seek(to: 0)
    let reader = try ArchiveReader(detecting: file)
    var result: [(TarEntry, [UInt8])] = []
    var chunk = [UInt8](repeating: 0, count: 10_000)
    while let entry = try reader.next() {
        var content: [UInt8] = []
        while true {
            let count = try unsafe chunk.withUnsafeMutableBytes { unsafe try reader.readData(into: $0) }
            if count == 0 { break }
            content += chunk[..<count]
        }
        result.append((entry, content))
    }
    return result
}
