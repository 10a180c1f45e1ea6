// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import LinuxSystem
import Sandbox
import Testing

/// Every way a frontend can go wrong, run for real: the code, the words, how long it takes, and that nothing is left.
///
/// F101 to F117 of the specification; P-LIFE-09 and P-BOX-03: each run checks that no process is left.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(2)))
struct MisdeedTests {
    /// A misdeed and what it must come to.
    struct Case: Sendable, CustomTestStringConvertible {
        let mode: String
        let code: FrontendHostError.Code
        let text: String
        var testDescription: String { mode }

        init(_ mode: String, _ code: FrontendHostError.Code, _ text: String) {
            self.mode = mode
            self.code = code
            self.text = text
        }
    }

    private func check(_ expected: Case, _ outcome: Outcome) throws {
        let error = try #require(outcome.error, "\(outcome.result)")
        #expect(error.code == expected.code)
        #expect(error.message.contains(expected.text), "\(error.message)")
        #expect(error.message.hasPrefix("F\(expected.code.rawValue) "))
        #expect(error.fault == .input)
        #expect(outcome.duration < .seconds(20))
    }

    // MARK: Before the build

    @Test(arguments: [
        Case("print-at-start", .textOnStandardOutput, #""WARNING: deprecated option\n""#),
        Case(
            "crash-at-start",
            .exited,
            "was ended by signal 11 (SIGSEGV) before returning a result"
        ),
        Case("exit-at-start", .exited, "exited with status 3 before returning a result"),
        Case("exit-at-start", .exited, "    cannot find my configuration"),
        Case("speak-http2", .gatewayProtocol, "speaks BuildKit's gateway protocol"),
        Case("close-stdout", .exited, "closed its stdout before returning a result"),
        Case("refuse-version", .incompatible, "refuses to work: speaks protocol 3.0"),
        Case("choose-unknown-version", .incompatible, "chose protocol 9.1, which was not offered"),
        Case(
            "say-nothing-of-version",
            .malformedResult,
            #"result of "initialize" lacks "protocol""#
        ),
    ])
    func `before the build`(_ expected: Case) async throws {
        try check(expected, try await misbehave(expected.mode, early: true))
    }

    /// P-LIFE-07.
    @Test func `no handshake`() async throws {
        let outcome = try await misbehave("hang-at-start", early: true) {
            $0.handshake = .milliseconds(600)
        }
        try check(
            Case("", .noHandshake, #"did not answer "initialize" within 0.6 seconds"#),
            outcome
        )
        #expect(outcome.error?.message.contains("phase handshake") == true)
    }

    /// P-LIFE-01.
    @Test func `a request before the build is refused, and the build goes on`() async throws {
        let outcome = try await misbehave("ask-before-build", early: true)
        #expect(outcome.success != nil, "\(outcome.result)")
        #expect(outcome.bridge.text == "refused")
    }

    // MARK: During the build

    @Test(arguments: [
        Case(
            "print",
            .textOnStandardOutput,
            #"wrote text to stdout, which carries the protocol: "progress: 50 %\u{1b}[2J"#
        ),
        Case("hang", .silent, "has been silent for 0.8 seconds while the engine owed it nothing"),
        Case("crash", .exited, "bad/frontend 0.1.0 was ended by signal 11 (SIGSEGV)"),
        Case("exit-3", .exited, "exited with status 3 before returning a result"),
        Case("exit-0", .exited, "exited with status 0 before returning a result"),
        Case("close-stdout", .exited, "closed its stdout before returning a result"),
        Case("flood-stdout", .textOnStandardOutput, "garbage garbage"),
        Case("oversize-frame", .oversize, "sent a 16777215-byte message; the limit is 4194304"),
        Case("oversize-result", .oversize, "-byte message; the limit is 4194304"),
        Case("oversize-blob", .oversize, "9007199254740991 bytes of blobs; the limit is 67108864"),
        Case("endless-depth", .malformedMessage, "more than 64 values inside each other"),
        Case(
            "duplicate-members",
            .malformedMessage,
            #"member "method" stands twice in one object"#
        ),
        Case("bad-utf8", .malformedMessage, "frame 2 is not valid JSON at byte"),
        Case("cannot-read", .malformedMessage, "says it cannot read what it was sent: no JSON at byte 3"),
        Case("no-json", .malformedMessage, "a message is one JSON object"),
        Case("batch", .malformedMessage, "a message is one JSON object"),
        Case(
            "unannounced-stream",
            .frameOrder,
            "frame 2 is on stream 7, which no message announced"
        ),
        Case("answer-nobody", .identifier, "answered request 77, which is not open"),
        Case(
            "same-number-twice",
            .identifier,
            "sent a second request 5 while the first one is open"
        ),
        Case("no-refs", .malformedResult, #"result of "build" lacks "refs""#),
        Case("no-ref", .malformedResult, #""result.refs[0]" lacks "ref""#),
        Case("unknown-ref", .malformedResult, #"no ref "r999" is held"#),
        Case("same-platform-twice", .malformedResult, #"result of "build" has "a" twice"#),
        Case("flood-requests", .slowReader, "read its stdin"),
    ])
    func `during the build`(_ expected: Case) async throws {
        let outcome = try await misbehave(expected.mode)
        try check(expected, outcome)
        #expect(outcome.error?.message.contains("phase build") == true)
    }

    @Test func `a frame cut short by the exit`() async throws {
        let outcome = try await misbehave("truncated")
        try check(Case("", .exited, "exited with status 0 before returning a result"), outcome)
    }

    @Test func `the last twenty lines of stderr are part of the error, all of them are logged`()
        async throws
    {
        let outcome = try await misbehave("exit-3")
        let message = try #require(outcome.error?.message)
        #expect(!message.contains("    line 10\n"))
        #expect(message.contains("    line 11\n"))
        #expect(message.hasSuffix("    line 30"))
        #expect(outcome.bridge.text == (1...30).map { "line \($0)" }.joined(separator: "\n"))
    }

    /// P-LIFE-07.
    @Test func `silence is told about before it ends the build`() async throws {
        let outcome = try await misbehave("hang")
        #expect(outcome.bridge.text.contains("has been silent for 0.4 seconds"))
    }

    /// P-LIFE-10.
    @Test func `a build has a deadline`() async throws {
        let outcome = try await misbehave("hang", deadline: .milliseconds(500))
        try check(Case("", .deadline, "did not finish within 0.5 seconds"), outcome)
    }

    @Test func `a flood of stderr is read to its end and kept small`() async throws {
        let outcome = try await misbehave("flood-stderr") { $0.silence = .seconds(60) }
        #expect(outcome.success != nil, "\(outcome.result)")
        let byteCount = outcome.bridge.record.log.reduce(0) { $0 + $1.text.utf8.count }
        #expect(byteCount < 20 << 20)
        #expect(outcome.bridge.text.contains("more bytes of stderr are not shown"))
    }

    /// P-NOTE-01.
    @Test func `a flood of log messages ends at a limit, not the build`() async throws {
        let outcome = try await misbehave("flood-log")
        #expect(outcome.success != nil, "\(outcome.result)")
        let byteCount = outcome.bridge.record.log.reduce(0) { $0 + $1.text.utf8.count }
        #expect(byteCount < 17 << 20)
        #expect(outcome.bridge.text.contains("floods the log"))
    }

    /// P-MSG-03, P-MSG-04.
    @Test(arguments: ["behave", "unknown-method", "unknown-notification"])
    func `what must not end a build does not`(_ mode: String) async throws {
        let outcome = try await misbehave(mode)
        let result = try #require(outcome.success, "\(outcome.result)")
        #expect(result.frontend == .init(name: "bad/frontend", version: "0.1.0"))
        #expect(result.platforms.map(\.id) == ["linux/amd64"])
        #expect(result.platforms.first?.ref == nil)
        #expect(!result.isIndex)
    }

    /// P-LLB-05, P-REF-02, P-REF-03.
    @Test(arguments: [
        ("million-operations", "solve: badDefinition"),
        ("broken-definition", "solve: badDefinition"),
        ("cyclic-definition", "solve: badDefinition"), ("missing-input", "solve: badDefinition"),
        ("unknown-operation", "solve: badDefinition"),
        ("released-ref", "solve: invalidParams"), ("too-many-refs", "solve: limit"),
        ("missing-member", "solve: invalidParams"), ("wrong-member", "solve: invalidParams"),
        ("aborted-blob", "solve: invalidParams"), ("bad-timeout", "solve: invalidParams"),
        ("must-understand", "solve: unsupported"), ("not-offered", "solve: unsupported"),
        ("not-offered-source", "solve: unsupported"), ("too-many-requests", "solve: tooManyRequests"),
        ("impatient", "solve: timeout"), ("give-up", "solve: cancelled"),
    ])
    func `a bad request is refused and the frontend told why`(
        _ mode: String,
        _ expected: String
    ) async throws {
        // Making a million operations takes it a while.
        let outcome = try await misbehave(mode, limits: ProtocolLimits(refs: 5)) { $0.silence = .seconds(30) }
        #expect(outcome.error?.code == .buildFailed)
        #expect(outcome.error?.message == expected)
        #expect(outcome.bridge.record.released.count == outcome.bridge.record.refCount)
    }

    /// P-ERR-02.
    @Test func `what a frontend says about the build file is the whole error`() async throws {
        let error = try #require(try await misbehave("fail").error)
        #expect(error.code == .buildFailed)
        #expect(error.message == #"Buildfile:3: unknown word "FORM""#)
        #expect(error.fault == .input)
    }

    // MARK: After the result

    /// P-LIFE-05.
    @Test(arguments: [
        ("hang-after-result", "did not exit within 0.5 seconds after its result, and was killed"),
        ("exit-3-after-result", "gave its result, but then exited with status 3"),
        ("print-after-result", ""), ("answer-twice", ""),
    ])
    func `a result stands, whatever comes after it`(
        _ mode: String,
        _ warning: String
    ) async throws {
        let outcome = try await misbehave(mode)
        #expect(outcome.success != nil, "\(outcome.result)")
        #expect(outcome.bridge.text.contains(warning) || warning.isEmpty, "\(outcome.bridge.text)")
        #expect(outcome.duration < .seconds(10))
    }

    // MARK: Giving up

    /// P-LIFE-08.
    @Test func `a cancelled build ends soon, even when the frontend does not listen`()
        async throws
    {
        let start = ContinuousClock.now
        let task = Task { try await misbehave("hang") { $0.silence = .seconds(100) } }
        try await Task.sleep(for: .milliseconds(700))
        task.cancel()
        let outcome = try await task.value
        guard case .failure(is CancellationError) = outcome.result else {
            Issue.record("\(outcome.result)")
            return
        }
        #expect(ContinuousClock.now - start < .seconds(10))
    }

    /// P-LIFE-08.
    @Test func `an answer that comes after the build was cancelled is no fault of the frontend`() async throws {
        let task = Task { try await misbehave("answer-late") { $0.silence = .seconds(100) } }
        try await Task.sleep(for: .milliseconds(700))
        task.cancel()
        let outcome = try await task.value
        guard case .failure(is CancellationError) = outcome.result else {
            Issue.record("\(outcome.result)")
            return
        }
        #expect(outcome.bridge.text.contains("answers late"))
    }

    /// P-ERR-02: without `data` the code tells what kind of failure it is.
    @Test func `a frontend that could not read the request says so in its answer`() async throws {
        let error = try #require(try await misbehave("cannot-read-the-build").error)
        #expect(error.message.contains("no JSON at byte 3"), "\(error.message)")
        #expect(error.code == .buildFailed)
    }

    @Test func `a build cancelled before it began does not begin`() async throws {
        let task = Task {
            unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
            return try await misbehave("hang")
        }
        guard case .failure(is CancellationError) = try await task.value.result else {
            Issue.record("the build ran")
            return
        }
    }

    // MARK: Attacks

    /// P-BOX-01.
    @Test func `nothing a frontend tries at its sandbox succeeds`() async throws {
        let outcome = try await misbehave("attack")
        let result = try #require(outcome.success, "\(outcome.result)")
        let succeeded = String(decoding: result.metadata["succeeded"] ?? [63], as: UTF8.self)
        #expect(succeeded == "")
    }

    @Test func `a fork bomb meets its limit and leaves nothing`() async throws {
        let outcome = try await misbehave(
            "fork-bomb",
            resources: .init(memoryBytes: 512 << 20, processCount: 40)
        )
        let result = try #require(outcome.success, "\(outcome.result)")
        let count = Int(String(decoding: result.metadata["count"] ?? [], as: UTF8.self))
        #expect(try #require(count) < 300)
    }

    @Test func `a memory hog is killed alone and named as such`() async throws {
        guard try HostFixture.shared.get().launcher.capabilities.limitsMemory else { return }
        let outcome = try await misbehave(
            "memory-hog",
            resources: .init(memoryBytes: 300 << 20, processCount: 40)
        )
        try check(Case("", .outOfMemory, "used more memory than it may"), outcome)
    }

    @Test func `one that dies for want of memory after its result has not ended well`() async throws {
        guard try HostFixture.shared.get().launcher.capabilities.limitsMemory else { return }
        let outcome = try await misbehave(
            "memory-hog-after-result",
            resources: .init(memoryBytes: 300 << 20, processCount: 40)
        ) { $0.exit = .seconds(20) }
        try check(Case("", .outOfMemory, "used more memory than it may"), outcome)
    }

    @Test func `processes a frontend leaves behind are gone with it`() async throws {
        let outcome = try await misbehave("leave-children")
        #expect(outcome.success != nil, "\(outcome.result)")
    }
}
