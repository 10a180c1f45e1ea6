// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import OCI
import Testing

/// Every vector of `Protocol/vectors/json` through the real reader.
struct JSONVectorTests {
    /// One text.
    struct Vector: Sendable, CustomTestStringConvertible {
        let file: String
        let json: JSONValue
        var name: String { json["name"]?.text ?? "" }
        var testDescription: String { "\(file): \(name)" }

        /// The payload of a frame.
        var bytes: [UInt8] {
            get throws {
                if let text = json["text"]?.text { return Array(text.utf8) }
                let digits = Array(try #require(json["hex"]?.text))
                return try stride(from: 0, to: digits.count, by: 2).map {
                    try #require(UInt8(String(digits[$0...$0 + 1]), radix: 16))
                }
            }
        }
    }

    private static func vectors(_ files: String...) throws -> [Vector] {
        try files.flatMap { file in
            try #require(try ProtocolFolder.json("vectors/json/\(file).json").elements)
                .map { Vector(file: file, json: $0) }
        }
    }

    /// P-JSON-01 grammar, P-JSON-02 depth, P-JSON-03 names, P-JSON-04 numbers, P-JSON-05 UTF-8.
    @Test(arguments: try vectors("grammar", "numbers", "strings", "members"))
    func `a text is a message's JSON, or not and where`(_ vector: Vector) throws {
        let bytes = try vector.bytes
        if vector.json["valid"]?.truth == true {
            let object = try JSONParser.object(bytes)
            if let value = vector.json["value"] {
                // As members without order: the vector's own reader sees the same text.
                let wanted = try value.wireObject
                #expect(object.members.count == wanted.members.count)
                for member in wanted.members { #expect(object[member.name] == member.value) }
            }
        } else {
            let error = #expect(throws: JSONError.self) { try JSONParser.object(bytes) }
            #expect(error?.offset == Int(try #require(vector.json["offset"]?.integer)))
        }
    }

    /// P-JSON-06: in a session, each text that is refused ends it; P-MSG-03, P-JSON-07.
    @Test(arguments: try vectors("grammar", "numbers", "strings", "members"))
    func `P-JSON-06: a text that is refused ends the session`(_ vector: Vector) throws {
        var connection = ProtocolConnection(role: .engine)
        connection.receive(frameBytes(0, try vector.bytes))
        let error = #expect(throws: ProtocolViolation.self) { try connection.nextEvent() }
        let isJSON = vector.json["valid"]?.truth == true
        #expect(error?.code == (isJSON ? .malformedMessage : .malformedJSON))
    }

    /// P-MSG-01, P-MSG-02.
    @Test(arguments: try vectors("messages"))
    func `JSON is a request, a notification, an answer, or no message`(_ vector: Vector) throws {
        var connection = ProtocolConnection(role: .engine)
        // An answer needs its request.
        _ = try connection.request("build", [:])
        connection.receive(frameBytes(0, try vector.bytes))
        let found: String
        do {
            switch try connection.nextEvent() {
            case .request?: found = "request"
            case .notification?: found = "notification"
            case .answer?: found = "answer"
            case .refused?: found = "refused"
            case nil: found = "nothing"
            }
        } catch {
            found = error.code == .malformedMessage ? "malformed" : "\(error.code)"
        }
        #expect(found == vector.json["is"]?.text)
    }
}
