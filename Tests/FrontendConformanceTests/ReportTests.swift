// SPDX-License-Identifier: Apache-2.0

import FrontendConformance
import Testing

/// The forms of a report, and what a report says about a whole run.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .timeLimit(.minutes(1)))
struct ReportTests {
    @Test func `TAP holds the plan, what passed, what was skipped and why, and what failed with code and rule`()
        async throws
    {
        let report = try await misbehave(
            "answers-twice",
            cases: ["handshake/current", "errors/frontend-solve-limit", "stdout-clean/build"]
        )
        let lines = report.tap.split(separator: "\n").map(String.init)
        #expect(lines[0] == "TAP version 14")
        #expect(lines[1] == "1..3")
        #expect(lines[2] == "ok 1 - handshake/current")
        #expect(lines[3] == "not ok 2 - stdout-clean/build [hello.flawed]")
        #expect(lines[4...6] == ["  ---", "  code: C122", "  rule: P-ID-02"])
        #expect(report.tap.contains("- errors/frontend-solve-limit [hello.flawed]"))
        #expect(report.failures.count >= 1)
        #expect(report.summary == "1 passed, 2 failed, 0 skipped")
    }

    @Test func `JSON is equal for equal outcomes`() async throws {
        let names: Set = ["handshake/current", "stdout-clean/build", "golden/expected"]
        let first = try await misbehave("no-flaw", cases: names)
        let second = try await misbehave("no-flaw", cases: names)
        #expect(first.json == second.json)
        #expect(first.json.contains("\"name\": \"bad/flawed\""))
        #expect(first.json.contains("\"protocol\": \"1.0\""))
        let reason = "hello.flawed.expected.json is missing; --update writes it"
        #expect(first.json.contains(reason))
        #expect(first.summary == "2 passed, 0 failed, 1 skipped (1: \(reason))")
    }

    @Test func `an expected result that is another is shown by its first line that differs`() async throws {
        var sample = flawedSample()
        let written = try await misbehave("no-flaw", cases: ["golden/expected"], sample: sample)
        let text = try #require(written.results.first?.canonicalText)
        sample.expected = Array(text.utf8)
        let same = try await misbehave("no-flaw", cases: ["golden/expected"], sample: sample)
        #expect(same.results.map(\.outcome) == [.passed])
        sample.expected = Array(text.replacing("/srv/app", with: "/srv/old").utf8)
        let other = try await misbehave("no-flaw", cases: ["golden/expected"], sample: sample)
        let failure = try #require(other.results.first?.failure)
        #expect(failure.code == .unexpectedResult)
        #expect(failure.deed.contains("/srv/app"))
        #expect(failure.deed.contains("/srv/old"))
    }

    @Test func `a build file that must be refused is, or is not`() async throws {
        var sample = flawedSample()
        sample.mustFail = true
        let accepted = try await misbehave("no-flaw", cases: ["golden/expected"], sample: sample)
        #expect(accepted.results.first?.failure?.code == .acceptedBuildFile)
        sample.mustFail = false
        sample.content = [1]
        let refused = try await misbehave("no-flaw", cases: ["golden/expected"], sample: sample)
        #expect(refused.results.first?.failure?.code == .refusedBuildFile)
        #expect(refused.results.first?.failure?.deed.contains("there is nothing to read in it") == true)
    }

    @Test func `a package that holds another frontend than it says is found out`() async throws {
        let fixture = try ConformanceFixture.shared.get()
        var subject = fixture.subject("kiln-frontend-bad", samples: [])
        subject.version = "2.0.0"
        var options = ConformanceOptions()
        options.caseNames = ["handshake/current"]
        let report = try await ConformanceRunner(launcher: fixture.launcher, subject: subject, options: options).run()
        #expect(report.results.first?.failure?.code == .otherIdentity)
    }
}
