// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import Testing

/// P-MSG-*, P-BLOB-*, P-ID-* of `Protocol/SPEC.md`: the state machine of one end.
struct ConnectionTests {
    private typealias Event = ProtocolConnection.Event

    private func message(_ json: String) -> [UInt8] { frame(0, Array(json.utf8)) }

    private func frame(_ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        bigEndian(UInt32(payload.count)) + bigEndian(stream) + payload
    }

    /// Feeds an engine's end.
    private func engine(
        _ bytes: [UInt8],
        limits: ProtocolLimits = .standard
    ) -> (events: [Event], violation: ProtocolViolation?) {
        var connection = ProtocolConnection(role: .engine, limits: limits)
        return feed(&connection, bytes)
    }

    private func feed(
        _ connection: inout ProtocolConnection,
        _ bytes: [UInt8]
    ) -> (events: [Event], violation: ProtocolViolation?) {
        var events: [Event] = []
        do {
            connection.receive(bytes)
            while let event = try connection.nextEvent() { events.append(event) }
            try connection.finish()
            return (events, nil)
        } catch {
            return (events, error)
        }
    }

    // MARK: Messages

    @Test func `a whole session comes out the same wherever the bytes are split`() throws {
        var frontend = ProtocolConnection(role: .frontend)
        var bytes: [UInt8] = []
        let content = [UInt8](repeating: 9, count: 37)
        bytes += try frontend.notify("log", ["message": "hello"]).flatMap { $0 }
        bytes += try frontend.request(
            "solve",
            ["definition": .bytes(content), "x": [.bytes([]), .bytes([1])]]
        ).bytes.flatMap { $0 }
        bytes += try frontend.request("stat", ["ref": nil, "path": "a"]).bytes.flatMap { $0 }
        let expected: [Event] = [
            .notification(method: "log", params: ["message": "hello"]),
            .request(
                id: 1,
                method: "solve",
                params: ["definition": .bytes(content), "x": [.bytes([]), .bytes([1])]]
            ),
            .request(id: 2, method: "stat", params: ["ref": nil, "path": "a"]),
        ]
        for split in 0...bytes.count {
            var connection = ProtocolConnection(role: .engine)
            var events: [Event] = []
            for piece in [bytes[..<split], bytes[split...]] {
                connection.receive(piece)
                while let event = try connection.nextEvent() { events.append(event) }
            }
            #expect(events == expected)
            try connection.finish()
        }
        #expect(engine(bytes).events == expected)
    }

    @Test func `answers find their requests`() throws {
        var engine = ProtocolConnection(role: .engine)
        var frontend = ProtocolConnection(role: .frontend)
        let (first, firstBytes) = try engine.request("initialize", [:])
        let (second, secondBytes) = try engine.request("build", [:])
        #expect(engine.askedCount == 2)
        let asked = feed(&frontend, (firstBytes + secondBytes).flatMap { $0 })
        #expect(asked.events.count == 2)
        #expect(frontend.owedCount == 2)
        let late = frontend.answer(second, with: .success(["data": .bytes([4, 5])]))
        let failure = ProtocolFailure(.notFound, "no", data: ["path": "x"])
        let early = frontend.answer(first, with: .failure(failure))
        let answers = feed(&engine, (late + early).flatMap { $0 })
        #expect(
            answers.events == [
                .answer(id: second, method: "build", .success(["data": .bytes([4, 5])])),
                .answer(id: first, method: "initialize", .failure(failure)),
            ]
        )
        #expect(engine.askedCount == 0)
        #expect(frontend.owedCount == 0)
        #expect(frontend.answer(first, with: .success([:])).isEmpty)
    }

    @Test(arguments: [
        "{}", "{\"jsonrpc\":\"1.0\",\"method\":\"a\"}", "{\"jsonrpc\":\"2.0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}", "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":2147483648,\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"a\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"params\":[1]}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{\"code\":1,\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":true}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"eh\"}}",
    ])
    func `refuses JSON that is no message`(_ text: String) {
        #expect(engine(message(text)).violation?.code == .malformedMessage)
    }

    @Test func `tells where JSON is wrong`() {
        let found = engine(
            message("{\"jsonrpc\":\"2.0\",\"method\":\"log\"}") + message("{\"a\":?}")
        )
        #expect(found.events.count == 1)
        #expect(
            found.violation?.message == "frame 2 is not valid JSON at byte 5: unexpected \"?\""
        )
        #expect(found.violation?.code == .malformedJSON)
    }

    @Test func `an answer to nobody's request ends the session`() {
        let found = engine(message("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}"))
        #expect(found.violation?.code == .unknownIdentifier)
        #expect(found.violation?.message == "answered request 7, which is not open")
    }

    @Test func `a number in use cannot be used again`() {
        let request = message("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"stat\"}")
        let found = engine(request + request)
        #expect(found.events.count == 1)
        #expect(found.violation?.code == .unknownIdentifier)
    }

    @Test func `a late answer to an abandoned request is dropped, a second one is not`() throws {
        var connection = ProtocolConnection(role: .engine)
        let (id, _) = try connection.request("build", [:])
        let abandoned = connection.abandon(id)
        let cancel = try #require(abandoned)
        #expect(String(decoding: cancel[0].dropFirst(8), as: UTF8.self).contains("\"cancel\""))
        let again = connection.abandon(id)
        #expect(again == nil)
        #expect(connection.askedCount == 0)
        let answer = message("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"result\":{}}")
        let first = feed(&connection, answer)
        #expect(first.events.isEmpty)
        #expect(first.violation == nil)
        #expect(feed(&connection, answer).violation?.code == .unknownIdentifier)
    }

    @Test func `what must be understood and is not is refused`() throws {
        let text = """
            {"jsonrpc":"2.0","id":1,"method":"solve","params":{"mustUnderstand":["x-acme.flags"]}}
            """
        let found = engine(message(text))
        guard case .refused("solve", let failure, let bytes)? = found.events.first else {
            Issue.record("not refused: \(found)")
            return
        }
        #expect(failure.kind == .unsupported)
        #expect(!bytes.isEmpty)
    }

    // MARK: Limits

    @Test func `one request too many is refused, and room comes back with an answer`() throws {
        var connection = ProtocolConnection(role: .engine, limits: ProtocolLimits(inFlight: 2))
        let request = { (id: Int) in
            self.message("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"stat\"}")
        }
        let found = feed(&connection, request(1) + request(2) + request(3))
        #expect(found.violation == nil)
        guard case .refused(_, let failure, _)? = found.events.last else {
            Issue.record("not refused: \(found)")
            return
        }
        #expect(failure.kind == .tooManyRequests)
        #expect(connection.owedCount == 2)
        _ = connection.answer(1, with: .success([:]))
        #expect(
            feed(&connection, request(4)).events
                == [.request(id: 4, method: "stat", params: [:])]
        )
    }

    @Test func `open requests may not hold memory without end`() {
        let limits = ProtocolLimits(messageBytes: 1000, blobBytes: 1000)
        var bytes: [UInt8] = []
        for id in 1...6 {
            bytes += message(
                "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"solve\",\"params\":{\"d\":{\"blob\":1,\"size\":1000}}}"
            )
            bytes += frame(1, [UInt8](repeating: 0, count: 1000))
        }
        let refused = engine(bytes, limits: limits).events.filter {
            if case .refused(_, let failure, _) = $0 { failure.kind == .limit } else { false }
        }
        #expect(!refused.isEmpty)
    }

    @Test func `an answer too large for the session becomes a failure`() throws {
        var connection = ProtocolConnection(
            role: .engine,
            limits: ProtocolLimits(messageBytes: 300)
        )
        _ = feed(&connection, message("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"readDir\"}"))
        let pieces = connection.answer(
            1,
            with: .success(["text": .string(String(repeating: "x", count: 400))])
        )
        let text = String(decoding: pieces.flatMap { $0 }.dropFirst(8), as: UTF8.self)
        #expect(text.contains("\"limit\""))
        #expect(throws: ProtocolFailure.self) {
            try connection.request("x", ["text": .string(String(repeating: "x", count: 400))])
        }
        #expect(connection.askedCount == 0)
    }

    // MARK: Blobs

    private func request(_ announcement: String, id: Int = 1) -> [UInt8] {
        message(
            "{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"solve\",\"params\":{\"d\":\(announcement)}}"
        )
    }

    @Test func `blobs arrive whole, in frames of any size`() {
        let bytes =
            request("[{\"blob\":1,\"size\":5},{\"blob\":3,\"size\":null},{\"blob\":5,\"size\":0}]")
            + frame(1, [1, 2]) + frame(1, [3, 4, 5]) + frame(3, [6]) + frame(3, [])
        #expect(
            engine(bytes).events == [
                .request(
                    id: 1,
                    method: "solve",
                    params: ["d": [.bytes([1, 2, 3, 4, 5]), .bytes([6]), .bytes([])]]
                )
            ]
        )
    }

    @Test func `only an object of exactly blob and size is an announcement`() {
        let found = engine(request("{\"blob\":1,\"size\":2,\"x\":0}"))
        #expect(found.events.count == 1)
        #expect(engine(request("{\"blob\":\"1\",\"size\":2}")).events.count == 1)
    }

    @Test func `a blob given up half way fails its request only`() {
        let bytes =
            request("{\"blob\":1,\"size\":5}") + frame(1, [1]) + frame(1, [])
            + request("{\"blob\":1,\"size\":1}", id: 2) + frame(1, [8])
        let found = engine(bytes)
        #expect(found.violation == nil)
        guard case .refused(_, let failure, _)? = found.events.first else {
            Issue.record("not refused: \(found)")
            return
        }
        #expect(failure.kind == .invalidParams)
        #expect(
            found.events.last == .request(id: 2, method: "solve", params: ["d": .bytes([8])])
        )
    }

    @Test func `frames out of order end the session`() {
        let waiting = request("{\"blob\":1,\"size\":5}")
        for (what, bytes) in [
            ("nobody announced it", frame(1, [1])),
            ("a message before the blob", waiting + message("{}")),
            ("another blob", waiting + frame(3, [1])),
            ("too many bytes", waiting + frame(1, [1, 2, 3, 4, 5, 6])),
            ("after its end", waiting + frame(1, [1, 2, 3, 4, 5]) + frame(1, [])),
            ("an engine's number", request("{\"blob\":2,\"size\":1}")),
            ("number 0", request("{\"blob\":0,\"size\":1}")),
            ("a negative number", request("{\"blob\":-1,\"size\":1}")),
            ("a number too high", request("{\"blob\":2147483649,\"size\":1}")),
            ("a negative size", request("{\"blob\":1,\"size\":-1}")),
            ("announced twice", request("[{\"blob\":1,\"size\":1},{\"blob\":1,\"size\":1}]")),
        ] {
            #expect(engine(bytes).violation?.code == .frameOrder, "\(what)")
        }
        #expect(engine(waiting).violation?.code == .truncated)
        #expect(engine(waiting + frame(1, [1])).violation?.code == .truncated)
    }

    @Test func `a blob too large is refused when it is announced, or when it grows`() {
        let limits = ProtocolLimits(blobBytes: 10)
        for announcement in [
            "{\"blob\":1,\"size\":11}", "[{\"blob\":1,\"size\":6},{\"blob\":3,\"size\":5}]",
            "{\"blob\":1,\"size\":9007199254740991}",
            "[{\"blob\":1,\"size\":9007199254740991},{\"blob\":3,\"size\":9007199254740991}]",
        ] {
            let found = engine(request(announcement), limits: limits)
            #expect(found.violation?.code == .oversize, "\(announcement)")
        }
        let growing =
            request("{\"blob\":1,\"size\":null}") + frame(1, Array(repeating: 0, count: 11))
        #expect(engine(growing, limits: limits).violation?.code == .oversize)
        let many = (0..<1025).map { "{\"blob\":\($0 * 2 + 1),\"size\":0}" }.joined(separator: ",")
        #expect(engine(request("[\(many)]")).violation?.code == .oversize)
    }

    @Test func `large blobs are cut into frames of the session's size`() throws {
        var connection = ProtocolConnection(role: .frontend, limits: ProtocolLimits(frameBytes: 4))
        let pieces = try connection.request("solve", ["d": .bytes(Array(0..<10))]).bytes
        #expect(pieces.count == 4)
        #expect(pieces[1] == frame(1, [0, 1, 2, 3]))
        #expect(pieces[3] == frame(1, [8, 9]))
        #expect(try connection.request("solve", ["d": .bytes([1])]).bytes[1] == frame(3, [1]))
    }
}
