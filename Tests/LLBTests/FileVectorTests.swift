// SPDX-License-Identifier: Apache-2.0

import Foundation
import LLB
import OCI
import Testing

/// The vectors of Protocol/vectors/llb: P-LLB-01, P-LLB-02, P-LLB-03, P-LLB-04, P-LLB-07 and P-LLB-08.
///
/// `UPDATE_GOLDEN=1` writes messages and digests anew.
@Suite struct FileVectorTests {
    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Protocol/vectors/llb")

    /// Names of vectors; a name with a dot is another encoding of the vector before the dot.
    private static func names(variants: Bool) throws -> [String] {
        try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "pb" }
            .map { $0.deletingPathExtension().lastPathComponent }
            .filter { $0.contains(".") == variants }
            .sorted()
    }

    @Test(arguments: try names(variants: false))
    func `reads and writes what the protocol promises`(name: String) throws {
        func url(_ kind: String) -> URL { Self.folder.appending(path: "\(name).\(kind)") }
        let json = try JSONValue(parsing: Array(try Data(contentsOf: url("json"))))
        let definition = try Definition(json: json)
        let bytes = try definition.serialized()
        let head = try definition.head()?.description ?? ""
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
            try Data(bytes).write(to: url("pb"))
            try Data("\(head)\n".utf8).write(to: url("digest"))
        }
        #expect(bytes == Array(try Data(contentsOf: url("pb"))))
        #expect("\(head)\n" == String(decoding: try Data(contentsOf: url("digest")), as: UTF8.self))
        #expect(try Definition(serialized: bytes) == definition)
        _ = try definition.graph()
        let canonical = try definition.canonical()
        #expect(Set(canonical.operations) == Set(definition.operations))
        #expect(try canonical.head() == definition.head())
        #expect(canonical.metadata == definition.metadata)
        #expect(canonical.source == definition.source)
    }

    @Test(arguments: try names(variants: true))
    func `P-LLB-07: another encoder's order of fields reaches no digest`(name: String) throws {
        func bytes(_ name: String) throws -> [UInt8] {
            Array(try Data(contentsOf: Self.folder.appending(path: "\(name).pb")))
        }
        let other = try Definition(serialized: bytes(name))
        let plain = try bytes(String(name.prefix { $0 != "." }))
        #expect(try other.serialized() != plain)
        #expect(try other.canonical().serialized() == plain)
    }
}
