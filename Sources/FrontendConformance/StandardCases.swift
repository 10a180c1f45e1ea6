// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// What `kiln frontend test` asks of every frontend; a test holds `Protocol/conformance/cases` to be the same.
extension ConformanceCase {
    /// All of them, in the order they are run.
    package static let standard: [ConformanceCase] =
        handshakeCases + providedCases + framingCases + outputCases + endCases + errorCases + limitCases
        + compatibilityCases + determinismCases

    /// The engine that nothing is strange about.
    static let plain = ConformanceCase("golden/plain", rules: ["P-LIFE-02"], "an engine like any other")

    /// Members of many forms and depths that no version defines.
    static let unknownMembers: WireObject = [
        "x-new": ["a": [1, -2, nil, true, "é\u{1F600}"], "b": ["size": 3]], "x-empty": [:], "x-null": nil,
    ]

    // MARK: Handshake

    /// What version is chosen where these are offered.
    private static func versions(
        _ name: String,
        _ rules: [String],
        _ summary: String,
        _ offered: [String],
        chosen: String? = "1.0"
    ) -> ConformanceCase {
        ConformanceCase(
            "handshake/\(name)",
            rules: rules,
            summary,
            build: .none,
            engine: .with { $0.protocolVersions = offered },
            expect: Expectation(protocolVersion: chosen, initializeFailure: chosen == nil ? "incompatible" : nil)
        )
    }

    private static let handshakeCases = [
        versions("current", ["P-VER-02", "P-VER-01", "P-LIFE-01"], "the engine speaks 1.0 alone", ["1.0"]),
        versions("newer-minor", ["P-VER-02"], "the engine speaks a later minor", ["1.9"]),
        versions("ten-is-more-than-nine", ["P-VER-02"], "minors are numbers, not text", ["1.10"]),
        versions("other-major-too", ["P-VER-02", "P-VER-01"], "a later major stands first", ["9.0", "1.0"]),
        versions(
            "older-major-too",
            ["P-VER-02"],
            "the known major stands first, an older one behind",
            ["1.0", "0.4"]
        ),
        versions(
            "other-grammar",
            ["P-VER-01"],
            "entries that are no versions are ignored",
            ["", "3-beta", "1", "01.0", "1.0.0", "1.0"]
        ),
        versions("nothing-common", ["P-VER-03"], "no major is common", ["9.0", "8.3"], chosen: nil),
        versions("no-version", ["P-VER-03"], "the list of versions is empty", [], chosen: nil),
        ConformanceCase(
            "handshake/must-understand",
            rules: ["P-MSG-06"],
            "initialize holds what no frontend of 1.0 can understand",
            build: .none,
            engine: .with { $0.members = ["mustUnderstand": ["x-acme.orders"]] },
            expect: Expectation(initializeFailure: "unsupported")
        ),
        ConformanceCase(
            "handshake/silence",
            rules: ["P-LIFE-01"],
            "the engine says nothing for a while",
            build: .none,
            engine: .with { $0.pauseMilliseconds = 400 }
        ),
        ConformanceCase(
            "handshake/unknown-members",
            rules: ["P-JSON-07"],
            "params of initialize and build hold members of the future",
            engine: .with { $0.members = unknownMembers },
            expect: Expectation(build: .same)
        ),
        ConformanceCase(
            "handshake/unknown-capabilities",
            rules: ["P-VER-04"],
            "capabilities of the future are offered",
            engine: .with { $0.capabilities = EngineWorld.capabilities + ["exec.attach", "x-acme.teleport"] },
            expect: Expectation(build: .same)
        ),
        ConformanceCase(
            "handshake/no-notifications",
            rules: ["P-VER-04"],
            "neither diagnostics nor progress are shown",
            engine: .with {
                $0.capabilities = EngineWorld.capabilities.filter { !["diagnostic", "progress"].contains($0) }
            }
        ),
        ConformanceCase(
            "handshake/build-without-file",
            rules: ["P-MSG-05"],
            "a build request lacks its build file",
            build: .none,
            messages: [ExtraMessage(.initialized, .request("build", ["options": [:], "workerPlatforms": []]))],
            expect: Expectation(requestFailure: "invalidParams")
        ),
        ConformanceCase(
            "handshake/lint-of-bad-file",
            rules: ["P-WORK-03"],
            "that nobody can read a build file is a result of lint",
            build: .unknown,
            work: "lint",
            expect: Expectation(build: .result)
        ),
    ]

    private static let providedCases = ["describe/targets", "describe/outline", "lint", "convert", "format"].map {
        method in
        ConformanceCase(
            "handshake/provided-\(method.replacing("/", with: "-"))",
            rules: ["P-WORK-02"],
            "what provides names is answered: \(method)",
            work: method
        )
    }

    // MARK: Framing

    /// What may not change the result.
    private static func harmless(
        _ name: String,
        _ rules: [String],
        _ summary: String,
        _ change: (inout EngineBehaviour) -> Void
    ) -> ConformanceCase {
        ConformanceCase(name, rules: rules, summary, engine: .with(change), expect: Expectation(build: .same))
    }

    /// A build file nobody can read, of some length.
    private static func unknownFile(
        _ name: String,
        _ rules: [String],
        _ summary: String,
        byteCount: Int?
    ) -> ConformanceCase {
        ConformanceCase(
            name,
            rules: rules,
            summary,
            build: .unknown,
            engine: .with { $0.unknownFileByteCount = byteCount }
        )
    }

    private static let framingCases = [
        harmless("framing/one-byte-out", ["P-FRAME-01"], "the engine's bytes come one by one") {
            $0.writeByteCount = 1
        },
        harmless("framing/one-byte-in", ["P-LIFE-06", "P-FRAME-01"], "the engine reads byte by byte") {
            $0.readByteCount = 1
        },
        harmless("framing/small-pipes", ["P-LIFE-06"], "pipes hold one page, and little is moved at a time") {
            $0.pipeByteCount = 4096
            $0.readByteCount = 100
            $0.writeByteCount = 1000
        },
        harmless("framing/spaced-json", ["P-JSON-01"], "white space and escapes stand wherever JSON allows them") {
            $0.jsonForm = .spaced
        },
        harmless("framing/blob-in-single-bytes", ["P-BLOB-02"], "blobs come in frames of one byte") {
            $0.blobFrameByteCount = 1
        },
        harmless("framing/blob-of-unknown-size", ["P-BLOB-03"], "the size of blobs is null, an empty frame ends them") {
            $0.blobForm = .open
        },
        harmless("framing/bytes-as-text", ["P-BLOB-07"], "byte strings come as JSON strings") { $0.blobForm = .text },
        harmless("framing/large-messages", ["P-FRAME-05"], "messages are nearly as long as they may be") {
            $0.paddedMessageByteCount = 4_000_000
        },
        harmless("framing/reversed-answers", ["P-ID-02"], "of requests open together the last is answered first") {
            $0.order = .reversed
        },
        unknownFile(
            "framing/empty-build-file",
            ["P-BLOB-03"],
            "the build file is empty, so its blob has no frame",
            byteCount: 0
        ),
        unknownFile(
            "framing/largest-frame",
            ["P-FRAME-05"],
            "the build file takes three frames of the largest size",
            byteCount: 3 << 20
        ),
        ConformanceCase(
            "framing/given-up-build",
            rules: ["P-BLOB-04"],
            "the build file is given up half way",
            build: .none,
            messages: [ExtraMessage(.initialized, .abortedBuild)],
            expect: Expectation(requestFailure: "invalidParams")
        ),
    ]

    // MARK: Standard output

    /// The argument is no reason to write to stdout.
    private static func argument(_ argument: String) -> ConformanceCase {
        ConformanceCase(
            "stdout-clean/" + argument.replacing("-", with: ""),
            rules: ["P-FRAME-01", "P-LIFE-04"],
            "the argument \(argument) changes nothing about stdout",
            build: .none,
            engine: .with {
                $0.arguments = [argument]
                $0.close = .start
            },
            expect: Expectation(build: .end, hasNoOutput: true)
        )
    }

    private static let outputCases = [
        argument("--help"), argument("--version"),
        ConformanceCase(
            "stdout-clean/build",
            rules: ["P-FRAME-01", "P-LIFE-04"],
            "stdout is read until nobody holds it any more"
        ),
        unknownFile(
            "stdout-clean/bad-build-file",
            ["P-FRAME-01", "P-LIFE-04"],
            "an error about the build file goes into its answer",
            byteCount: nil
        ),
        ConformanceCase(
            "stdout-clean/failed-request",
            rules: ["P-FRAME-01", "P-LIFE-04"],
            "so does an error of the engine",
            engine: .with { $0.failures = ["solve": "operation"] }
        ),
        ConformanceCase(
            "stdout-clean/broken-engine",
            rules: ["P-LIFE-09", "P-JSON-06"],
            "the engine sends a frame that is no JSON, and goes",
            build: .none,
            engine: .with { $0.close = .initialized },
            messages: [ExtraMessage(.initialized, .raw([0, 0, 0, 4, 0, 0, 0, 0] + Array("oops".utf8)))],
            expect: Expectation(build: .end)
        ),
    ]

    // MARK: End of stdin

    /// The end of stdin at some moment.
    private static func end(
        _ name: String,
        _ close: EngineBehaviour.Close,
        _ build: BuildFile,
        _ moment: String,
        rules: [String] = ["P-LIFE-05"],
        hasNoOutput: Bool = false
    ) -> ConformanceCase {
        ConformanceCase(
            "eof/\(name)",
            rules: rules,
            "stdin ends \(moment)",
            build: build,
            engine: .with { $0.close = close },
            expect: Expectation(build: .end, hasNoOutput: hasNoOutput)
        )
    }

    private static let endCases = [
        end("at-start", .start, .none, "before anything was said", hasNoOutput: true),
        end(
            "inside-a-frame",
            .insideFrame,
            .none,
            "inside a frame",
            rules: ["P-LIFE-05", "P-FRAME-06"],
            hasNoOutput: true
        ),
        end("initialized", .initialized, .none, "behind initialize"),
        end("during-build", .duringBuild, .samples, "while the build runs"),
        end("instead-of-an-answer", .request, .samples, "instead of the first answer"),
    ]

    // MARK: Errors

    /// Kinds of failure, by the method they are given for: the four that any request may get, and some of its own.
    private static let failures: [(method: String, kinds: [String])] = [
        ("solve", ["unsupported", "limit", "notFound", "cancelled", "badDefinition", "denied"]),
        ("evaluate", ["unsupported", "limit", "notFound", "cancelled", "operation", "timeout"]),
        ("readFile", ["unsupported", "limit", "notFound", "cancelled", "operation"]),
        ("readDir", ["unsupported", "limit", "notFound", "cancelled"]),
        ("stat", ["unsupported", "limit", "notFound", "cancelled"]),
        ("resolveSource", ["unsupported", "limit", "notFound", "cancelled", "denied", "unavailable"]),
        ("frontend/solve", ["unsupported", "limit", "notFound", "cancelled", "denied"]),
    ]

    private static let errorCases =
        failures.flatMap { method, kinds in
            kinds.map { kind in
                ConformanceCase(
                    "errors/\(method.replacing("/", with: "-"))-\(kind)",
                    rules: ["P-ERR-03", "P-ID-02"],
                    "\(method) fails with \(kind)",
                    engine: .with { $0.failures = [method: kind] }
                )
            }
        } + [
            harmless("errors/too-many-requests", ["P-MSG-08"], "one request may be open at a time") {
                $0.limits.inFlight = 1
            }
        ]

    // MARK: Limits

    private static let limitCases = [
        harmless("limits/short-reads", ["P-FILE-02"], "readFile gives seven bytes at a time") {
            $0.readAnswerByteCount = 7
        },
        harmless("limits/small-frames", ["P-FRAME-05"], "frames of blobs hold 256 bytes") {
            $0.limits.frameBytes = 256
        },
        ConformanceCase(
            "limits/large-files",
            rules: ["P-FILE-02", "P-FILE-03"],
            "every file has 64 MiB, and an answer holds one of them",
            engine: .with {
                $0.paddedFileByteCount = 64 << 20
                $0.readAnswerByteCount = 1 << 20
            }
        ),
        ConformanceCase(
            "limits/large-directories",
            rules: ["P-FILE-01"],
            "every directory has 10 000 entries more",
            engine: .with { $0.paddedDirectoryCount = 10_000 }
        ),
        ConformanceCase(
            "limits/few-refs",
            rules: ["P-REF-02"],
            "few refs may be held",
            engine: .with { $0.limits.refs = 2 }
        ),
        ConformanceCase(
            "limits/small-messages",
            rules: ["P-FRAME-05", "P-BLOB-06"],
            "a message holds 16 KiB, its blobs 64 KiB",
            engine: .with {
                $0.limits.messageBytes = 16 << 10
                $0.limits.blobBytes = 64 << 10
            }
        ),
    ]

    // MARK: Compatibility

    private static let compatibilityCases = [
        ConformanceCase(
            "compat/no-capabilities",
            rules: ["P-VER-04", "P-CAP-01"],
            "an engine that offers nothing",
            engine: .with {
                $0.capabilities = []
                $0.llbCapabilities = []
            }
        ),
        ConformanceCase(
            "compat/least-engine",
            rules: ["P-VER-04", "P-CAP-01"],
            "an engine that can solve and read, no more",
            engine: .with {
                $0.capabilities = ["solve", "solve.json", "readFile"]
                $0.llbCapabilities = []
            }
        ),
        harmless("compat/newest-minor", ["P-VER-02", "P-JSON-07"], "a build with an engine of a later minor") {
            $0.protocolVersions = ["1.99"]
            $0.members = unknownMembers
            $0.answerMembers = unknownMembers
        },
        harmless("compat/unknown-members-of-answers", ["P-JSON-07"], "answers hold members of the future") {
            $0.answerMembers = unknownMembers
        },
        ConformanceCase(
            "compat/unknown-request",
            rules: ["P-MSG-04"],
            "a request of the future is refused, and the build goes on",
            messages: [ExtraMessage(.initialized, .request("x-acme/frobnicate", ["a": [1]]))],
            expect: Expectation(build: .same, requestFailure: "unsupported")
        ),
        ConformanceCase(
            "compat/unknown-notification",
            rules: ["P-MSG-03"],
            "a notification of the future is ignored",
            messages: [
                ExtraMessage(.initialized, .notification("x-acme/hello", ["a": []])),
                ExtraMessage(.duringBuild, .notification("x-acme/hello", [:])),
            ],
            expect: Expectation(build: .same)
        ),
        ConformanceCase(
            "compat/unknown-cancel",
            rules: ["P-LIFE-11"],
            "a request that is not open is cancelled",
            messages: [ExtraMessage(.duringBuild, .notification("cancel", ["id": 4711]))],
            expect: Expectation(build: .same)
        ),
        ConformanceCase(
            "compat/unknown-kind-of-failure",
            rules: ["P-ERR-03"],
            "a request fails with a kind of the future",
            engine: .with { $0.failures = ["solve": "x-acme.tired"] }
        ),
    ]

    // MARK: Determinism

    private static let determinismCases = [
        harmless("determinism/again", ["P-DET-01", "P-DET-02"], "the same build again, by another process") { _ in },
        harmless("determinism/reversed-answers", ["P-DET-01", "P-ID-02"], "answers come in reverse") {
            $0.order = .reversed
        },
        harmless("determinism/shuffled-answers", ["P-DET-01", "P-ID-02"], "answers come in any order") {
            $0.order = .shuffled
        },
    ]
}
