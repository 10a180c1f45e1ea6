// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import Glibc
import LLB
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// A frontend's process with an engine that has answers ready: the engine's side of a session over real pipes.
///
/// The program is `kiln-frontend-yaml`, which stands on FrontendKit as any third party's would.
final class EngineStub {
    /// Answers a request of the frontend.
    typealias Respond = (_ method: String, _ params: WireObject) -> Result<WireObject, ProtocolFailure>

    private let process: ChildProcess
    /// The frontend's stdin; closed when nothing holds it.
    private var input: LinuxSystem.Descriptor?
    private let output: LinuxSystem.Descriptor
    private var connection = ProtocolConnection(role: .engine)
    private var pending: [ProtocolConnection.Event] = []
    /// What the frontend asked for, in order.
    private(set) var asked: [(method: String, params: WireObject)] = []
    private(set) var notified: [(method: String, params: WireObject)] = []

    init(_ program: String = "kiln-frontend-yaml", arguments: [String] = []) throws {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let directory = FilePath(own).removingLastComponent()
        let stdin = try LinuxSystem.Descriptor.pipe()
        let stdout = try LinuxSystem.Descriptor.pipe()
        process = try ChildProcess(
            .path(directory.appending(program)),
            arguments: [program] + arguments,
            environment: [],
            descriptors: [stdin.read, stdout.write, nil]
        )
        input = stdin.write
        output = stdout.read
    }

    deinit { process.signal(SIGKILL) }

    /// Shakes hands.
    @discardableResult
    func initialize() throws -> WireObject {
        let hello = Wire.Initialize(
            engine: Wire.Program(name: "stub", version: "0"),
            capabilities: [],
            limits: .standard
        )
        return try call(Method.initialize.rawValue, hello.members) { _, _ in .failure(.limit("not now")) }.get()
    }

    /// Asks something of the frontend, answering what it asks meanwhile.
    func call(
        _ method: String,
        _ params: WireObject,
        _ respond: Respond
    ) throws -> Result<WireObject, ProtocolFailure> {
        let (id, bytes) = try connection.request(method, params)
        try send(bytes)
        while true {
            switch try next() {
            case .answer(id, _, let answer): return answer
            case .answer: Issue.record("an answer nobody asked for")
            case .request(let id, let method, let params):
                asked.append((method, params))
                try send(connection.answer(id, with: respond(method, params)))
            case .notification(let method, let params): notified.append((method, params))
            case .refused(_, _, let bytes): try send(bytes)
            }
        }
    }

    func notify(_ method: String, _ params: WireObject) throws { try send(connection.notify(method, params)) }

    /// Writes bytes as they are.
    func send(_ bytes: [[UInt8]]) throws { for piece in bytes { try input?.write(piece) } }

    /// Closes the frontend's stdin and waits for its end.
    func finish() throws -> ChildProcess.Exit {
        input = nil
        return try process.wait()
    }

    /// All that is left on the frontend's stdout, to its end.
    func rest() throws -> [UInt8] { try output.readToEnd(byteLimit: 1 << 20) }

    private func next() throws -> ProtocolConnection.Event {
        while true {
            if !pending.isEmpty { return pending.removeFirst() }
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            let count = try unsafe chunk.withUnsafeMutableBytes { try unsafe output.read(into: $0) }
            guard count > 0 else { throw StubError.ended }
            connection.receive(chunk[..<count])
            while let event = try connection.nextEvent() { pending.append(event) }
        }
    }

    enum StubError: Error { case ended }
}

/// The params of a build, or of a question about the file.
func buildParams(_ text: String, options: [String: String] = [:]) -> WireObject {
    Wire.Build(
        fileName: "image.yaml",
        fileContent: Array(text.utf8),
        options: options,
        workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
    ).members
}

/// A world with one directory and images that all exist.
struct StubWorld {
    var files: [String: String] = [:]

    func respond(_ method: String, _ params: WireObject) -> Result<WireObject, ProtocolFailure> {
        switch method {
        case "solve": return .success(["ref": "r"])
        case "readFile":
            guard case .string(let path)? = params["path"], let text = files[path] else {
                return .failure(ProtocolFailure(.notFound, "no such file"))
            }
            var bytes = Array(text.utf8)
            if case .integer(let offset)? = params["offset"] { bytes = Array(bytes.dropFirst(Int(offset))) }
            if case .integer(let length)? = params["length"] { bytes = Array(bytes.prefix(Int(length))) }
            return .success(["data": .bytes(bytes), "eof": true])
        case "resolveSource":
            guard case .string(let identifier)? = params["identifier"] else { return .failure(.limit("no identifier")) }
            let config =
                #"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":["sha256:\#(String(repeating: "a", count: 64))"]},"config":{"Env":["PATH=/bin"],"Cmd":["sh"]}}"#
            return .success([
                "identifier": .string(identifier), "attributes": [:],
                "image": [
                    "digest": .string("sha256:" + String(repeating: "b", count: 64)),
                    "config": .bytes(Array(config.utf8)),
                ],
            ])
        default: return .failure(ProtocolFailure(.unsupported, "no \(method) here"))
        }
    }
}
