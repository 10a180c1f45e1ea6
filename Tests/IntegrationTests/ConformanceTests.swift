// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import OCI
import SystemPackage
import Testing

/// `kiln frontend test` on every frontend of this repository: no failure, and every build file has its expected result.
@Suite(.enabled(if: geteuid() == 0, "making sandboxes needs root"), .timeLimit(.minutes(10)))
struct ConformanceTests {
    /// A frontend as the command takes it, and where its build files stand.
    struct Subject: Sendable, CustomTestStringConvertible {
        let name: String
        /// `nil` for an executable beside kiln.
        let package: FilePath?
        let tests: FilePath
        var testDescription: String { name }
    }

    static let firstParty: [Subject] = ["dockerfile", "llb", "yaml"].compactMap { name in
        let tests = Kiln.repository.appending("Frontends/\(name)/tests")
        guard FileManager.default.fileExists(atPath: tests.string) else { return nil }
        return Subject(name: name, package: nil, tests: tests)
    }

    /// Every example that this machine has the tools for.
    static let examples: [String] = {
        let path = Kiln.repository.appending("Frontends/examples").string
        let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
        return names.filter { FileManager.default.fileExists(atPath: "\(path)/\($0)/frontend.toml") }
    }()

    @Test(arguments: examples)
    func `an example keeps the protocol`(_ name: String) async throws {
        guard let package = try await ExampleTests.package(of: name) else { return }
        let tests = Kiln.repository.appending("Frontends/examples/\(name)/tests")
        try await check(Subject(name: name, package: FilePath(package), tests: tests))
    }

    @Test(arguments: firstParty)
    func `a frontend of this repository keeps the protocol`(_ subject: Subject) async throws {
        try await check(subject)
    }

    private func check(_ subject: Subject) async throws {
        let kiln = try await Kiln.shared
        let path = subject.package ?? kiln.directory.appending("kiln-frontend-\(subject.name)")
        let arguments = ["frontend", "test", path.string, "--tests", subject.tests.string, "--format", "json"]
        let result = try await Command(kiln.program, arguments, timeLimit: .seconds(500)).result()
        let report = try JSONValue(parsing: result.output)
        for entry in report["cases"]?.elements ?? [] where entry["status"]?.text == "failed" {
            let file = entry["buildFile"]?.text ?? "-"
            Issue.record("\(entry["name"]?.text ?? "") [\(file)]: \(entry["message"]?.text ?? "")")
        }
        #expect(result.status == 0, "\(result.error)")
        let golden = (report["cases"]?.elements ?? []).filter { $0["name"]?.text == "golden/expected" }
        #expect(!golden.isEmpty)
        for entry in golden {
            #expect(
                entry["status"]?.text == "passed",
                "\(entry["buildFile"]?.text ?? "") \(entry["reason"]?.text ?? "")"
            )
        }
    }

    @Test func `a report is the same at every run, names what fails, and the status says so`() async throws {
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        try workspace.write("tests/Buildfile", "exit-3\n")
        let program = kiln.directory.appending("kiln-frontend-bad").string
        var reports: [String] = []
        for number in 0..<2 {
            let report = workspace.path("report-\(number).json")
            let result = try await Command(
                kiln.program,
                [
                    "frontend", "test", program, "--tests", workspace.path("tests"), "--suite", "handshake",
                    "--suite", "stdout-clean", "--format", "json", "--report", report,
                ]
            ).result()
            #expect(result.status == 1, "\(result.error)")
            #expect(result.output.isEmpty)
            reports.append(try workspace.read("report-\(number).json"))
        }
        #expect(reports[0] == reports[1])
        let report = try JSONValue(parsing: reports[0])
        let failed = try #require(report["cases"]?.elements?.first { $0["name"]?.text == "stdout-clean/build" })
        #expect(failed["code"]?.text == "C104")
        #expect(failed["rule"]?.text == "P-ID-02")
        #expect(failed["message"]?.text?.hasPrefix("C104 the frontend exited with status 3") == true)
        #expect(failed["stderr"]?.elements?.last?.text == "line 30")
    }

    @Test func `the report as TAP has one line a case and a plan`() async throws {
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        try workspace.write("tests/Buildfile", "behave\n")
        let program = kiln.directory.appending("kiln-frontend-bad").string
        let result = try await Command(
            kiln.program,
            ["frontend", "test", program, "--tests", workspace.path("tests"), "--case", "stdout-clean/build"]
        ).result()
        #expect(result.outputText == "TAP version 14\nok 1 - stdout-clean/build [Buildfile]\n1..1\n")
        #expect(result.status == 0, "\(result.error)")
    }

    @Test func `update writes what builds come to, and the next run holds them to it`() async throws {
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        try workspace.write("tests/Buildfile", "FROM scratch\n")
        let program = kiln.directory.appending("kiln-frontend-dockerfile").string
        let arguments = ["frontend", "test", program, "--tests", workspace.path("tests"), "--suite", "golden"]
        let first = try await Command(kiln.program, arguments).result()
        #expect(first.outputText.contains("# SKIP Buildfile.expected.json is missing; --update writes it"))
        let update = try await Command(kiln.program, arguments + ["--update"]).result()
        #expect(update.status == 0)
        #expect(update.outputText.contains("# SKIP Buildfile.expected.json is written\n"), "\(update.outputText)")
        #expect(try workspace.read("tests/Buildfile.expected.json").contains("\"results\""))
        #expect(try await Command(kiln.program, arguments).result().outputText.contains("\nok 1 - golden/expected"))
        try workspace.write("tests/Buildfile", "FROM scratch\nLABEL a=b\n")
        let changed = try await Command(kiln.program, arguments).result()
        #expect(changed.status == 1)
        #expect(changed.outputText.contains("code: C132"), "\(changed.outputText)")
        #expect(changed.outputText.contains("if that is meant, --update writes the new result"))
        #expect(try await Command(kiln.program, arguments + ["--update"]).result().status == 0)
        let again = try await Command(kiln.program, arguments).result()
        #expect(again.error.contains("1 passed, 0 failed, 0 skipped\n"), "\(again.error)")
    }

    @Test(arguments: [
        (["/nowhere/at-all"], "cannot"), (["/bin/ls", "--case", "no/such"], "no case is called \"no/such\""),
        (["/bin/ls", "--suite", "nonsense"], "nonsense"), (["/bin/ls", "--runs", "0"], "--runs must be"),
    ])
    func `what cannot be tested is said in words`(arguments: [String], words: String) async throws {
        let kiln = try await Kiln.shared
        let result = try await Command(kiln.program, ["frontend", "test"] + arguments).result()
        #expect(result.status != 0)
        #expect(result.error.contains(words), "\(result.error)")
    }
}
