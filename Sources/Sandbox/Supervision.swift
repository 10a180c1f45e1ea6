// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
internal import Synchronization
internal import SystemPackage

/// Watches one launcher from its start to its end, on a thread of its own.
///
/// The launcher kills its sandbox when the liveness pipe closes, reaps it, tears everything down and reports. Only
/// when it fails to do so in time it is killed itself; the kernel then ends the sandbox, and the control groups are swept.
final class Supervision: Sendable {
    /// How long a killed sandbox may take to be gone: processes in uninterruptible sleep can hold on.
    private static let teardownTimeout = Duration.seconds(10)
    /// How long output is awaited after the end; it is only ever cut when an outsider holds the pipe open.
    private static let lingerTimeout = Duration.seconds(1)
    private static let pollInterval = Duration.seconds(1)
    private static let chunkByteCount = 64 << 10
    /// More than the launcher ever says.
    private static let statusByteLimit = 1 << 20

    typealias Sink = @Sendable (OutputStream, [UInt8]) -> Void

    private struct State {
        var liveness: Descriptor?
        var killed: ContinuousClock.Instant?
        var outcome: Result<SandboxResult, SandboxError>?
        var waiters: [CheckedContinuation<SandboxResult, any Error>] = []
    }

    private let state: Mutex<State>
    private let launcher: ChildProcess
    private let status: Descriptor
    private let outputs: [(descriptor: Descriptor, stream: OutputStream)]
    private let sink: Sink
    private let finish: @Sendable () -> Void

    /// - Parameters:
    ///   - liveness: The writing end whose closing tells the launcher to kill.
    ///   - outputs: Pipes to read to their end and hand to `sink`, in the order of arrival on each.
    ///   - finish: Runs once the launcher is gone, before the result is given out.
    init(
        launcher: ChildProcess,
        status: Descriptor,
        liveness: Descriptor,
        outputs: [(descriptor: Descriptor, stream: OutputStream)],
        sink: @escaping Sink,
        finish: @escaping @Sendable () -> Void
    ) throws(SandboxError) {
        state = Mutex(State(liveness: liveness))
        self.launcher = launcher
        self.status = status
        self.outputs = outputs
        self.sink = sink
        self.finish = finish
        do {
            try onOwnThread { self.watch() }
        } catch {
            launcher.signal(SIGKILL)
            _ = try? launcher.wait()
            throw SandboxError(.unavailable, "cannot watch the sandbox: \(error)", cause: error)
        }
    }

    /// Whether ``kill()`` was called before the end.
    var wasKilled: Bool { state.withLock { $0.killed != nil } }

    func kill() {
        // The descriptor closes outside the lock, with the last reference.
        let liveness = state.withLock { state -> Descriptor? in
            if state.outcome != nil || state.killed != nil { return nil }
            state.killed = .now
            defer { state.liveness = nil }
            return state.liveness
        }
        withExtendedLifetime(liveness) {}
    }

    func result() async throws -> SandboxResult {
        try await withCheckedThrowingContinuation { continuation in
            let outcome = state.withLock { state -> Result<SandboxResult, SandboxError>? in
                if state.outcome == nil { state.waiters.append(continuation) }
                return state.outcome
            }
            if let outcome { continuation.resume(with: outcome.mapError { $0 as any Error }) }
        }
    }

    // MARK: The thread

    private func watch() {
        var open = outputs
        var statusText: [UInt8] = []
        var statusIsOpen = true
        var exit: ChildProcess.Exit?
        var ended: ContinuousClock.Instant?
        var buffer = [UInt8](repeating: 0, count: Self.chunkByteCount)
        while exit == nil || statusIsOpen || !open.isEmpty {
            if let ended, ContinuousClock.now - ended > Self.lingerTimeout { break }
            var watched = open.map { $0.descriptor }
            if statusIsOpen { watched.append(status) }
            if exit == nil { watched.append(launcher.descriptor) }
            let interval = exit == nil ? Self.pollInterval : Self.lingerTimeout
            guard let ready = try? pollReadable(watched, timeout: interval) else { break }
            for (index, output) in open.enumerated().reversed() where ready[index] {
                let chunk = read(output.descriptor, into: &buffer)
                if chunk.isEmpty { open.remove(at: index) } else { sink(output.stream, chunk) }
            }
            let isStatusReady = statusIsOpen && ready[watched.count - (exit == nil ? 2 : 1)]
            if isStatusReady {
                let chunk = read(status, into: &buffer)
                if chunk.isEmpty { statusIsOpen = false }
                if statusText.count < Self.statusByteLimit { statusText += chunk }
            }
            if exit == nil && ready[watched.count - 1] {
                exit = (try? launcher.wait()) ?? .exited(-1)
                ended = .now
            }
            if exit == nil { escalate() }
        }
        if exit == nil {
            launcher.signal(SIGKILL)
            exit = try? launcher.wait()
        }
        finish()
        conclude(LauncherReport(statusText).outcome(launcherExit: exit))
    }

    /// At most one buffer; nothing at the end or when the descriptor is broken.
    private func read(_ descriptor: Descriptor, into buffer: inout [UInt8]) -> [UInt8] {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            (try? unsafe descriptor.read(into: bytes)) ?? 0
        }
        return Array(buffer[0..<count])
    }

    private func escalate() {
        let killed = state.withLock { $0.killed }
        if let killed, ContinuousClock.now - killed > Self.teardownTimeout {
            launcher.signal(SIGKILL)
        }
    }

    private func conclude(_ outcome: Result<SandboxResult, SandboxError>) {
        let waiters = state.withLock { state in
            state.outcome = outcome
            state.liveness = nil
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(with: outcome.mapError { $0 as any Error }) }
    }
}

/// What the launcher said on its status pipe: one JSON object a line.
struct LauncherReport {
    private struct Message: Decodable {
        var state: String
        var stage: String?
        var object: String?
        var errno: Int32?
        var code: Int32?
        var signal: Int32?
        var oom: Bool?
        var userMicros: Int64?
        var systemMicros: Int64?
        var residentKiB: UInt64?
    }

    private var messages: [Message]

    init(_ text: [UInt8]) {
        messages = text.split(separator: UInt8(ascii: "\n"))
            .compactMap { try? JSONDecoder().decode(Message.self, from: Data($0)) }
    }

    func outcome(launcherExit: ChildProcess.Exit?) -> Result<SandboxResult, SandboxError> {
        if let failure = messages.first(where: { $0.state == "error" }) {
            return outcome(failure: failure)
        }
        guard let exit = messages.first(where: { $0.state == "exit" }), let code = exit.code else {
            let end =
                switch launcherExit {
                case .exited(let status): "it ended with status \(status)"
                case .signalled(let signal): "it was ended by signal \(signal)"
                case nil: "its end was not seen"
                }
            return .failure(
                SandboxError(
                    .launcherLost,
                    "cannot tell how the sandbox ended: the launcher said nothing; \(end)"
                )
            )
        }
        let signal = exit.signal.flatMap { $0 == 0 ? nil : $0 }
        return .success(
            SandboxResult(
                exitCode: signal.map { 128 + $0 } ?? code,
                signal: signal,
                isOutOfMemory: exit.oom ?? false,
                executionFailure: nil,
                userTime: .microseconds(exit.userMicros ?? 0),
                systemTime: .microseconds(exit.systemMicros ?? 0),
                residentBytesMax: (exit.residentKiB ?? 0).multipliedReportingOverflow(by: 1024)
                    .partialValue
            )
        )
    }

    private func outcome(failure: Message) -> Result<SandboxResult, SandboxError> {
        let stage = failure.stage ?? "set up"
        let object = failure.object ?? "the sandbox"
        let cause = SystemCallError(stage, object, Errno(rawValue: failure.errno ?? 0))
        // A command that cannot be run is the build's own affair, with the statuses shells give.
        if stage == "run", let errno = failure.errno {
            return .success(
                SandboxResult(
                    exitCode: errno == ENOENT ? 127 : 126,
                    signal: nil,
                    isOutOfMemory: false,
                    executionFailure: cause.description,
                    userTime: .zero,
                    systemTime: .zero,
                    residentBytesMax: 0
                )
            )
        }
        return .failure(SandboxError(.setupFailed, cause.description, cause: cause))
    }
}
