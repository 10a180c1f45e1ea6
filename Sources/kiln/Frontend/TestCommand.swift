// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendConformance
internal import FrontendHost
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

extension ConformanceCase.Suite: ExpressibleByArgument {}

/// `kiln frontend test`: what every author runs, and what continuous integration runs on all frontends of this project.
struct FrontendTestCommand: AsyncParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case tap, json
    }

    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Checks that a frontend keeps the protocol.",
        discussion: """
            Starts the frontend once for each case, in the sandbox it will run in, with an engine that answers from \
            memory: no network, no cache, nothing is built. The build files to test with stand in tests/ beside \
            frontend.toml; Protocol/conformance/README.md says how. Ends with status 1 when a case fails.

            A package that says deterministic = true and passes everything is noted: builds on this state directory \
            then use its results again.
            """
    )

    @Argument(help: "A package (a directory with frontend.toml), an executable file, or a frontend of the project.")
    var path: String

    @Option(name: .customLong("suite"), help: "Run this suite only; may be given several times.")
    var suites: [ConformanceCase.Suite] = []

    @Option(name: .customLong("case"), help: "Run the case of this name only; may be given several times.")
    var caseNames: [String] = []

    @Option(help: ArgumentHelp("Where the build files to test with stand.", valueName: "dir"), completion: .directory)
    var tests: String?

    @Option(
        name: .customLong("cases"),
        help: ArgumentHelp("Run the cases of this directory instead of the built-in ones.", valueName: "dir"),
        completion: .directory
    )
    var caseDirectory: String?

    @Option(help: "How often the determinism suite builds each build file.")
    var runs = 5

    @Option(help: ArgumentHelp("Write the report to this file.", valueName: "file"), completion: .file())
    var report: String?

    @Option(help: "The report's form.")
    var format = Format.tap

    @Flag(help: "Write what the builds come to as the expected results.")
    var update = false

    @OptionGroup var options: ProjectOptions

    func validate() throws {
        guard (1...10_000).contains(runs) else { throw ValidationError("--runs must be from 1 to 10000") }
    }

    func run() async throws {
        let tested = try await TestedFrontend(path, options)
        let folder = SampleFolder(tests.map { FilePath($0) } ?? tested.testsFolder)
        var chosen = ConformanceOptions()
        chosen.suites = suites.isEmpty ? nil : Set(suites)
        chosen.caseNames = caseNames.isEmpty ? nil : Set(caseNames)
        chosen.runCount = runs
        chosen.isUpdating = update
        if let caseDirectory { chosen.cases = try readCases(caseDirectory) }
        try check(chosen)
        let subject = ConformanceSubject(tested.program, samples: try await blocking { try folder.samples() })
        // TAP on stdout grows while the cases run; its plan may stand at the end.
        let isLive = format == .tap && report == nil
        if isLive { writeOutput("TAP version 14\n") }
        var number = 0
        let isWhole = suites.isEmpty && caseNames.isEmpty && caseDirectory == nil
        let (found, failures) = try await tested.noting(isWhole, runCount: runs) {
            let report = try await ConformanceRunner.run(subject, chosen) { result in
                number += 1
                if isLive { writeOutput(ConformanceReport.tapLines(result, number: number)) }
            }
            return (report, report.failures)
        }
        if isLive { writeOutput("1..\(number)\n") }
        let text = format == .tap ? found.tap : found.json
        if let report { try writeFile(report, text) } else if !isLive { writeOutput(text) }
        if update { try await blocking { [found] in try write(found, to: folder) } }
        writeError("\(found.name)\(found.version.map { " \($0)" } ?? ""): \(found.summary)\n")
        if !failures.isEmpty { throw ExitStatus(code: 1) }
    }

    private func check(_ options: ConformanceOptions) throws {
        let known = Set(options.cases.map(\.name)).union(ConformanceRunner.wholeBuildCases)
        for name in caseNames where !known.contains(name) {
            throw UsageError("no case is called \"\(name)\"")
        }
    }

    private func readCases(_ path: String) throws -> [ConformanceCase] {
        let names = try Directory(host: FilePath(path)).entries().map(\.name).filter { $0.hasSuffix(".toml") }
        return try names.sorted().map { name in
            try ConformanceCase(toml: readFile("\(path)/\(name)", what: "the case \(name)"), file: name)
        }
    }

    private func write(_ report: ConformanceReport, to folder: SampleFolder) throws {
        for result in report.results {
            if let text = result.canonicalText, let name = result.buildFile {
                try folder.writeExpected(text, of: name)
            }
        }
    }
}

extension CaseTextError: ReportableError {
    var fault: Fault { .input }
}
