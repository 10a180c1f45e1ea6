// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import LLB
import OCI
import Testing

/// Rules of the specification that no vector or transcript holds, by their ids.
struct RuleTests {
    // MARK: Messages

    @Test(
        arguments: [
            ("log", ["message": "", "level": "loud"]),
            ("diagnostic", ["message": "", "severity": "fatal"]),
            ("resolveSource", ["identifier": "docker-image://a", "mode": "sometimes"]),
        ] as [(String, WireObject)]
    )
    func `P-MSG-07: an unknown word is refused, never ignored`(_ method: String, _ params: WireObject) {
        let error = #expect(throws: ProtocolFailure.self) {
            switch method {
            case "log": _ = try Wire.Log(params: params)
            case "diagnostic": _ = try Diagnostic(params: params)
            default: _ = try Wire.ResolveSource(params: params)
            }
        }
        #expect(error?.kind == .invalidParams)
    }

    @Test func `P-MSG-07: an unknown kind of file in an answer ends the session`() {
        let info: WireObject = [
            "name": "a", "kind": "door", "mode": 0, "uid": 0, "gid": 0, "size": 0, "modified": "0",
        ]
        #expect(throws: ProtocolViolation.self) { try Wire.ReadDirectory.answer(["entries": [.object(info)]]) }
    }

    @Test func `P-BLOB-07: bytes may come as a string`() throws {
        let params: WireObject = [
            "buildFile": ["name": "f", "content": "é\n"], "workerPlatforms": [],
        ]
        #expect(try Wire.Build(params: params).fileContent == [0xC3, 0xA9, 0x0A])
    }

    @Test func `P-JSON-04: a large integer comes as a decimal string`() throws {
        let params: WireObject = ["ref": nil, "path": "a", "offset": "9223372036854775807", "length": 5]
        #expect(try Wire.ReadFile(params: params).offset == .max)
        for wrong: WireValue in ["9223372036854775808", "1e3", "+1", "01", " 1", "", .number(1.5), true] {
            #expect(throws: ProtocolFailure.self, "\(wrong)") {
                try Wire.ReadFile(params: ["ref": nil, "path": "a", "offset": wrong])
            }
        }
    }

    // MARK: Versions

    @Test func `P-VER-01: entries of another grammar are ignored`() throws {
        let versions = ["3-beta", "v1", "1", "1.0.0", "01.0", "1.00", "", "1.0"]
        #expect(versions.compactMap { ProtocolVersion($0) } == [ProtocolVersion(1, 0)])
    }

    @Test func `P-VER-02: the newest version in common, not above what was offered`() {
        let known = [ProtocolVersion(1, 4), ProtocolVersion(2, 1)]
        for (offered, chosen) in [
            ([ProtocolVersion(1, 2)], ProtocolVersion(1, 2)), ([ProtocolVersion(1, 9)], ProtocolVersion(1, 4)),
            ([ProtocolVersion(2, 0), ProtocolVersion(1, 9)], ProtocolVersion(2, 0)),
            ([ProtocolVersion(3, 0), ProtocolVersion(1, 0)], ProtocolVersion(1, 0)),
            ([ProtocolVersion(1, 10)], ProtocolVersion(1, 4)),
        ] {
            #expect(ProtocolVersion.negotiate(offered: offered, known: known) == chosen)
        }
    }

    @Test func `P-VER-03: without a common major there is no version`() {
        #expect(ProtocolVersion.negotiate(offered: [ProtocolVersion(9, 0)], known: [ProtocolVersion(1, 4)]) == nil)
    }

    @Test func `P-VER-04: a capability that is not known is kept and means nothing`() throws {
        let members: WireObject = [
            "protocol": ["1.0"], "engine": ["name": "e", "version": "99.0.0-unheard.of"],
            "capabilities": ["x-acme.teleport", "solve"], "limits": .object(ProtocolLimits.standard.members),
        ]
        let request = try Wire.Initialize(params: members)
        #expect(request.capabilities == [EngineCapability(rawValue: "x-acme.teleport"), .solve])
    }

    // MARK: LLB

    /// Operations in a row: each a mkdir upon the one before.
    private func chain(_ count: Int) -> JSONValue {
        func file(_ input: String?, _ number: Int) -> JSONValue {
            var members: [JSONMember] = []
            if let input {
                members.append(JSONMember("inputs", .array([.object([JSONMember("digest", .string(input))])])))
            }
            let action = """
                {"actions":[{"input":\(input == nil ? -1 : 0),"secondaryInput":-1,"output":0,\
                "mkdir":{"path":"/\(number)","mode":493,"timestamp":-1}}]}
                """
            members.append(JSONMember("file", (try? JSONValue(parsing: Array(action.utf8))) ?? .null))
            return .object(members)
        }
        var operations = (0..<count).map { number in
            JSONMember("n\(number)", file(number == 0 ? nil : "n\(number - 1)", number))
        }
        let last: JSONValue = .object([
            JSONMember("inputs", .array([.object([JSONMember("digest", .string("n\(count - 1)"))])]))
        ])
        operations.append(JSONMember("out", last))
        return .object([JSONMember("def", .object(operations))])
    }

    @Test func `P-LLB-06: more operations, bytes or levels than are allowed are refused`() throws {
        let limits = DefinitionLimits(byteCount: 4096, operationCount: 20, depth: 10)
        #expect(try Definition(json: chain(10), limits: limits).graph(limits: limits).vertices.count == 10)
        let deep = #expect(throws: LLBError.self) {
            try Definition(json: chain(11), limits: limits).graph(limits: limits)
        }
        #expect(deep?.code == .tooLarge)
        let many = #expect(throws: LLBError.self) { try Definition(json: chain(20), limits: limits) }
        #expect(many?.code == .tooLarge)
        let long = #expect(throws: LLBError.self) {
            try Definition(serialized: [UInt8](repeating: 0, count: 4097), limits: limits)
        }
        #expect(long?.code == .tooLarge)
        let standard = DefinitionLimits.standard
        #expect(standard.operationCount == 100_000)
        #expect(standard.byteCount == 64 << 20)
        #expect(standard.depth == 20_000)
    }

    @Test(arguments: [
        #"{"def":{"a":{"merge":{"inputs":[]},"unknownField":1},"out":{"inputs":[{"digest":"a"}]}}}"#,
        #"{"def":{"a":{"teleport":{}},"out":{"inputs":[{"digest":"a"}]}}}"#,
        #"{"def":{"a":{"exec":{"meta":{"args":["x"],"cwd":"/"},"mounts":[{"dest":"/"}],"network":"MESH"}},"out":{"inputs":[{"digest":"a"}]}}}"#,
        #"{"def":{"a":{"source":{"identifier":"local://x"}},"out":{"inputs":[{"digest":"b"}]}}}"#,
        #"{"def":{"a":{"inputs":[{"digest":"a"}],"merge":{"inputs":[{"input":0},{"input":0}]}},"out":{"inputs":[{"digest":"a"}]}}}"#,
        #"{"def":{"a":{"source":{"identifier":"local://x"}},"out":{"inputs":[{"digest":"a","index":3}]}}}"#,
        #"{"def":{"a":{"source":{"identifier":"local://x"}},"b":{},"out":{"inputs":[{"digest":"a"}]}}}"#,
        #"{"def":{"a":{"source":{"identifier":"local://x"}},"out":{"inputs":[{"digest":"a"}]}},"metadata":{"z":{}}}"#,
        #"{"def":{"a":{"source":{"identifier":"teleport://x"}},"out":{"inputs":[{"digest":"a"}]}}}"#,
        #"{"def":[]}"#,
    ])
    func `P-LLB-05: a definition that means nothing is refused`(_ text: String) throws {
        let json = try JSONValue(parsing: Array(text.utf8))
        #expect(throws: LLBError.self) { try Definition(json: json).graph() }
    }
}
