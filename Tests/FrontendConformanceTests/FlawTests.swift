// SPDX-License-Identifier: Apache-2.0

import FrontendConformance
import Sandbox
import Testing

/// Everything authors get wrong, done by a real process: the suite finds it, and says it by its own code and rule.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(4)))
struct FlawTests {
    /// A flaw, the case that shows it, and what it is called.
    struct Find: Sendable, CustomTestStringConvertible {
        let flaw: String
        let test: String
        let code: ConformanceFailure.Code
        let rule: String
        let text: String
        var testDescription: String { "\(flaw) in \(test)" }

        init(_ flaw: String, _ test: String, _ code: ConformanceFailure.Code, _ rule: String, _ text: String) {
            self.flaw = flaw
            self.test = test
            self.code = code
            self.rule = rule
            self.text = text
        }
    }

    static let finds = [
        Find("echoes-version", "handshake/other-major-too", .version, "P-VER-02", "chose version 9.0 instead of 1.0"),
        Find("echoes-version", "handshake/other-grammar", .malformedResult, "P-MSG-05", "expected \"1.0\""),
        Find("insists-on-version", "handshake/nothing-common", .version, "P-VER-03", "instead of the failure"),
        Find("ignores-must-understand", "handshake/must-understand", .wrongRefusal, "P-MSG-06", #""unsupported""#),
        Find(
            "refuses-unknown-members",
            "handshake/unknown-members",
            .wrongRefusal,
            "P-JSON-07",
            "there are members I do not know"
        ),
        Find(
            "refuses-unknown-capabilities",
            "handshake/unknown-capabilities",
            .exited,
            "P-ID-02",
            "exited with status 4 before it had answered"
        ),
        Find("names-nobody", "handshake/current", .malformedResult, "P-MSG-05", "name or version empty"),
        Find("searches-text", "framing/spaced-json", .noHandshake, "P-LIFE-07", #"did not answer "initialize""#),
        Find("expects-sizes", "framing/blob-of-unknown-size", .exited, "P-ID-02", "before it had answered"),
        Find("expects-blobs", "framing/bytes-as-text", .differs, "P-BLOB-07", "gave another result"),
        Find("ignores-frame-limit", "limits/small-frames", .oversize, "P-FRAME-05", "the limit is 256"),
        Find("even-stream", "stdout-clean/build", .frameOrder, "P-BLOB-02", "blob 2 has a bad number"),
        Find("accepts-half-blobs", "framing/given-up-build", .wrongRefusal, "P-BLOB-04", #""invalidParams""#),
        Find("prints-errors", "stdout-clean/bad-build-file", .textOnOutput, "P-FRAME-02", "Buildfile:1: syntax error"),
        Find("answers-twice", "stdout-clean/build", .answeredTwice, "P-ID-02", "answered request 2, which is not open"),
        Find("answers-others", "stdout-clean/build", .identifier, "P-ID-01", "answered request 3, which is not open"),
        Find("reuses-numbers", "stdout-clean/build", .identifier, "P-MSG-02", "used the number 1 for two"),
        Find(
            "ignores-in-flight",
            "errors/too-many-requests",
            .tooManyRequests,
            "P-MSG-08",
            "more than 1 requests open"
        ),
        Find("expects-order", "framing/reversed-answers", .differs, "P-ID-02", "gave another result"),
        Find("expects-order", "determinism/reversed-answers", .nondeterministic, "P-DET-01", "gave another result"),
        Find("ignores-requests", "compat/unknown-request", .wrongRefusal, "P-MSG-04", "did not answer a request"),
        Find("accepts-any-build", "handshake/build-without-file", .wrongRefusal, "P-MSG-05", #""invalidParams""#),
        Find("ignores-eof", "eof/initialized", .staysAfterEnd, "P-LIFE-05", "still runs 2.0 seconds after the end"),
        Find("ignores-eof", "stdout-clean/build", .staysAfterEnd, "P-LIFE-05", "still runs 2.0 seconds after the end"),
        Find("ignores-eof-while-waiting", "eof/instead-of-an-answer", .staysAfterEnd, "P-LIFE-05", "still runs"),
        Find("swallows-failures", "errors/solve-limit", .swallowedFailure, "P-ERR-04", "although every solve failed"),
        Find("exits-on-failure", "errors/stat-cancelled", .exited, "P-ID-02", "exited with status 0 before"),
        Find("hangs-on-failure", "errors/readDir-limit", .silent, "P-LIFE-07", "the engine owed it nothing"),
        Find("wordless", "errors/resolveSource-denied", .wordless, "P-ERR-02", "an error without a message"),
        Find("invents-refs", "stdout-clean/build", .unknownRef, "P-RESULT-01", #"the ref "ref-4711""#),
        Find("nonsense-definition", "stdout-clean/build", .badDefinition, "P-LLB-05", "missing"),
        Find("hash-order", "determinism/runs", .nondeterministic, "P-DET-01", "in run 1 (PYTHONHASHSEED=1"),
        Find("tells-time", "determinism/again", .nondeterministic, "P-DET-01", "gave another result"),
        Find("tells-host", "determinism/runs", .nondeterministic, "P-DET-01", "host-1"),
        Find("tells-environment", "determinism/runs", .nondeterministic, "P-DET-01", "gave another result"),
        Find("reads-one-piece", "limits/short-reads", .differs, "P-FILE-02", "the tex (7)"),
    ]

    @Test(arguments: finds)
    func `a flaw is found and named`(_ find: Find) async throws {
        let report = try await misbehave(find.flaw, cases: [find.test])
        let failure = try #require(report.results.first?.failure, "\(report.results.map(\.outcome))")
        #expect(failure.code == find.code, "\(failure)")
        #expect(failure.rule == find.rule, "\(failure)")
        #expect(failure.description.contains(find.text), "\(failure)")
        #expect(failure.description.hasPrefix(find.code.rawValue + " the frontend "))
        #expect(failure.description.contains("; \(find.rule): "), "the rule \(find.rule) has no text")
    }

    @Test func `a frontend without a flaw passes every case`() async throws {
        let names = Set(ConformanceCase.standard.map(\.name)).union(["determinism/runs"])
        let report = try await misbehave("no-flaw", cases: names.subtracting(["stdout-clean/help"]), runs: 5) {
            $0.timeouts = ConformanceTimeouts()
        }
        for result in report.failures { Issue.record("\(result.title): \(result.failure?.description ?? "")") }
        #expect(report.passedCount > 80)
        // It calls no other frontends.
        #expect(report.results.filter { $0.title.contains("frontend-solve") }.allSatisfy { $0.failure == nil })
    }

    @Test func `a read is no frame`() async throws {
        var sample = flawedSample()
        // More than a pipe holds, so that no read can give it all.
        sample.content = Array(repeating: UInt8(ascii: "\n"), count: 200_000)
        let report = try await misbehave("reads-once", cases: ["framing/one-byte-out"], sample: sample)
        #expect(report.results.first?.failure?.code == .exited, "\(report.results.map(\.outcome))")
        #expect(report.results.first?.failure?.deed.contains("exited with status 1") == true)
    }

    @Test func `what reads a file a hundredfold meets its memory limit`() async throws {
        guard try ConformanceFixture.shared.get().launcher.capabilities.limitsMemory else { return }
        let report = try await misbehave("hoards-memory", cases: ["limits/large-files"]) {
            $0.timeouts.silence = .seconds(20)
        }
        #expect(report.results.first?.failure?.code == .outOfMemory, "\(report.results.map(\.outcome))")
    }

    // MARK: What happens before there is a flaw to choose

    @Test func `help on stdout is text on stdout`() async throws {
        let report = try await misbehave("no-flaw", cases: ["stdout-clean/help"])
        let failure = try #require(report.results.first?.failure)
        #expect(failure.code == .textOnOutput)
        #expect(failure.description.contains("usage: bad [--help]"))
    }

    @Test func `a frame before the engine's first is too early`() async throws {
        var test = ConformanceCase("handshake/first", rules: ["P-LIFE-01"], "it speaks first", build: .none)
        test.engine.arguments = ["--speak-first"]
        test.engine.pauseMilliseconds = 1000
        let report = try await misbehave("no-flaw", cases: [test.name], of: [test])
        #expect(report.results.first?.failure?.code == .tooEarly, "\(report.results.map(\.outcome))")
    }

    // MARK: The misdeeds the host is tested with

    static let misdeeds: [(mode: String, code: ConformanceFailure.Code)] = [
        ("print-at-start", .textOnOutput), ("hang-at-start", .noHandshake), ("crash-at-start", .exited),
        ("exit-at-start", .exited), ("speak-http2", .gatewayProtocol), ("close-stdout", .exited),
        ("refuse-version", .version), ("choose-unknown-version", .version),
        ("say-nothing-of-version", .malformedResult), ("ask-before-build", .tooEarly),
    ]

    @Test(arguments: misdeeds)
    func `a misdeed before the build is named`(mode: String, code: ConformanceFailure.Code) async throws {
        let report = try await misbehave(mode, cases: ["stdout-clean/build"])
        #expect(report.results.first?.failure?.code == code, "\(report.results.map(\.outcome))")
    }

    static let lateMisdeeds: [(mode: String, code: ConformanceFailure.Code)] = [
        ("print", .textOnOutput), ("hang", .silent), ("crash", .exited), ("exit-3", .exited), ("exit-0", .exited),
        ("close-stdout", .exited), ("flood-stdout", .textOnOutput), ("flood-requests", .slowReader),
        ("oversize-frame", .oversize), ("oversize-blob", .oversize), ("oversize-result", .oversize),
        ("cannot-read", .malformedMessage), ("endless-depth", .malformedMessage),
        ("duplicate-members", .malformedMessage), ("bad-utf8", .malformedMessage), ("no-json", .malformedMessage),
        ("batch", .malformedMessage), ("truncated", .exited), ("unannounced-stream", .frameOrder),
        ("answer-nobody", .identifier), ("same-number-twice", .identifier), ("no-refs", .malformedResult),
        ("no-ref", .malformedResult), ("unknown-ref", .unknownRef), ("same-platform-twice", .malformedResult),
        ("million-operations", .badDefinition), ("broken-definition", .badDefinition),
        ("hang-after-result", .staysAfterEnd), ("print-after-result", .textOnOutput),
        ("answer-twice", .answeredTwice),
    ]

    @Test(arguments: lateMisdeeds)
    func `a misdeed during the build is named`(mode: String, code: ConformanceFailure.Code) async throws {
        let sample = Sample(name: "Buildfile", content: Array("\(mode)\n".utf8))
        let report = try await misbehave("", cases: ["stdout-clean/build"], sample: sample)
        #expect(report.results.first?.failure?.code == code, "\(report.results.map(\.outcome))")
    }
}
