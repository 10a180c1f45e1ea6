// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FrontendHost
import FrontendProtocol
import LLB
import LinuxSystem
import OCI
import Synchronization
import SystemPackage
import Testing

/// Every session of `Protocol/transcripts` whose engine is this one: a real process in its sandbox plays the frontend's
/// side and compares what the host says.
///
/// Each transcript lists the rules it shows; `dev/protocol-coverage` counts them as tested here.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(3)))
struct TranscriptTests {
    /// These are about what another engine says.
    private static let ofOtherEngines: Set<String> = ["build-file-as-text", "unknown-method-of-the-engine"]

    private static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Protocol/transcripts")

    private static func names() throws -> [String] {
        try Directory(host: folder).entries().map(\.name).filter { $0.hasSuffix(".jsonl") }
            .map { String($0.dropLast(6)) }
            .filter { !ofOtherEngines.contains($0) }
            .sorted()
    }

    @Test(arguments: try names()) func `the host says what the transcript says`(_ name: String) async throws {
        let fixture = try HostFixture.shared.get()
        let scratch = try ScratchDirectory()
        let text = try LinuxSystem.Descriptor.open(host: Self.folder.appending("\(name).jsonl"))
            .readToEnd(byteLimit: 1 << 20)
        let transcript = try ScriptedEngine(text)
        let program = try scratch.script(player: Self.folder.appending("play.py"), transcript: text)
        let host = FrontendHost(
            launcher: fixture.launcher,
            engine: .init(name: "kiln", version: "0.1.0"),
            timeouts: HostFixture.timeouts
        )
        let outcome = await Self.run(host, program, transcript)
        switch (outcome, transcript.code) {
        case (.success(let answer), nil):
            #expect(!transcript.fails, "\(answer)")
            #expect(transcript.log.allSatisfy { $0.origin == .message }, "\(transcript.log.map(\.text))")
        case (.failure(let error as FrontendHostError), let code?):
            #expect("F\(error.code.rawValue)" == code, "\(error)")
        case (.failure(let error as FrontendHostError), nil):
            #expect(transcript.fails, "\(error)")
            #expect(error.code == .buildFailed, "\(error)")
            // P-ERR-02: the frontend's words are the whole message.
            #expect(error.message == transcript.failure)
            // P-ERR-01: the request behind it is known.
            #expect((error.cause != nil) == transcript.namesRequest)
        default: Issue.record("\(outcome)")
        }
    }

    private static func run(
        _ host: FrontendHost,
        _ program: FrontendProgram,
        _ engine: ScriptedEngine
    ) async -> Result<String, any Error> {
        do {
            let request = try engine.request()
            switch engine.work {
            case "describe/targets":
                return .success(
                    "\(try await host.ask(program, for: TargetsDescription.self, request: request, bridge: engine))"
                )
            case "describe/outline":
                return .success(
                    "\(try await host.ask(program, for: OutlineDescription.self, request: request, bridge: engine))"
                )
            case "lint":
                return .success(
                    "\(try await host.ask(program, for: LintFindings.self, request: request, bridge: engine))"
                )
            case "convert":
                return .success(
                    "\(try await host.ask(program, for: Wire.Converted.self, request: request, bridge: engine))"
                )
            case "format":
                return .success(
                    "\(try await host.ask(program, for: Wire.Formatted.self, request: request, bridge: engine))"
                )
            default: return .success("\(try await host.build(program, request: request, bridge: engine))")
            }
        } catch {
            return .failure(error)
        }
    }
}

/// A directory for one test, gone with it.
final class ScratchDirectory {
    private let name = "kiln-frontend-script-\(randomToken(count: 12))"
    let path: FilePath

    init() throws {
        path = FilePath("/tmp/\(name)")
        _ = try Directory(host: path, createMode: 0o755)
    }

    deinit { try? Directory(host: "/tmp").removeTree(name: name) }

    /// A frontend that plays a transcript: the player with the lines in it.
    func script(player: FilePath, transcript: [UInt8]) throws -> FrontendProgram {
        let source = try LinuxSystem.Descriptor.open(host: player).readToEnd(byteLimit: 1 << 20)
        let lines = String(decoding: transcript, as: UTF8.self).split(separator: "\n").map { "#| \($0)\n" }
        return try script(String(decoding: source, as: UTF8.self) + lines.joined())
    }

    /// A frontend by its source, which begins with `#!`.
    func script(_ source: String) throws -> FrontendProgram {
        let file = path.appending("frontend-\(randomToken(count: 6)).py")
        try Data(source.utf8).write(to: URL(filePath: file.string))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.string)
        return try FrontendProgram(file: file)
    }
}
