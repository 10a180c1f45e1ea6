// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendHost
internal import FrontendProtocol
internal import LLB
internal import LinuxSystem
internal import OCI
internal import Sandbox
internal import SystemPackage

struct FrontendRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Plays the engine for a frontend by hand: shows each request and asks what to answer.",
        discussion: """
            An answer is a line of JSON, the result; or ! and the kind of a failure with its message, such as \
            "!notFound no such file"; an empty line answers "unsupported". Bytes may be given as strings.
            """
    )

    @Option(
        name: [.short, .customLong("file")],
        help: "The build file; without it, an empty one.",
        completion: .file()
    )
    var file: String?

    @Option(name: .customLong("opt"), help: ArgumentHelp("An option of the build.", valueName: "key=value"))
    var options: [String] = []

    @OptionGroup var state: StateOptions

    @Argument(
        parsing: .captureForPassthrough,
        help: ArgumentHelp("The frontend: a package, or an executable with its arguments.", valueName: "command")
    )
    var command: [String]

    func run() async throws {
        let words = command.first == "--" ? Array(command.dropFirst()) : command
        var named: [String: String] = [:]
        for option in options {
            let (key, value) = keyAndValue(option)
            named[key] = value ?? ""
        }
        let name = FilePath(file ?? "Buildfile").lastComponent?.string ?? "Buildfile"
        let build = Wire.Build(
            fileName: name,
            fileContent: try file.map { try readFile($0, what: "the build file") } ?? [],
            options: named,
            workerPlatforms: [Platform.host.normalized]
        )
        let outcome = await Interruption.run { [state] in
            let program = try await developerProgram(words, state)
            try await FrontendHost.withStandalone(engine: toolProgram) { host in
                try await host.withProcess(program) { process in
                    try await blocking {
                        var table = HandPlay(build: build)
                        try table.play(process.standardOutput) { (bytes: [UInt8]) in
                            try process.standardInput?.write(bytes)
                        }
                        process.closeStandardInput()
                    }
                    writeError(String(decoding: try process.standardError.readToEnd(byteLimit: 1 << 20), as: UTF8.self))
                }
            }
        }
        switch outcome {
        case .finished: return
        case .failed(let error): throw ExitStatus.report(error)
        case .interrupted: throw ExitStatus.interrupted
        }
    }
}

/// An engine whose answers somebody types.
private struct HandPlay {
    let build: Wire.Build
    private var connection = ProtocolConnection(role: .engine)
    private var isOver = false

    init(build: Wire.Build) { self.build = build }

    /// Plays until the build is answered or the frontend lets go of its stdout.
    mutating func play(_ output: LinuxSystem.Descriptor, _ write: ([UInt8]) throws -> Void) throws {
        let hello = Wire.Initialize(
            engine: toolProgram,
            capabilities: [
                .solve, .evaluate, .definitionJSON, .readFile, .resolveImage, .resolveGit, .resolveHTTP,
                .nestedFrontend, .diagnostic, .progress,
            ],
            llbCapabilities: LLB.Capability.all.sorted(),
            limits: .standard
        )
        try ask(Method.initialize, hello.members, write)
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while !isOver {
            let count = try unsafe chunk.withUnsafeMutableBytes { try unsafe output.read(into: $0) }
            guard count > 0 else {
                writeError("the frontend let go of its stdout\n")
                return
            }
            connection.receive(chunk[0..<count])
            while !isOver, let event = try connection.nextEvent() { try handle(event, write) }
        }
    }

    private mutating func ask(_ method: Method, _ params: WireObject, _ write: ([UInt8]) throws -> Void) throws {
        let request: WireObject = ["method": .string(method.rawValue), "params": .object(params)]
        writeOutput("engine    \(request.summary)\n")
        for piece in try connection.request(method.rawValue, params).bytes { try write(piece) }
    }

    private mutating func handle(_ event: ProtocolConnection.Event, _ write: ([UInt8]) throws -> Void) throws {
        switch event {
        case .notification(let method, let params):
            let notice: WireObject = ["method": .string(method), "params": .object(params)]
            writeOutput("frontend  \(notice.summary)\n")
        case .refused(let method, let failure, let bytes):
            writeOutput("frontend  \(method): refused: \(failure.message)\n")
            for piece in bytes { try write(piece) }
        case .answer(_, let method, let result):
            switch result {
            case .success(let members): writeOutput("frontend  ok \(String(decoding: members.json, as: UTF8.self))\n")
            case .failure(let failure): writeOutput("frontend  failed: \(failure.message)\n")
            }
            if method == Method.initialize.rawValue, case .success = result {
                try ask(.build, build.members, write)
            } else {
                isOver = true
            }
        case .request(let id, let method, let params):
            let request: WireObject = ["id": .integer(Int64(id)), "method": .string(method), "params": .object(params)]
            writeOutput("frontend  \(String(decoding: request.json, as: UTF8.self))\nanswer> ")
            for piece in connection.answer(id, with: typedAnswer()) { try write(piece) }
        }
    }

    private func typedAnswer() -> Result<WireObject, ProtocolFailure> {
        while true {
            let line = readLine() ?? ""
            if line.isEmpty { return .failure(ProtocolFailure(.unsupported, "not answered by hand")) }
            if line.hasPrefix("!") {
                let parts = line.dropFirst().split(separator: " ", maxSplits: 1)
                let kind = parts.first.map(String.init) ?? "internal"
                let error: WireObject = [
                    "code": -32000, "message": .string(parts.count > 1 ? String(parts[1]) : kind),
                    "data": ["kind": .string(kind)],
                ]
                if let failure = try? ProtocolFailure(members: MemberReader(error, path: "error")) {
                    return .failure(failure)
                }
            }
            do throws(ProtocolViolation) {
                return .success(try WireObject(json: Array(line.utf8)))
            } catch {
                writeOutput("\(error.message)\nanswer> ")
            }
        }
    }
}
