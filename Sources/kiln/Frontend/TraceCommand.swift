// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendHost
internal import FrontendProtocol
internal import LinuxSystem
internal import SystemPackage

struct FrontendTraceCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Builds a file and shows what its frontend and the engine say to each other.",
        discussion: """
            Nothing is exported. The trace stays in the directory of -o, for kiln frontend replay; values of secrets are \
            never part of it.
            """
    )

    @Argument(help: "The build file.", completion: .file())
    var file: String

    @Option(help: ArgumentHelp("The context.", valueName: "dir"), completion: .directory)
    var context: String?

    @Option(help: ArgumentHelp("As kiln build --target.", valueName: "name"))
    var target: String?

    @OptionGroup var given: BuildInputOptions

    @Option(
        name: [.short, .customLong("output")],
        help: ArgumentHelp("The trace's directory; made.", valueName: "dir"),
        completion: .directory
    )
    var output = "frontend-trace"

    @OptionGroup var choice: FrontendChoiceOptions
    @OptionGroup var state: StateOptions

    func run() async throws {
        let path = FilePath(file)
        var request = BuildRequest(context: .directory(context.map { FilePath($0) } ?? path.parent))
        request.buildFile = .path(path)
        try choice.apply(to: &request)
        request.target = target
        try given.apply(to: &request)
        request.frontendTrace = FilePath(output)
        let engine = try await Engine(configuration: EngineConfiguration(stateDirectory: FilePath(state.path)))
        let outcome = await Interruption.run { [request] in try await engine.build(request) }
        await engine.close()
        if let session = try? await blocking({ [output] in try RecordedSession(directory: FilePath(output)) }) {
            for message in session.messages { writeOutput(message.line + "\n") }
        }
        switch outcome {
        case .finished: return
        case .failed(let error): throw ExitStatus.report(error)
        case .interrupted: throw ExitStatus.interrupted
        }
    }
}

extension RecordedSession.Message {
    /// `  12.345 ms  frontend → solve {…}`, cut where it is long.
    var line: String {
        let (millis, micros) = (self.micros / 1000, String(self.micros % 1000))
        let time = "\(millis).\(String(repeating: "0", count: 3 - micros.count))\(micros) ms"
        let side = sender == .engine ? "engine  " : "frontend"
        let padded = String(repeating: " ", count: max(0, 12 - time.count)) + time
        return "\(padded)  \(side)  \(content.summary)"
    }
}

extension WireObject {
    /// A message in one line, for people: `7 solve {…}`, `7 ok {…}`.
    var summary: String {
        let id = self["id"].map { value in if case .integer(let id) = value { "\(id) " } else { "" } } ?? ""
        func body(_ name: String) -> String {
            guard case .object(let object)? = self[name] else { return "" }
            let text = object.json(announcing: { bytes in ["bytes": .integer(Int64(bytes.count))] })
            let shown = String(decoding: text.prefix(160), as: UTF8.self)
            return " " + (text.count > 160 ? shown + "…" : shown)
        }
        if case .string(let method)? = self["method"] { return id + method + body("params") }
        return self["error"] != nil ? "\(id)failed\(body("error"))" : "\(id)ok\(body("result"))"
    }
}
