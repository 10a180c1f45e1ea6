// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// P-TRACE-01 and P-TRACE-03: sessions of `Protocol/transcripts` are written down as they were, and play again.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(2)))
struct TraceTests {
    private static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Protocol/transcripts")

    private struct Recorded {
        let scratch: ScratchDirectory
        let host: FrontendHost
        let engine: ScriptedEngine
        let session: RecordedSession
    }

    private func transcript(_ name: String) throws -> [UInt8] {
        try LinuxSystem.Descriptor.open(host: Self.folder.appending("\(name).jsonl")).readToEnd(byteLimit: 1 << 20)
    }

    private func record(_ name: String) async throws -> Recorded {
        let fixture = try HostFixture.shared.get()
        let scratch = try ScratchDirectory()
        let text = try transcript(name)
        let engine = try ScriptedEngine(text)
        let host = FrontendHost(launcher: fixture.launcher, engine: .init(name: "kiln", version: "0.1.0"))
        let trace = scratch.path.appending("trace")
        _ = try await host.build(
            try scratch.script(player: Self.folder.appending("play.py"), transcript: text),
            request: try engine.request(),
            bridge: engine,
            trace: trace
        )
        return Recorded(scratch: scratch, host: host, engine: engine, session: try RecordedSession(directory: trace))
    }

    @Test(arguments: ["hello", "blobs", "read-in-parts", "pipelined", "words", "inputs"])
    func `P-TRACE-01: every message of both sides is there, in order`(_ name: String) async throws {
        let recorded = try await record(name)
        let messages = recorded.session.messages
        func kinds(_ sender: PeerRole) -> [String] {
            messages.filter { $0.sender == sender }.map { message in
                if case .string(let method)? = message.content["method"] { method } else { "answer" }
            }
        }
        let wanted = try transcript(name).split(separator: UInt8(ascii: "\n"))
            .map { try JSONValue(parsing: Array($0)) }
            .filter { $0["message"] != nil }
        for (sender, side) in [(PeerRole.engine, "engine"), (.frontend, "frontend")] {
            let said = wanted.filter { $0["from"]?.text == side }.map { $0["message"]?["method"]?.text ?? "answer" }
            #expect(kinds(sender) == said)
        }
        // What a side answered stands behind what it was asked, and time does not go back.
        #expect(messages.map(\.micros) == messages.map(\.micros).sorted())
        #expect(messages.first?.content["method"] == "initialize")
    }

    @Test(arguments: ["hello", "blobs", "read-in-parts"])
    func `P-TRACE-03: a recorded session plays again, and another frontend is found out`(_ name: String) async throws {
        let recorded = try await record(name)
        let same = try recorded.scratch.script(player: Self.folder.appending("play.py"), transcript: transcript(name))
        let other = try recorded.scratch.script(
            player: Self.folder.appending("play.py"),
            transcript: transcript("bad-build-file")
        )
        for (program, isSame) in [(same, true), (other, false)] {
            let report = try await recorded.host.withProcess(program) { process in
                try await SessionReplay(recorded.session).play(against: process)
            }
            #expect(report.isSame == isSame, "\(report)")
        }
    }
}
