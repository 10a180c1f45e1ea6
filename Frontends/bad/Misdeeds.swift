// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Everything this frontend can do wrong, by name.
enum Misdeeds {
    /// With the number of the `initialize` request.
    ///
    /// What returns goes on as a good frontend.
    static let early: [String: @Sendable (Int) -> Void] = [
        "print-at-start": { _ in say("WARNING: deprecated option\n") },
        "hang-at-start": { _ in hang() },
        "crash-at-start": { _ in crash() },
        "exit-at-start": { _ in
            Wire.complain("cannot find my configuration")
            exit(3)
        },
        "speak-http2": { _ in
            say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            hang()
        },
        "close-stdout": { _ in
            close(STDOUT_FILENO)
            hang()
        },
        "refuse-version": { id in
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32000,"message":"speaks protocol 3.0","data":{"kind":"incompatible","supported":["3.0"]}}}"#
            )
            Wire.waitForEnd()
        },
        "choose-unknown-version": { id in
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#(id),"result":{"protocol":"9.1","frontend":{"name":"x","version":"1"}}}"#
            )
            hang()
        },
        "say-nothing-of-version": { id in
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#(id),"result":{"frontend":{"name":"x","version":"1"}}}"#
            )
            hang()
        },
        "ask-before-build": { id in
            Wire.send(#"{"jsonrpc":"2.0","id":1,"method":"stat","params":{"ref":null,"path":"/"}}"#)
            let answer = Wire.nextMessage()?.text ?? ""
            Wire.complain(answer.contains("\"error\"") ? "refused" : "answered")
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#(id),"result":{"protocol":"1.0","frontend":{"name":"bad/frontend","version":"0.1.0"}}}"#
            )
            if let build = Wire.nextMessage() { Wire.succeed(build.id) }
            Wire.waitForEnd()
        },
    ]

    /// With the number of the `build` request.
    ///
    /// What returns waits for the end of stdin.
    static let late: [String: @Sendable (Int) -> Void] = [
        "behave": { Wire.succeed($0) },
        "print": { id in
            say("progress: 50 %\u{1B}[2J\n")
            Wire.succeed(id)
        },
        "hang": { _ in hang() },
        "crash": { _ in crash() },
        "exit-3": { _ in
            for line in 1...30 { Wire.complain("line \(line)") }
            exit(3)
        },
        "exit-0": { _ in exit(0) },
        "close-stdout": { _ in
            close(STDOUT_FILENO)
            hang()
        },
        "flood-stdout": { _ in flood(STDOUT_FILENO, Array("garbage ".utf8)) },
        "flood-log": { id in
            let line = String(repeating: "log ", count: 1000)
            for _ in 0..<20_000 {
                Wire.send(#"{"jsonrpc":"2.0","method":"log","params":{"message":"\#(line)"}}"#)
            }
            Wire.succeed(id)
        },
        "flood-stderr": { id in
            let line = [UInt8](repeating: UInt8(ascii: "e"), count: 99) + [10]
            let block = Array(repeatElement(line, count: 1000).joined())
            for _ in 0..<1000 { Wire.write(block, to: STDERR_FILENO) }
            Wire.succeed(id)
        },
        "flood-requests": { _ in
            // Never reads an answer.
            var id = 1
            let path = String(repeating: "p", count: 4000)
            while true {
                Wire.send(
                    #"{"jsonrpc":"2.0","id":\#(id),"method":"readFile","params":{"ref":null,"path":"\#(path)","length":4194304}}"#
                )
                id += 1
            }
        },
        "oversize-frame": { _ in Wire.write(Wire.frame(0, [123], length: 1 << 24 - 1)) },
        "oversize-result": { id in
            let text = String(repeating: "x", count: 5 << 20)
            Wire.send(#"{"jsonrpc":"2.0","id":\#(id),"result":{"refs":[],"metadata":{"text":"\#(text)"}}}"#)
        },
        "oversize-blob": { _ in
            Wire.send(
                #"{"jsonrpc":"2.0","id":1,"method":"solve","params":{"definition":{"blob":1,"size":9007199254740991}}}"#
            )
        },
        "endless-depth": { _ in
            Wire.send(
                #"{"jsonrpc":"2.0","method":"log","params":"#
                    + String(repeating: "[", count: 1_000_000)
            )
        },
        "duplicate-members": { _ in
            Wire.send(#"{"jsonrpc":"2.0","id":1,"method":"solve","method":"stat"}"#)
        },
        "bad-utf8": { _ in
            Wire.write(Wire.frame(0, Array(#"{"jsonrpc":"2.0","method":""#.utf8) + [0xFF, 0xFE]))
        },
        "no-json": { _ in Wire.send("hello") },
        "batch": { _ in Wire.send(#"[{"jsonrpc":"2.0","method":"log"}]"#) },
        "truncated": { _ in
            Wire.write(Wire.frame(0, [123], length: 100))
            exit(0)
        },
        "unannounced-stream": { _ in Wire.write(Wire.frame(7, [1, 2, 3])) },
        "unknown-method": { id in
            Wire.send(#"{"jsonrpc":"2.0","id":1,"method":"frobnicate"}"#)
            let answer = Wire.nextMessage()?.text ?? ""
            answer.contains("-32601") ? Wire.succeed(id) : Wire.fail(id, "not refused")
        },
        "unknown-notification": { id in
            Wire.send(#"{"jsonrpc":"2.0","method":"frobnicated","params":{"a":[]}}"#)
            Wire.send(#"{"jsonrpc":"2.0","method":"diagnostic","params":{"severity":"awful"}}"#)
            Wire.succeed(id)
        },
        "cannot-read": { _ in
            Wire.send(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no JSON at byte 3"}}"#)
            hang()
        },
        "cannot-read-the-build": { id in
            Wire.send(#"{"jsonrpc":"2.0","id":\#(id),"error":{"code":-32700,"message":"no JSON at byte 3"}}"#)
            Wire.waitForEnd()
        },
        "answer-late": { id in
            while let message = Wire.nextMessage(), !message.text.contains("\"cancel\"") {}
            usleep(50_000)
            Wire.complain("answers late")
            Wire.succeed(id)
            Wire.waitForEnd()
        },
        "answer-nobody": { _ in Wire.send(#"{"jsonrpc":"2.0","id":77,"result":{}}"#) },
        "same-number-twice": { _ in
            for _ in 0..<2 {
                Wire.send(
                    #"{"jsonrpc":"2.0","id":5,"method":"stat","params":{"ref":null,"path":"slow"}}"#
                )
            }
        },
        "no-refs": { Wire.send(#"{"jsonrpc":"2.0","id":\#($0),"result":{}}"#) },
        "no-ref": {
            Wire.send(#"{"jsonrpc":"2.0","id":\#($0),"result":{"refs":[{"id":"linux/amd64"}]}}"#)
        },
        "unknown-ref": {
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#($0),"result":{"refs":[{"id":"linux/amd64","ref":"r999"}]}}"#
            )
        },
        "same-platform-twice": {
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#($0),"result":{"refs":[{"id":"a","ref":null},{"id":"a","ref":null}]}}"#
            )
        },
        "released-ref": releasedRef,
        "too-many-refs": tooManyRefs,
        "missing-member": { tell($0, ask(#"{"ref":null}"#)) },
        "wrong-member": { tell($0, ask(#"{"ref":null,"path":7}"#)) },
        "must-understand": { tell($0, ask(#"{"ref":null,"path":"a","mustUnderstand":["telepathy"]}"#)) },
        "impatient": { tell($0, ask(#"{"ref":null,"path":"slow","timeoutMs":150}"#)) },
        "bad-timeout": { tell($0, ask(#"{"ref":null,"path":"a","timeoutMs":-1}"#)) },
        "not-offered": { tell($0, ask(#"{"name":"dockerfile"}"#, method: "frontend/solve")) },
        "not-offered-source": { tell($0, ask(#"{"identifier":"git://example.org/x.git"}"#, method: "resolveSource")) },
        "give-up": giveUp,
        "aborted-blob": abortedBlob,
        "too-many-requests": tooManyRequests,
        "cyclic-definition": { id in
            let first = #""a":{"inputs":[{"digest":"b"}],"merge":{"inputs":[{"input":0}]}}"#
            let second = #""b":{"inputs":[{"digest":"a"}],"merge":{"inputs":[{"input":0}]}}"#
            tell(id, solve(json: "{\(first),\(second),\"out\":{\"inputs\":[{\"digest\":\"a\"}]}}"))
        },
        "missing-input": { tell($0, solve(json: #"{"out":{"inputs":[{"digest":"nothing"}]}}"#)) },
        "unknown-operation": { tell($0, solve(json: #"{"a":{"teleport":{}},"out":{"inputs":[{"digest":"a"}]}}"#)) },
        "memory-hog-after-result": { id in
            Wire.succeed(id)
            Attacks.fillMemory()
        },
        "million-operations": millionOperations,
        "broken-definition": brokenDefinition,
        "fail": { Wire.fail($0, "Buildfile:3: unknown word \\\"FORM\\\"") },
        "hang-after-result": { id in
            Wire.succeed(id)
            hang()
        },
        "exit-3-after-result": { id in
            Wire.succeed(id)
            exit(3)
        },
        "print-after-result": { id in
            Wire.succeed(id)
            say("done!\n")
        },
        "answer-twice": { id in
            Wire.succeed(id)
            Wire.succeed(id)
        },
        "attack": Attacks.report,
        "fork-bomb": Attacks.forkBomb,
        "memory-hog": Attacks.memoryHog,
        "leave-children": Attacks.leaveChildren,
    ]

    @Sendable static func hang() {
        while true { sleep(3600) }
    }

    @Sendable static func crash() {
        Wire.complain("about to crash")
        // A signal that the first process of a sandbox sends itself would be ignored; a fault is not.
        unsafe UnsafeMutablePointer<Int>(bitPattern: 8)?.pointee = 1
    }

    static func say(_ text: String) { Wire.write(Array(text.utf8)) }

    static func flood(_ descriptor: CInt, _ bytes: [UInt8]) {
        let block = Array(repeatElement(bytes, count: 8192).joined())
        while true { Wire.write(block, to: descriptor) }
    }

    // MARK: Definitions

    private static func solve(_ definition: [UInt8], id: Int = 1) -> String {
        Wire.send(
            #"{"jsonrpc":"2.0","id":\#(id),"method":"solve","params":{"definition":{"blob":1,"size":\#(definition.count)}}}"#
        )
        for start in stride(from: 0, to: definition.count, by: 1 << 20) {
            let end = min(start + 1 << 20, definition.count)
            Wire.write(Wire.frame(1, Array(definition[start..<end])))
        }
        return Wire.nextMessage()?.text ?? ""
    }

    /// `pb.Definition` with a million operations of two bytes each.
    @Sendable private static func millionOperations(_ id: Int) {
        var definition: [UInt8] = []
        definition.reserveCapacity(8_000_000)
        for number in 0..<1_000_000 {
            // Field 1, four bytes: an operation with an unknown field 1000 of the number.
            let varint: [UInt8] = [
                UInt8(number & 0x7F) | 0x80, UInt8(number >> 7 & 0x7F) | 0x80, UInt8(number >> 14),
            ]
            definition += [0x0A, 5, 0xC0, 0x3E] + varint
        }
        tell(id, solve(definition))
    }

    @Sendable private static func brokenDefinition(_ id: Int) {
        tell(id, solve([0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1, 2, 3]))
    }

    private static func solve(json definition: String) -> String {
        Wire.send(
            #"{"jsonrpc":"2.0","id":1,"method":"solve","params":{"definition":{"json":{"def":\#(definition)}}}}"#
        )
        return Wire.nextMessage()?.text ?? ""
    }

    /// Makes one request and gives its answer.
    private static func ask(_ params: String, method: String = "stat") -> String {
        Wire.send(#"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#)
        return Wire.nextMessage()?.text ?? ""
    }

    /// Gives its own request up; it is answered all the same, once.
    @Sendable private static func giveUp(_ id: Int) {
        Wire.send(#"{"jsonrpc":"2.0","id":1,"method":"stat","params":{"ref":null,"path":"slow"}}"#)
        Wire.send(#"{"jsonrpc":"2.0","method":"cancel","params":{"id":1}}"#)
        let answer = Wire.nextMessage()?.text ?? ""
        Wire.send(#"{"jsonrpc":"2.0","id":2,"method":"stat","params":{"ref":null,"path":"a"}}"#)
        let next = Wire.nextMessage()?.text ?? ""
        if next.contains("\"id\":2") { tell(id, answer) } else { Wire.fail(id, "solve: answered twice") }
    }

    /// Announces more bytes of a definition than it sends.
    @Sendable private static func abortedBlob(_ id: Int) {
        Wire.send(#"{"jsonrpc":"2.0","id":1,"method":"solve","params":{"definition":{"blob":1,"size":100}}}"#)
        Wire.write(Wire.frame(1, [1, 2, 3]))
        Wire.write(Wire.frame(1, []))
        tell(id, Wire.nextMessage()?.text ?? "")
    }

    @Sendable private static func tooManyRequests(_ id: Int) {
        for number in 1...40 {
            Wire.send(#"{"jsonrpc":"2.0","id":\#(number),"method":"stat","params":{"ref":null,"path":"slow"}}"#)
        }
        tell(id, Wire.nextMessage()?.text ?? "")
    }

    /// Says what kind of failure an answer was.
    private static func tell(_ id: Int, _ answer: String) {
        let kinds = [
            "badDefinition", "limit", "invalidParams", "tooManyRequests", "unsupported", "timeout", "cancelled",
        ]
        let kind = kinds.first { answer.contains("\"kind\":\"\($0)\"") } ?? "no failure"
        Wire.fail(id, "solve: \(kind)")
    }

    @Sendable private static func releasedRef(_ id: Int) {
        Wire.send(
            #"{"jsonrpc":"2.0","id":1,"method":"solve","params":{"definition":{"json":{"def":{}}}}}"#
        )
        _ = Wire.nextMessage()
        Wire.send(#"{"jsonrpc":"2.0","id":2,"method":"releaseRef","params":{"ref":"r1"}}"#)
        _ = Wire.nextMessage()
        Wire.send(#"{"jsonrpc":"2.0","id":3,"method":"stat","params":{"ref":"r1","path":"a"}}"#)
        tell(id, Wire.nextMessage()?.text ?? "")
    }

    @Sendable private static func tooManyRefs(_ id: Int) {
        for number in 1...20 {
            Wire.send(
                #"{"jsonrpc":"2.0","id":\#(number),"method":"solve","params":{"definition":{"json":{"def":{}}}}}"#
            )
            let answer = Wire.nextMessage()?.text ?? ""
            if answer.contains("\"error\"") { return tell(id, answer) }
        }
        Wire.fail(id, "solve: no failure")
    }
}
