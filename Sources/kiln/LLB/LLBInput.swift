// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import LLB
internal import LLBText
internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// The file an `llb` command looks at, and the options for the frontend of a build file.
struct LLBInput: ParsableArguments {
    @Argument(help: ArgumentHelp("LLB or a build file; - reads the standard input.", valueName: "file"))
    var file = "-"

    @Option(help: ArgumentHelp("The target of a build file or of the friendly form.", valueName: "name"))
    var target: String?

    @Option(help: ArgumentHelp("The platform to build for.", valueName: "os/arch[/variant]"))
    var platform: String?

    @Option(help: ArgumentHelp("The frontend of a build file.", valueName: "frontend"))
    var frontend: String?

    @Option(
        name: .customLong("build-arg"),
        help: ArgumentHelp("A build argument of a build file.", valueName: "name=value")
    )
    var buildArguments: [String] = []

    @Option(
        name: .customLong("context"),
        help: ArgumentHelp("The context of a build file; the directory it stands in by default.", valueName: "dir")
    )
    var context: String?

    @OptionGroup var state: StateOptions

    /// The name for messages.
    var name: String { file == "-" ? "<stdin>" : file }

    /// Reads the file in whatever form it has; a build file goes to its frontend.
    func definition() async throws -> Definition {
        let bytes = try readFile(file, what: "the LLB")
        if let definition = try text(bytes) { return definition }
        if let definition = protobuf(bytes) { return definition }
        return try await converted(bytes)
    }

    /// The definition of a text that is LLB; `nil` when it is something else.
    private func text(_ bytes: [UInt8]) throws -> Definition? {
        guard let form = try? LLBText.form(of: bytes) else {
            // An object that is broken is more likely LLB with a mistake than a build file.
            guard bytes.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "{") else {
                return nil
            }
            _ = try read { () throws(LLBTextError) -> LLBText.Form in try LLBText.form(of: bytes) }
            return nil
        }
        // Somebody who names a frontend means it.
        if frontend != nil, case .friendly = form { return nil }
        switch try read({ () throws(LLBTextError) -> LLBText in try LLBText(parsing: bytes) }) {
        case .definition(let definition): return definition
        case .friendly(let document):
            let platform = try platform.map { try Platform(parsing: $0) }
            return try read { () throws(LLBTextError) -> Definition in
                try document.definition(of: try document.outcome(target: target), platform: platform)
            }
        }
    }

    private func read<Value>(_ body: () throws(LLBTextError) -> Value) throws -> Value {
        do throws(LLBTextError) {
            return try body()
        } catch {
            throw UsageError(error.text(file: name))
        }
    }

    /// The definition of bytes that are a message with operations in it.
    private func protobuf(_ bytes: [UInt8]) -> Definition? {
        guard let definition = try? Definition(serialized: bytes), bytes.isEmpty || !definition.isScratch else {
            return nil
        }
        return definition
    }

    private func converted(_ bytes: [UInt8]) async throws -> Definition {
        let directory = context.map { FilePath($0) } ?? (file == "-" ? nil : FilePath(file).parent)
        var request = BuildRequest(context: directory.map { .directory($0) } ?? .empty)
        request.buildFile = .bytes(
            bytes,
            name: file == "-" ? "Dockerfile" : FilePath(file).lastComponent?.string ?? file
        )
        request.frontend = frontend
        request.target = target
        request.platforms = try platform.map { [try Platform(parsing: $0)] } ?? []
        request.buildArguments = parseBuildArguments(buildArguments)
        return try await convert(request)
    }

    /// The graph that the frontend of a build file makes.
    private func convert(_ request: BuildRequest) async throws -> Definition {
        let engine = try await Engine(configuration: EngineConfiguration(stateDirectory: FilePath(state.path)))
        let display = ProgressDisplay(mode: .quiet)
        let outcome = await Interruption.run {
            try await engine.describe(request, .graph) { event in display.show(event) }
        }
        await engine.close()
        switch outcome {
        case .finished(.graph(let bytes)): return try Definition(serialized: bytes)
        case .finished: return .scratch
        case .failed(let error): throw ExitStatus.report(error)
        case .interrupted:
            writeError("kiln: interrupted\n")
            throw ExitStatus.interrupted
        }
    }
}
