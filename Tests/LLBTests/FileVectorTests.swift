// SPDX-License-Identifier: Apache-2.0

import Foundation
import LLB
import OCI
import Testing

/// The vectors of Protocol/vectors/llb.
///
/// `UPDATE_GOLDEN=1` writes messages and digests anew.
@Suite struct FileVectorTests {
    private static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Protocol/vectors/llb")

    @Test(arguments: ["image", "steps", "overlay"])
    func `reads and writes what the protocol promises`(name: String) throws {
        func url(_ kind: String) -> URL { Self.folder.appending(path: "\(name).\(kind)") }
        let json = try JSONValue(parsing: Array(try Data(contentsOf: url("json"))))
        let definition = try Definition(json: json)
        let bytes = try definition.serialized()
        let head = try #require(try definition.head()).description
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
            try Data(bytes).write(to: url("pb"))
            try Data("\(head)\n".utf8).write(to: url("digest"))
        }
        #expect(bytes == Array(try Data(contentsOf: url("pb"))))
        #expect("\(head)\n" == String(decoding: try Data(contentsOf: url("digest")), as: UTF8.self))
        #expect(try Definition(serialized: bytes) == definition)
        _ = try definition.graph()
    }
}
