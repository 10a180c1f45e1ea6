// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
internal import Glibc
internal import LinuxSystem
package import Sandbox

/// A frontend under test.
package struct ConformanceSubject: Sendable {
    /// For messages, and to be equal to what it calls itself where it is a package.
    package var name: String
    /// What its package says; `nil` where it is none.
    package var version: String?
    package var samples: [Sample]
    /// Makes the sandbox of one run of it.
    package var sandbox: @Sendable () async throws -> SandboxSpec

    package init(
        name: String,
        version: String? = nil,
        samples: [Sample],
        sandbox: @escaping @Sendable () async throws -> SandboxSpec
    ) {
        self.name = name
        self.version = version
        self.samples = samples
        self.sandbox = sandbox
    }
}

/// What is run.
package struct ConformanceOptions: Sendable {
    /// `nil`: all.
    package var suites: Set<ConformanceCase.Suite>?
    /// Names of cases; `nil`: all.
    package var caseNames: Set<String>?
    package var cases = ConformanceCase.standard
    /// How often the determinism suite builds each build file.
    package var runCount = 5
    /// Whether the caller writes what the builds come to as the expected results, so that no other one is a failure.
    package var isUpdating = false
    package var timeouts = ConformanceTimeouts()
    /// What the frontend is told about the engine.
    package var engine = Wire.Program(name: "kiln-conformance", version: "1.0.0")

    package init() {}
}

/// Runs the suites against a frontend, each case with a process of its own in the sandbox every frontend gets.
package struct ConformanceRunner: Sendable {
    private let launcher: Launcher
    private let subject: ConformanceSubject
    private let options: ConformanceOptions

    package init(launcher: Launcher, subject: ConformanceSubject, options: ConformanceOptions = ConformanceOptions()) {
        self.launcher = launcher
        self.subject = subject
        self.options = options
    }

    /// Runs everything that was chosen.
    ///
    /// - `progress`: Gets each result as it is known.
    ///
    /// - Throws: `CancellationError`, and what the machine does not allow; never what the frontend does.
    package func run(_ progress: (ConformanceResult) -> Void = { _ in }) async throws -> ConformanceReport {
        var report = ConformanceReport(name: subject.name, version: subject.version)
        var baselines = Baselines()
        func add(_ result: ConformanceResult) {
            report.results.append(result)
            progress(result)
        }
        var isDead = false
        for test in options.cases where isChosen(test.suite, test.name) {
            for sample in samples(for: test) {
                if isDead {
                    add(ConformanceResult(test, sample, .skipped(Self.deadReason)))
                    continue
                }
                let outcome = try await outcome(of: test, sample, &baselines)
                add(ConformanceResult(test, sample, outcome))
                if case .failed(let failure) = outcome, Self.isDeath(failure, of: test) { isDead = true }
            }
        }
        for sample in ownSamples where !isDead {
            if isChosen(.determinism, Self.runsName) {
                add(ConformanceResult(Self.runs, sample, try await determinism(of: sample, &baselines)))
            }
            if isChosen(.golden, Self.goldenName) {
                let (outcome, text) = try await golden(sample, &baselines)
                add(ConformanceResult(Self.golden, sample, outcome, canonicalText: text))
            }
        }
        if case .success(let record)? = baselines.first {
            report.name = record.frontend?.name ?? report.name
            report.version = record.frontend?.version ?? report.version
            report.protocolVersion = record.protocolVersion?.description
        }
        return report
    }

    // MARK: Choosing

    /// Cases that are no data, but many builds or a comparison.
    package static let wholeBuildCases = [runsName, goldenName]

    /// Builds many times, and compares.
    package static let runsName = "determinism/runs"
    private static let goldenName = "golden/expected"
    /// A frontend that does not shake hands with the plainest engine would fail everything for one reason.
    private static let deadReason = "handshake/current failed, so this shows nothing"

    private static func isDeath(_ failure: ConformanceFailure, of test: ConformanceCase) -> Bool {
        test.name == "handshake/current" && [.exited, .notStarted, .noHandshake].contains(failure.code)
    }

    private static let runs = ConformanceCase(
        runsName,
        rules: ["P-DET-01", "P-DET-02"],
        "other seeds, host names, languages and orders of answers give the same result"
    )
    private static let golden = ConformanceCase(
        goldenName,
        rules: ["P-DET-01"],
        "the result is the one beside the build file"
    )

    private func isChosen(_ suite: ConformanceCase.Suite?, _ name: String) -> Bool {
        guard let suite, options.suites?.contains(suite) ?? true else { return false }
        return options.caseNames?.contains(name) ?? true
    }

    /// The package's own build files, or one that nobody can read where there are none.
    private var ownSamples: [Sample] { subject.samples.isEmpty ? [.unknown(byteCount: nil)] : subject.samples }

    private func samples(for test: ConformanceCase) -> [Sample?] {
        switch test.build {
        case .none: [nil]
        case .unknown: [.unknown(byteCount: test.engine.unknownFileByteCount)]
        case .samples: ownSamples
        }
    }

    // MARK: Cases

    private func outcome(
        of test: ConformanceCase,
        _ sample: Sample?,
        _ baselines: inout Baselines
    ) async throws -> ConformanceResult.Outcome {
        var baseline: Result<SessionRecord, ConformanceFailure>?
        if let sample, test.build == .samples, needsBaseline(test) {
            baseline = try await self.baseline(of: sample, &baselines)
            if case .success(let record)? = baseline, let reason = idleness(of: test, record) {
                return .skipped(reason)
            }
        }
        do throws(ConformanceFailure) {
            let record = try await attempt(test, sample, Variation())
            if record.isIdle { return .skipped("it does not provide \(test.work)") }
            try judge(record, of: test, sample, baseline)
            return .passed
        } catch {
            try Task.checkCancellation()
            return .failed(error)
        }
    }

    private func needsBaseline(_ test: ConformanceCase) -> Bool {
        test.expectation.build == .same || !test.engine.failures.isEmpty || test.engine.paddedFileByteCount != nil
            || test.engine.paddedDirectoryCount != nil
    }

    /// Why a case shows nothing about a build; `nil` when it does.
    private func idleness(of test: ConformanceCase, _ plain: SessionRecord) -> String? {
        var methods = Array(test.engine.failures.keys)
        if test.engine.paddedFileByteCount != nil || test.engine.readAnswerByteCount != nil { methods = ["readFile"] }
        if test.engine.paddedDirectoryCount != nil { methods = ["readDir"] }
        guard !methods.isEmpty, methods.allSatisfy({ plain.callCounts[$0, default: 0] == 0 }) else { return nil }
        return "it never calls \(methods.sorted().joined(separator: ", "))"
    }

    private func judge(
        _ record: SessionRecord,
        of test: ConformanceCase,
        _ sample: Sample?,
        _ baseline: Result<SessionRecord, ConformanceFailure>?
    ) throws(ConformanceFailure) {
        try checkIdentity(record)
        let rule = test.rules.first ?? "P-LIFE-02"
        let plain = try? baseline?.get()
        switch (test.expectation.build, record.answer) {
        case (.result, .failure(let failure)?):
            throw ConformanceFailure(
                .refusedBuildFile,
                rule,
                "answered \"\(test.work)\" with an error for \(label(sample)): \(shown(failure.message.utf8))"
            )
        case (.error, .success?):
            throw ConformanceFailure(.acceptedBuildFile, rule, "answered with a result although \(test.summary)")
        case (.same, _):
            guard let plain else { break }
            let (expected, found) = (plain.canonicalText(hasSource: true), record.canonicalText(hasSource: true))
            guard expected == found else {
                throw ConformanceFailure(
                    test.suite == .determinism ? .nondeterministic : .differs,
                    rule,
                    "gave another result for \(label(sample)) when \(test.summary): \(difference(expected, found))"
                )
            }
        default: break
        }
        guard test.engine.failures["solve"] != nil, case .success? = record.answer,
            case .success(let answer)? = plain?.answer, answer.results.contains(where: { $0.ref != nil })
        else { return }
        throw ConformanceFailure(
            .swallowedFailure,
            "P-ERR-04",
            "answered with a result for \(label(sample)) although every solve failed, which its result needs"
        )
    }

    private func checkIdentity(_ record: SessionRecord) throws(ConformanceFailure) {
        guard let version = subject.version, let program = record.frontend else { return }
        guard program.name == subject.name, program.version == version else {
            throw ConformanceFailure(
                .otherIdentity,
                "P-VER-05",
                "calls itself \(shown(program.name.utf8)) \(shown(program.version.utf8)), "
                    + "its package \(subject.name) \(version)"
            )
        }
    }

    private func label(_ sample: Sample?) -> String {
        guard let sample, !sample.isUnknown else { return "a build file" }
        return "\"\(sample.name)\""
    }

    // MARK: Whole builds

    /// The plain build, done once for each build file.
    private func baseline(
        of sample: Sample,
        _ baselines: inout Baselines
    ) async throws -> Result<SessionRecord, ConformanceFailure> {
        if let known = baselines.records[sample.name] { return known }
        let record: Result<SessionRecord, ConformanceFailure>
        do throws(ConformanceFailure) {
            record = .success(try await attempt(.plain, sample, Variation()))
        } catch {
            record = .failure(error)
        }
        try Task.checkCancellation()
        baselines.records[sample.name] = record
        return record
    }

    private func determinism(
        of sample: Sample,
        _ baselines: inout Baselines
    ) async throws -> ConformanceResult.Outcome {
        let plain: String
        switch try await baseline(of: sample, &baselines) {
        case .failure(let failure): return .failed(failure)
        case .success(let record): plain = record.canonicalText(hasSource: true)
        }
        for number in 1...max(1, options.runCount) {
            let variation = Variation(number: number)
            var test = Self.runs
            test.engine = variation.engine
            do throws(ConformanceFailure) {
                let found = try await attempt(test, sample, variation).canonicalText(hasSource: true)
                guard plain == found else {
                    throw ConformanceFailure(
                        .nondeterministic,
                        "P-DET-01",
                        "gave another result for \(label(sample)) in run \(number) (\(variation.description)): "
                            + difference(plain, found)
                    )
                }
            } catch {
                try Task.checkCancellation()
                return .failed(error)
            }
        }
        return .passed
    }

    /// The second part is what the build came to, where it came to anything.
    private func golden(
        _ sample: Sample,
        _ baselines: inout Baselines
    ) async throws -> (ConformanceResult.Outcome, String?) {
        if sample.isUnknown { return (.skipped("there are no build files in tests/"), nil) }
        let record: SessionRecord
        switch try await baseline(of: sample, &baselines) {
        case .failure(let failure): return (.failed(failure), nil)
        case .success(let found): record = found
        }
        let text = record.canonicalText(hasSource: false)
        switch record.answer {
        case .failure(let failure)? where !sample.mustFail:
            let deed = "refused \(label(sample)): \(shown(failure.message.utf8, limit: 1000))"
            return (.failed(ConformanceFailure(.refusedBuildFile, "P-LIFE-02", deed)), nil)
        case .success? where sample.mustFail:
            let deed = "accepted \(label(sample)), which its author says is wrong"
            return (.failed(ConformanceFailure(.acceptedBuildFile, "P-WORK-03", deed)), nil)
        default: break
        }
        guard let expected = sample.expected.map({ String(decoding: $0, as: UTF8.self) }) else {
            let file = "\(sample.name).expected.json"
            return (
                .skipped(options.isUpdating ? "\(file) is written" : "\(file) is missing; --update writes it"), text
            )
        }
        if expected == text { return (.passed, text) }
        if options.isUpdating {
            let change = difference(expected, text)
            return (.skipped("\(sample.name).expected.json is written anew: \(change)"), text)
        }
        let deed =
            "gave another result for \(label(sample)) than \(sample.name).expected.json says: "
            + difference(expected, text)
        return (.failed(ConformanceFailure(.unexpectedResult, "P-DET-01", deed)), text)
    }

    // MARK: Processes

    /// One conversation with a process of its own.
    private func attempt(
        _ test: ConformanceCase,
        _ sample: Sample?,
        _ variation: Variation
    ) async throws(ConformanceFailure) -> SessionRecord {
        do {
            var spec = try await subject.sandbox()
            spec.arguments += test.engine.arguments
            variation.apply(to: &spec)
            return try await launcher.withProcess(spec) { process in
                let exit = ExitBox()
                let waiter = Task {
                    do { exit.set(.success(try await process.wait())) } catch { exit.set(.failure(error)) }
                }
                defer { waiter.cancel() }
                return try await converse(test, sample, process, exit, variation.seed)
            }
        } catch let failure as ConformanceFailure {
            throw failure
        } catch {
            throw ConformanceFailure(.notStarted, "P-LIFE-02", "cannot be started: \(error)")
        }
    }

    private func converse(
        _ test: ConformanceCase,
        _ sample: Sample?,
        _ process: SandboxProcess,
        _ exit: ExitBox,
        _ seed: UInt64
    ) async throws -> SessionRecord {
        let (engine, timeouts) = (options.engine, options.timeouts)
        return try await withCheckedThrowingContinuation { continuation in
            do {
                try onOwnThread {
                    // Writing to a process that is gone is an error, no signal.
                    var mask = sigset_t()
                    unsafe sigemptyset(&mask)
                    unsafe sigaddset(&mask, SIGPIPE)
                    unsafe pthread_sigmask(SIG_BLOCK, &mask, nil)
                    let script = EngineScript(
                        test,
                        sample,
                        pipes: FrontendPipes(process, test.engine),
                        exit: exit,
                        engine: engine,
                        timeouts: timeouts,
                        seed: seed
                    )
                    continuation.resume(with: Result { try script.run() })
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }
}

/// Plain builds that were done.
private struct Baselines {
    var records: [String: Result<SessionRecord, ConformanceFailure>] = [:]

    var first: Result<SessionRecord, ConformanceFailure>? {
        records.sorted { $0.key < $1.key }.first { (try? $0.value.get()) != nil }?.value
    }
}

/// The first line in which two texts differ, in words.
func difference(_ expected: String, _ found: String) -> String {
    let left = expected.split(separator: "\n", omittingEmptySubsequences: false)
    let right = found.split(separator: "\n", omittingEmptySubsequences: false)
    let index =
        zip(left, right).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(left.count, right.count)
    func line(_ lines: [Substring]) -> String {
        index < lines.count ? "\"\(shown(lines[index].drop { $0 == " " }.utf8))\"" : "the end"
    }
    return "line \(index + 1) is \(line(right)), expected \(line(left))"
}
