// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import Glibc
import LLB
import LinuxSystem
import OCI
import Sandbox
import Synchronization
import SystemPackage
import Testing

let isRoot = geteuid() == 0

/// A launcher that all cases share, and the executables beside the tests.
struct HostFixture: Sendable {
    static let shared = Result { try HostFixture() }

    let launcher: Launcher
    private let scratch = "kiln-frontend-tests-\(randomToken(count: 8))"
    /// Where the package's executables stand.
    let products: FilePath

    private init() throws {
        products = FrontendProgram.ownDirectory ?? "."
        let given = unsafe getenv("KILN_SANDBOX").map { FilePath(unsafe String(cString: $0)) }
        if given == nil { try Self.buildLauncher(into: products) }
        launcher = try Launcher(
            cache: try Directory(host: FilePath("/tmp/\(scratch)"), createMode: 0o711),
            executable: given ?? products.appending("kiln-sandbox")
        )
        atexit {
            guard case .success(let fixture) = HostFixture.shared else { return }
            try? Directory(host: "/tmp").removeTree(name: fixture.scratch)
        }
    }

    private static func buildLauncher(into products: FilePath) throws {
        let repository = FilePath(#filePath).removingLastComponent().removingLastComponent()
            .removingLastComponent()
        let script = repository.appending("dev").appending("build-sandbox")
        let process = try ChildProcess(
            .path(script),
            arguments: [script.string, products.string],
            environment: ["PATH=/usr/bin:/bin"],
            descriptors: [nil, nil, nil]
        )
        try #require(try process.wait() == .exited(0))
    }

    /// What stands in the directory the launcher works in.
    func scratchEntries() throws -> Set<String> {
        Set(try Directory(host: FilePath("/tmp").appending(scratch)).entries().map(\.name))
    }

    /// Timeouts short enough for tests on a busy machine.
    static var timeouts: FrontendTimeouts {
        var timeouts = FrontendTimeouts()
        timeouts.handshake = .seconds(5)
        timeouts.silenceWarning = .milliseconds(400)
        timeouts.silence = .milliseconds(800)
        timeouts.blockedWrite = .milliseconds(800)
        timeouts.exit = .milliseconds(500)
        return timeouts
    }
}

/// What a run of the misbehaving frontend came to.
struct Outcome: Sendable {
    let result: Result<FrontendResult<Int>, any Error>
    let bridge: RecordingBridge
    let duration: Duration

    var error: FrontendHostError? {
        if case .failure(let error) = result { error as? FrontendHostError } else { nil }
    }

    var success: FrontendResult<Int>? { try? result.get() }
}

/// Runs the frontend that misbehaves, for real: in its sandbox, over its pipes.
///
/// - `mode`: Names the misdeed.
/// - `early`: Whether it happens before the build file is there.
func misbehave(
    _ mode: String,
    early: Bool = false,
    deadline: Duration? = nil,
    resources: SandboxSpec.ResourceLimits? = nil,
    limits: ProtocolLimits = .standard,
    _ change: (inout FrontendTimeouts) -> Void = { _ in }
) async throws -> Outcome {
    let fixture = try HostFixture.shared.get()
    var timeouts = HostFixture.timeouts
    change(&timeouts)
    let host = FrontendHost(
        launcher: fixture.launcher,
        engine: .init(name: early ? "bad:\(mode)" : "test", version: "0"),
        timeouts: timeouts,
        limits: limits,
        resources: resources
    )
    let mark = randomToken(count: 12)
    let files = try fixture.scratchEntries()
    let program = FrontendProgram(
        name: "bad-\(mark)",
        content: .file(fixture.products.appending("kiln-frontend-bad"))
    )
    let request = FrontendBuildRequest<Int>(
        fileName: "Buildfile",
        fileContent: Array("\(early ? "behave" : mode)\nmore\n".utf8),
        options: ["target": "x"],
        workerPlatforms: [Platform(os: "linux", architecture: "amd64")],
        deadline: deadline
    )
    let bridge = RecordingBridge()
    let start = ContinuousClock.now
    let result: Result<FrontendResult<Int>, any Error>
    do {
        result = .success(try await host.build(program, request: request, bridge: bridge))
    } catch {
        result = .failure(error)
    }
    let duration = ContinuousClock.now - start
    #expect(processes(with: mark) == [], "a process is left")
    #expect(try fixture.scratchEntries() == files, "a file is left")
    #expect(try !mountTable().contains("kiln-frontend-bad"), "a mount is left")
    return Outcome(result: result, bridge: bridge, duration: duration)
}

/// The mounts that this process sees.
func mountTable() throws -> String {
    String(decoding: try Descriptor.open(host: "/proc/self/mountinfo").readToEnd(byteLimit: 16 << 20), as: UTF8.self)
}

/// Numbers of the processes whose command line holds a mark.
func processes(with mark: String) -> [Int] {
    guard let proc = try? Directory(host: "/proc"), let entries = try? proc.entries() else {
        return []
    }
    return entries.compactMap { Int($0.name) }.filter { pid in
        let line = try? Descriptor.open(host: FilePath("/proc/\(pid)/cmdline"))
            .readToEnd(byteLimit: 1 << 20)
        return String(decoding: line ?? [], as: UTF8.self).contains(mark)
    }
}

/// A bridge over nothing: definitions are checked, files made up, and everything said is kept.
final class RecordingBridge: FrontendBridge {
    struct Record: Sendable {
        var log: [FrontendLogEntry] = []
        var diagnostics: [Diagnostic] = []
        var released: [Int] = []
        var refCount = 0
        var reads = 0
    }

    struct StepFailed: FaultClassified, CustomStringConvertible {
        var fault: Fault { .input }
        var description: String { "step 3 exited with status 1" }
    }

    private let state = Mutex(Record())

    var record: Record { state.withLock { $0 } }
    var text: String { record.log.map(\.text).joined(separator: "\n") }
    var capabilities: [EngineCapability] { [.solve, .evaluate, .definitionJSON, .readFile, .resolveImage] }

    func solve(_ definition: LLB.Definition, evaluate: Bool) async throws -> Int? {
        _ = try definition.graph()
        return state.withLock { record in
            record.refCount += 1
            return record.refCount
        }
    }

    func evaluate(_ ref: Int) async throws { throw StepFailed() }

    func release(_ ref: Int) { state.withLock { $0.released.append(ref) } }

    func readFile(
        _ ref: Int?,
        path: String,
        offset: Int64,
        length: Int
    ) async throws -> Wire.ReadFile.Answer {
        state.withLock { $0.reads += 1 }
        if path.hasSuffix("ignore") { throw ProtocolFailure(.notFound, "no file \(path)") }
        return .init(data: Array(repeating: 7, count: min(length, 1 << 20)), isEnd: true)
    }

    func readDirectory(_ ref: Int?, path: String, pattern: String?) async throws -> [FileInfo] {
        [FileInfo(name: "a", kind: .file, mode: 0o644)]
    }

    func stat(_ ref: Int?, path: String, followSymlinks: Bool) async throws -> FileInfo {
        if path == "slow" { try await Task.sleep(for: .seconds(60)) }
        return FileInfo(name: path, kind: .file, mode: 0o644)
    }

    func resolveSource(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        throw ProtocolFailure(.notFound, "no \(query.identifier)")
    }

    func log(_ entry: FrontendLogEntry) { state.withLock { $0.log.append(entry) } }

    func diagnostic(_ diagnostic: Diagnostic) {
        state.withLock { $0.diagnostics.append(diagnostic) }
    }
}
