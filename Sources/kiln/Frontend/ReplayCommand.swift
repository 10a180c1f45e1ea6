// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendHost
internal import LinuxSystem
internal import Sandbox
internal import SystemPackage

struct FrontendReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Plays a recorded session against a frontend, without an engine or a network.",
        discussion: """
            kiln build --frontend-trace DIR and kiln frontend trace record a session. Ends with status 1 when the \
            frontend asks something else or gives another result than it did then.
            """
    )

    @Argument(help: "The trace's directory.", completion: .directory)
    var trace: String

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("-- and the frontend: a package, or an executable with its arguments.", valueName: "command")
    )
    var command: [String] = []

    @Option(help: ArgumentHelp("How many seconds it may take.", valueName: "seconds"))
    var timeout = 60

    @OptionGroup var state: StateOptions

    func run() async throws {
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        let program = try await developerProgram(words, state)
        let session = try await blocking { [trace] in try RecordedSession(directory: FilePath(trace)) }
        let replay = SessionReplay(session)
        let outcome = await Interruption.run {
            try await FrontendHost.withStandalone(engine: toolProgram) { host in
                try await host.withProcess(program) { process in
                    let alarm = Task { [timeout] in
                        try await Task.sleep(for: .seconds(timeout))
                        process.kill()
                    }
                    defer { alarm.cancel() }
                    return try await replay.play(against: process) { writeError($0 + "\n") }
                }
            }
        }
        switch outcome {
        case .finished(let report):
            writeOutput(report.text)
            if !report.isSame { throw ExitStatus(code: 1) }
        case .failed(let error): throw ExitStatus.report(error)
        case .interrupted: throw ExitStatus.interrupted
        }
    }
}

extension SessionReplay.Report {
    fileprivate var text: String {
        var text = ""
        for request in unknownRequests { text += "asked, but not in the trace: \(request)\n" }
        for request in missingRequests { text += "in the trace, but not asked: \(request)\n" }
        if let failure { text += "failed: \(failure)\n" }
        switch isSameResult {
        case true?: text += "the result is the same\n"
        case false?: text += "the result is another one\n"
        case nil: if failure == nil { text += "the trace has no result to compare with\n" }
        }
        return text
    }
}
