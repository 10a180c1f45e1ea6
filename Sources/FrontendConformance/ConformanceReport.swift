// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// What came of one case with one build file.
package struct ConformanceResult: Sendable {
    package enum Outcome: Sendable, Hashable {
        case passed
        case failed(ConformanceFailure)
        /// The case shows nothing about this frontend, for a reason.
        case skipped(String)
    }

    package let name: String
    package let summary: String
    package let rules: [String]
    /// `nil` where no build file of the package was used.
    package let buildFile: String?
    package var outcome: Outcome
    /// For the golden suite: what the build came to.
    package let canonicalText: String?

    init(_ test: ConformanceCase, _ sample: Sample?, _ outcome: Outcome, canonicalText: String? = nil) {
        name = test.name
        summary = test.summary
        rules = test.rules
        buildFile = sample.flatMap { $0.isUnknown ? nil : $0.name }
        self.outcome = outcome
        self.canonicalText = canonicalText
    }

    package var failure: ConformanceFailure? {
        if case .failed(let failure) = outcome { failure } else { nil }
    }

    /// The name, with the build file where there is one.
    package var title: String { buildFile.map { "\(name) [\($0)]" } ?? name }
}

/// What came of all cases.
package struct ConformanceReport: Sendable {
    package var name: String
    package var version: String?
    package var protocolVersion: String?
    package var results: [ConformanceResult] = []

    package var failures: [ConformanceResult] { results.filter { $0.failure != nil } }
    package var passedCount: Int { results.count { $0.outcome == .passed } }
    package var skippedCount: Int { results.count - passedCount - failures.count }

    /// Counts, with the reasons for which cases were skipped, the most frequent first:
    /// `50 passed, 0 failed, 12 skipped (9: it never calls readFile; 3: it does not provide lint)`.
    package var summary: String {
        let counts = "\(passedCount) passed, \(failures.count) failed, \(skippedCount) skipped"
        var reasons: [String: Int] = [:]
        for case .skipped(let reason) in results.map(\.outcome) { reasons[reason, default: 0] += 1 }
        let ordered = reasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        var parts = ordered.prefix(Self.reasonCountMax).map { "\($0.value): \($0.key)" }
        let rest = ordered.dropFirst(Self.reasonCountMax).reduce(0) { $0 + $1.value }
        if rest > 0 { parts.append("\(rest): other reasons") }
        return parts.isEmpty ? counts : "\(counts) (\(parts.joined(separator: "; ")))"
    }

    /// How many reasons for skipping a summary names.
    private static let reasonCountMax = 4

    // MARK: TAP

    /// The report as a text of the Test Anything Protocol, version 14.
    package var tap: String {
        "TAP version 14\n1..\(results.count)\n"
            + results.enumerated().map { Self.tapLines($0.element, number: $0.offset + 1) }.joined()
    }

    /// One result as lines of such a text.
    package static func tapLines(_ result: ConformanceResult, number: Int) -> String {
        let title = result.title.replacing("#", with: "\\#")
        switch result.outcome {
        case .passed: return "ok \(number) - \(title)\n"
        case .skipped(let reason): return "ok \(number) - \(title) # SKIP \(reason)\n"
        case .failed(let failure):
            var lines = ["not ok \(number) - \(title)", "  ---"]
            lines.append("  code: \(failure.code.rawValue)")
            lines.append("  rule: \(failure.rule)")
            lines.append("  message: \(JSONValue.string(failure.description).encodedText)")
            if !failure.standardError.isEmpty {
                lines.append("  stderr:")
                lines += failure.standardError.map { "    - \(JSONValue.string($0).encodedText)" }
            }
            lines.append("  ...")
            return lines.map { $0 + "\n" }.joined()
        }
    }

    // MARK: JSON

    /// The report as JSON: equal for equal outcomes, so that its digest can stand beside a release.
    package var json: String {
        var members = [
            JSONMember("format", .integer(1)),
            JSONMember("frontend", .object(program)),
            JSONMember("passed", .integer(passedCount)),
            JSONMember("failed", .integer(failures.count)),
            JSONMember("skipped", .integer(skippedCount)),
            JSONMember("cases", .array(results.map(Self.json))),
        ]
        if let protocolVersion { members.insert(JSONMember("protocol", .string(protocolVersion)), at: 2) }
        return JSONValue.object(members).encodedPretty() + "\n"
    }

    private var program: [JSONMember] {
        [JSONMember("name", .string(name)), JSONMember("version", version.map { .string($0) } ?? .null)]
    }

    private static func json(_ result: ConformanceResult) -> JSONValue {
        var members = [JSONMember("name", .string(result.name))]
        if let file = result.buildFile { members.append(JSONMember("buildFile", .string(file))) }
        members.append(JSONMember("rules", .strings(result.rules)))
        switch result.outcome {
        case .passed: members.append(JSONMember("status", .string("passed")))
        case .skipped(let reason):
            members += [JSONMember("status", .string("skipped")), JSONMember("reason", .string(reason))]
        case .failed(let failure):
            members += [
                JSONMember("status", .string("failed")), JSONMember("code", .string(failure.code.rawValue)),
                JSONMember("rule", .string(failure.rule)), JSONMember("message", .string(failure.description)),
                JSONMember("stderr", .strings(failure.standardError)),
            ]
        }
        return .object(members)
    }
}
