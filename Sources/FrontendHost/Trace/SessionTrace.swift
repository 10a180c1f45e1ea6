// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
internal import LinuxSystem
internal import OCI
internal import Synchronization
package import SystemPackage

/// Writes down everything one frontend and the engine say to each other, as a directory.
///
/// `trace.jsonl` has a header, one line a message, and the end; byte strings stand in `blobs/sha256/`. Values of secrets are
/// in no message. A trace that cannot be written any more is cut short: the build goes on.
package final class SessionTrace: Sendable {
    /// The form of the header and lines.
    static let form: Int64 = 1

    private struct State {
        var sent: MessageTap
        var received: MessageTap
        var file: LinuxSystem.Descriptor?
        /// Lines before the frontend has told its name, which the header holds.
        var waiting: [[UInt8]]? = []
        var blobs: Set<Digest> = []
    }

    private let directory: Directory
    private let blobDirectory: Directory
    private let program: FrontendProgram
    private let engine: Wire.Program
    private let start = ContinuousClock.now
    private let state: Mutex<State>

    /// Makes the directory, which must be missing or empty.
    ///
    /// Blocks.
    ///
    /// - Throws: `notStarted` when that is not possible.
    package init(_ path: FilePath, program: FrontendProgram, engine: Wire.Program) throws {
        do {
            directory = try Directory(host: path, createMode: 0o755)
            guard try directory.entries().isEmpty else {
                throw FrontendHostError(
                    .notStarted,
                    "cannot write a trace into \(path): the directory is not empty; name a new one",
                    fault: .input
                )
            }
            blobDirectory = try directory.makeDirectories("blobs/sha256", mode: 0o755)
            state = Mutex(
                State(
                    sent: MessageTap(sender: .engine, limits: .standard),
                    received: MessageTap(sender: .frontend, limits: .standard),
                    file: try directory.createFile("trace.jsonl", mode: 0o644)
                )
            )
        } catch let error as SystemCallError {
            throw FrontendHostError(.notStarted, "cannot write a trace into \(path): \(error)", fault: .input)
        }
        self.program = program
        self.engine = engine
        try? write("manifest", manifest.json + [0x0A])
        try? write("replay.sh", Array(replayScript.utf8), mode: 0o755)
    }

    // MARK: The session

    /// Bytes on their way to the frontend.
    func willWrite(_ bytes: [UInt8]) {
        state.withLock { state in
            for message in state.sent.feed(bytes) { add(message, from: "engine", &state) }
        }
    }

    /// Bytes that came from the frontend.
    func didRead(_ bytes: [UInt8]) {
        state.withLock { state in
            for message in state.received.feed(bytes) { add(message, from: "frontend", &state) }
        }
    }

    /// The frontend has told its name.
    func begin(_ version: ProtocolVersion, _ frontend: Wire.Program) {
        state.withLock { state in header(version, frontend, &state) }
    }

    /// The session is over.
    ///
    /// - Parameters:
    ///   - status: How the process ended, as far as it is known.
    ///   - code: The number of the failure, if it failed.
    ///   - standardError: What was kept of it.
    func end(exitCode: Int32?, signal: Int32?, code: Int?, standardError: String) {
        state.withLock { state in
            header(ProtocolVersion.spoken[0], Wire.Program(name: program.name, version: program.version ?? ""), &state)
            var end: WireObject = [:]
            if let signal {
                end["signal"] = .integer(Int64(signal))
            } else if let exitCode {
                end["status"] = .integer(Int64(exitCode))
            }
            end["code"] = code.map { .string("F\($0)") }
            put((["end": .object(end)] as WireObject).json, &state)
            state.file = nil
        }
        try? write("stderr.log", Array(standardError.utf8))
    }

    // MARK: Lines

    private func header(_ version: ProtocolVersion, _ frontend: Wire.Program, _ state: inout State) {
        guard let waiting = state.waiting else { return }
        state.waiting = nil
        var members = frontend.members
        members["tree"] = program.digest.map { .string($0) }
        put(
            ([
                "trace": .integer(Self.form), "protocol": .string(version.description),
                "engine": .object(engine.members), "frontend": .object(members),
            ] as WireObject).json,
            &state
        )
        for line in waiting { put(line, &state) }
    }

    private func add(_ message: MessageTap.Message, from side: String, _ state: inout State) {
        let elapsed = (ContinuousClock.now - start).components
        let micros = elapsed.seconds &* 1_000_000 &+ elapsed.attoseconds / 1_000_000_000_000
        var line = Array(#"{"from":"\#(side)","at":\#(micros),"frame":\#(message.frame),"message":"#.utf8)
        // One message a line, however its sender breaks it: a line end stands between tokens only.
        line += message.text.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        if !message.blobs.isEmpty {
            let names = message.blobs.map { "\"\(keep($0, &state))\"" }.joined(separator: ",")
            line += Array(#","blobs":[\#(names)]"#.utf8)
        }
        line.append(UInt8(ascii: "}"))
        if state.waiting != nil { state.waiting?.append(line) } else { put(line, &state) }
    }

    private func put(_ line: [UInt8], _ state: inout State) {
        do {
            try state.file?.write(line + [0x0A])
        } catch {
            state.file = nil
        }
    }

    /// Keeps a byte string as a file.
    private func keep(_ bytes: [UInt8], _ state: inout State) -> Digest {
        let digest = Digest.of(bytes)
        if state.blobs.insert(digest).inserted {
            try? blobDirectory.createFile(digest.hex, mode: 0o644).write(bytes)
        }
        return digest
    }

    // MARK: Beside the messages

    private func write(_ name: String, _ bytes: [UInt8], mode: UInt32 = 0o644) throws {
        try directory.createFile(name, mode: mode).write(bytes)
    }

    private var manifest: WireObject {
        var manifest: WireObject = ["name": .string(program.name)]
        manifest["version"] = program.version.map { .string($0) }
        manifest["digest"] = program.digest.map { .string($0) }
        switch program.content {
        case .file(let path): manifest["file"] = .string(path.string)
        case .package(let path, let arguments):
            manifest["package"] = .string(path.string)
            manifest["argv"] = .array(arguments.map { .string($0) })
        }
        switch program.runtime {
        case .none: break
        case .host: manifest["runtime"] = "host"
        case .root: manifest["runtime"] = "image"
        }
        return manifest
    }

    private var replayScript: String {
        let path =
            switch program.content {
            case .file(let path), .package(let path, _): path.string
            }
        return """
            #!/bin/sh
            # replay.sh [PROGRAM [ARGUMENT...]]: plays this session against the frontend, or against another program.
            here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
            [ $# -gt 0 ] || set -- '\(path.replacing("'", with: "'\\''"))'
            exec kiln frontend replay "$here" -- "$@"

            """
    }
}
