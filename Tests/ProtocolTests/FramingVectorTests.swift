// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import OCI
import Testing

/// Every vector of `Protocol/vectors/framing` through the real decoder, however its bytes are cut.
///
/// The vectors hold P-FRAME-01 to P-FRAME-06, P-BLOB-01 to P-BLOB-06, P-ID-01, P-ID-02, P-MSG-06, P-MSG-08 and P-MSG-09.
struct FramingVectorTests {
    /// What came out of a receiver.
    struct Outcome: Equatable, CustomStringConvertible {
        var events: [Observed] = []
        /// The F-code of the rule that was broken.
        var code: String?
        var isAtEnd = false

        var description: String { "\(events) \(code ?? "goes on")\(isAtEnd ? " at the end" : "")" }
    }

    /// An event as vectors have it.
    enum Observed: Equatable {
        case request(Int64, String, WireObject)
        case notification(String, WireObject)
        case answer(Int64, WireObject)
        case failure(Int64, kind: String)
        case refused(Int64, kind: String)
    }

    /// One vector.
    struct Vector {
        let bytes: [UInt8]
        let limits: ProtocolLimits
        let receiver: PeerRole
        let open: [String]
        let expected: Outcome

        init(_ name: String) throws {
            let json = try ProtocolFolder.json("vectors/framing/\(name).json")
            bytes = try ProtocolFolder.bytes("vectors/framing/\(name).bin")
            limits =
                try json["limits"].map { try ProtocolLimits(members: MemberReader($0.wireObject, path: "limits")) }
                ?? .standard
            receiver = try #require(["engine": .engine, "frontend": .frontend][json["receiver"]?.text ?? ""])
            open = json["open"]?.elements?.compactMap { $0["method"]?.text } ?? []
            expected = Outcome(
                events: try #require(json["events"]?.elements).map(Self.event),
                code: json["ends"]?.text,
                isAtEnd: json["atEnd"]?.truth ?? false
            )
        }

        private static func event(_ json: JSONValue) throws -> Observed {
            let member = try #require(json.members.first)
            let value = member.value
            let method = value["method"]?.text ?? ""
            let params = try value["params"]?.wireObject ?? [:]
            if member.name == "notification" { return .notification(method, params) }
            let id = try #require(value["id"]?.integer)
            switch member.name {
            case "request": return .request(id, method, params)
            case "refused": return .refused(id, kind: try #require(value["kind"]?.text))
            default:
                if let kind = value["kind"]?.text { return .failure(id, kind: kind) }
                return .answer(id, try #require(value["result"]).wireObject)
            }
        }

        /// A receiver with the requests that are open.
        func connection() throws -> ProtocolConnection {
            var connection = ProtocolConnection(role: receiver, limits: limits)
            for method in open { _ = try connection.request(method, [:]) }
            return connection
        }

        /// Feeds a receiver piece by piece.
        func outcome(_ pieces: [ArraySlice<UInt8>]) throws -> Outcome {
            var connection = try connection()
            var outcome = Outcome()
            do throws(ProtocolViolation) {
                for piece in pieces {
                    connection.receive(piece)
                    while let event = try connection.nextEvent() { outcome.events.append(Self.observed(event)) }
                }
                outcome.isAtEnd = true
                try connection.finish()
                outcome.isAtEnd = false
            } catch {
                outcome.code = error.failureCode
            }
            return outcome
        }

        private static func observed(_ event: ProtocolConnection.Event) -> Observed {
            switch event {
            case .request(let id, let method, let params): return .request(Int64(id), method, params)
            case .notification(let method, let params): return .notification(method, params)
            case .answer(let id, _, .success(let result)): return .answer(Int64(id), result)
            case .answer(let id, _, .failure(let failure)): return .failure(Int64(id), kind: failure.kind.name)
            case .refused(_, let failure, let bytes):
                // The refusal itself names the request: `{"jsonrpc":"2.0","id":3,…`.
                let answer = try? JSONParser.object(Array(bytes.flatMap { $0 }.dropFirst(8)))
                guard case .integer(let id)? = answer?["id"] else { return .refused(0, kind: "no number") }
                return .refused(id, kind: failure.kind.name)
            }
        }
    }

    static let names = Result { try ProtocolFolder.names(in: "vectors/framing", ending: ".bin") }

    @Test(arguments: try names.get()) func `the bytes as a whole`(_ name: String) throws {
        let vector = try Vector(name)
        #expect(try vector.outcome([vector.bytes[...]]) == vector.expected)
    }

    @Test(arguments: try names.get()) func `the bytes cut once, at every place`(_ name: String) throws {
        let vector = try Vector(name)
        // Of a long vector, one of a thousand messages or blobs, every 997th place will do.
        let count = vector.bytes.count
        let splits = count < 4096 ? Array(0...count) : Array(stride(from: 0, through: count, by: 997)) + [count]
        for split in splits {
            let outcome = try vector.outcome([vector.bytes[..<split], vector.bytes[split...]])
            #expect(outcome == vector.expected, "cut at \(split)")
        }
    }

    @Test(arguments: try names.get()) func `the bytes one by one`(_ name: String) throws {
        let vector = try Vector(name)
        try #require(vector.bytes.count < 100_000)
        let outcome = try vector.outcome(vector.bytes.indices.map { vector.bytes[$0...$0] })
        #expect(outcome == vector.expected)
    }

    @Test func `no vector is left out`() throws {
        let described = try ProtocolFolder.names(in: "vectors/framing", ending: ".json")
        #expect(try Self.names.get() == described)
        #expect(described.count >= 40)
    }
}

extension ProtocolViolation {
    /// The code of section 10 of the specification.
    var failureCode: String {
        switch code {
        case .text: "F101"
        case .oversize: "F105"
        case .malformedJSON, .malformedMessage: "F107"
        case .malformedResult: "F108"
        case .unknownIdentifier: "F109"
        case .gatewayProtocol: "F110"
        case .frameOrder, .truncated: "F112"
        }
    }
}
