// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import OCI
import Testing

/// P-VER-*, and the forms of all methods.
struct WireTests {
    private static let digest = Digest.of("x")
    private static let arm = Platform(os: "linux", architecture: "arm", variant: "v7")
    private static let file = FileInfo(
        name: "a",
        kind: .symlink,
        mode: 0o777,
        uid: 4_294_967_295,
        gid: 2,
        size: 1 << 60,
        modified: -1_700_000_000_123_456_789,
        linkTarget: "b"
    )

    private static let values: [any WireRepresentable] = [
        Wire.Done(), Wire.Program(name: "n", version: "1"),
        Wire.Initialize(
            engine: .init(name: "kiln", version: "0"),
            capabilities: [.solve, .readFile],
            llbCapabilities: ["source.image"],
            limits: ProtocolLimits(refs: 9)
        ),
        Wire.Initialize.Answer(
            version: ProtocolVersion(1, 0),
            frontend: .init(name: "f", version: "2"),
            provides: ["x"]
        ),
        Wire.Build(
            fileName: "Dockerfile",
            fileContent: [0, 255],
            options: ["target": "", "build-arg:A": "é"],
            inputs: [
                "a": .init(ref: "r1", definition: .protobuf([1])), "b": .init(ref: nil),
                "c": .init(ref: nil, definition: .json(["def": [:]])),
            ],
            workerPlatforms: [arm],
            commandLine: "x y",
            deadlineMilliseconds: 1 << 60
        ),
        Wire.Build.Answer(
            results: [
                .init(
                    id: "linux/arm/v7",
                    platform: arm,
                    ref: nil,
                    config: [1],
                    metadata: ["k": []]
                ),
                .init(id: "", platform: nil, ref: "r2"),
            ],
            isIndex: true,
            metadata: ["m": [1, 2]]
        ),
        Wire.Solve(definition: .json(["def": [:]]), evaluate: true),
        Wire.Solve(definition: .protobuf([])), Wire.Solve.Answer(ref: nil),
        Wire.Solve.Answer(ref: "r"), Wire.Evaluate(ref: "r"), Wire.ReleaseRef(ref: "r"),
        Wire.SolveFrontend(name: "n", options: ["a": "b"], inputs: ["i": .init(ref: "r")]),
        Wire.ReadFile(ref: nil, path: "a/b", offset: 5, length: 7),
        Wire.ReadFile(ref: "r", path: ""), Wire.ReadFile.Answer(data: [1], isEnd: false),
        Wire.ReadDirectory(ref: "r", path: "/", pattern: "*.c"),
        Wire.ReadDirectory.Answer(entries: [file]),
        Wire.Stat(ref: nil, path: "x", followSymlinks: true),
        file,
        Wire.ResolveSource(
            identifier: "docker-image://a",
            attributes: ["x": "y"],
            platform: arm,
            mode: .pull,
            wantsConfig: false,
            logName: "l"
        ),
        ResolvedSource(
            identifier: "i",
            attributes: ["a": "b"],
            image: .init(digest: digest, config: [1]),
            git: .init(checksum: "c", ref: "refs/heads/main", commit: "d", commitTime: 5),
            http: .init(digest: digest, fileName: "f", lastModified: 1)
        ),
        Wire.Log(level: .debug, message: "m"),
        Wire.Progress(id: "i", name: "n", current: 1, total: 2, isCompleted: true),
        Wire.Cancel(id: 4),
        Diagnostic(
            severity: .hint,
            code: "C",
            message: "m",
            detail: ["d"],
            url: "u",
            fileName: "f",
            ranges: [TextRange(startLine: 1, startColumn: 2, endLine: 3, endColumn: 4)]
        ),
    ]

    @Test(arguments: values.indices)
    func `every message is read back as it was written`(_ index: Int) throws {
        func check<Value: WireRepresentable>(_ value: Value) throws {
            #expect(try Value(members: MemberReader(value.members, path: "x")) == value)
        }
        try check(Self.values[index])
    }

    @Test(arguments: values.indices)
    func `a message survives the wire`(_ index: Int) throws {
        var sender = ProtocolConnection(role: .frontend)
        var receiver = ProtocolConnection(role: .engine)
        let members = Self.values[index].members
        receiver.receive(try sender.notify("x", members).flatMap { $0 })
        #expect(try receiver.nextEvent() == .notification(method: "x", params: members))
    }

    @Test(arguments: values.indices)
    func `no member may have another kind of value`(_ index: Int) {
        func check<Value: WireRepresentable>(_ value: Value) {
            for member in value.members.members where member.value != .null {
                for wrong: WireValue in [[[1]], .number(0.5)] {
                    var members = value.members
                    members[member.name] = wrong
                    #expect(throws: MemberError.self, "\(Value.self).\(member.name)") {
                        try Value(members: MemberReader(members, path: "x"))
                    }
                }
            }
        }
        check(Self.values[index])
    }

    @Test func `a result without its members is never success`() {
        for (text, expected) in [
            ({ _ = try Wire.Build.answer([:]) }, "result of \"build\" lacks \"refs\""),
            ({ _ = try Wire.Solve.answer([:]) }, "result of \"solve\" lacks \"ref\"; write null for the empty tree"),
            (
                { _ = try Wire.Initialize.answer([:]) },
                "result of \"initialize\" lacks \"protocol\""
            ),
            (
                { _ = try Wire.ReadFile.answer(["data": ""]) },
                "result of \"readFile\" lacks \"eof\""
            ),
            (
                { _ = try Wire.Build.answer(["refs": [["id": "a"]]]) },
                "result of \"build\" is malformed: \"result.refs[0]\" lacks \"ref\"; write null for the empty tree"
            ),
        ] as [(() throws -> Void, String)] {
            #expect(throws: ProtocolViolation(.malformedResult, expected), performing: text)
        }
    }

    @Test func `paths and ranges outside the limits are refused`() {
        let long = String(repeating: "a", count: 4096)
        for params: WireObject in [
            ["ref": nil, "path": "a\u{0}b"], ["ref": nil, "path": .string(long)],
            ["ref": nil, "path": "a", "offset": -1], ["ref": nil, "path": "a", "length": -1],
            ["ref": nil, "path": "a", "length": "12x"], ["ref": nil, "path": "a", "length": "012"],
            ["path": "a"], ["ref": 1, "path": "a"],
        ] {
            let error = #expect(throws: ProtocolFailure.self) { try Wire.ReadFile(params: params) }
            #expect(error?.kind == .invalidParams)
        }
    }

    @Test func `unknown words are refused, unknown members are not`() throws {
        #expect(throws: ProtocolFailure.self) {
            try Wire.ResolveSource(params: ["identifier": "a", "mode": "sometimes"])
        }
        #expect(throws: ProtocolFailure.self) {
            try Wire.Log(params: ["message": "", "level": "loud"])
        }
        #expect(try Wire.Log(params: ["message": "m", "colour": [1]]) == Wire.Log(message: "m"))
    }

    // MARK: Versions

    @Test func `the newest common version is chosen`() {
        let v = { (major: Int, minor: Int) in ProtocolVersion(major, minor) }
        #expect(ProtocolVersion.negotiate(offered: [v(1, 3)], known: [v(1, 0)]) == v(1, 0))
        #expect(ProtocolVersion.negotiate(offered: [v(1, 0)], known: [v(1, 3)]) == v(1, 0))
        #expect(
            ProtocolVersion.negotiate(offered: [v(2, 0), v(1, 3)], known: [v(1, 5), v(2, 4)])
                == v(2, 0)
        )
        #expect(ProtocolVersion.negotiate(offered: [v(2, 0)], known: [v(1, 5)]) == nil)
        #expect(ProtocolVersion.negotiate(offered: [], known: [v(1, 5)]) == nil)
        #expect(v(1, 10) > v(1, 9))
    }

    @Test(arguments: ["", "1", "1.", ".1", "1.0.0", "01.0", "1.00", "+1.0", "-1.0", "1.x", " 1.0"])
    func `a version is two plain numbers`(_ text: String) {
        #expect(ProtocolVersion(text) == nil)
    }

    @Test func `versions of a later grammar are no reason to fail`() throws {
        let params: WireObject = [
            "protocol": ["3-beta", "1.0"], "engine": ["name": "e", "version": "1"],
            "capabilities": ["from-the-future"], "limits": .object(ProtocolLimits.standard.members),
        ]
        #expect(try Wire.Initialize(params: params).versions == [ProtocolVersion(1, 0)])
    }

    // MARK: Failures

    @Test(arguments: [
        ProtocolFailure.Kind.incompatible, .unsupported, .invalidParams, .notFound, .limit,
        .tooManyRequests, .cancelled, .timeout, .badDefinition, .buildFile, .operation, .denied,
        .unavailable, .internalError, .unrecognized("x-new"),
    ])
    func `failures keep kind, message and data`(_ kind: ProtocolFailure.Kind) throws {
        var engine = ProtocolConnection(role: .engine)
        var frontend = ProtocolConnection(role: .frontend)
        let (id, bytes) = try engine.request("build", [:])
        frontend.receive(bytes.flatMap { $0 })
        _ = try frontend.nextEvent()
        let failure = ProtocolFailure(kind, "why\nnot", data: ["request": 5])
        engine.receive(frontend.answer(id, with: .failure(failure)).flatMap { $0 })
        #expect(try engine.nextEvent() == .answer(id: id, method: "build", .failure(failure)))
    }

    @Test func `the code tells the kind where a general library left data out`() throws {
        for (code, kind) in [
            (-32601, ProtocolFailure.Kind.unsupported), (-32602, .invalidParams),
            (-32603, .internalError), (-32000, .unrecognized("")),
        ] {
            var engine = ProtocolConnection(role: .engine)
            let (id, _) = try engine.request("build", [:])
            let text = """
                {"jsonrpc":"2.0","id":\(id),"error":{"code":\(code),"message":"m"}}
                """
            engine.receive(bigEndian(UInt32(text.utf8.count)) + bigEndian(0) + Array(text.utf8))
            guard case .answer(_, _, .failure(let failure))? = try engine.nextEvent() else {
                Issue.record("no failure")
                return
            }
            #expect(failure.kind == kind)
        }
    }
}
