// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import Sandbox
internal import Synchronization

/// The three streams of a frontend, served from one thread that never waits for one of them alone.
///
/// So the engine of the tests keeps the rule that every engine keeps: stdout is read whatever is being written.
final class FrontendPipes {
    private static let setPipeSize: CInt = 1031
    private static let errorByteLimit = 64 << 10

    private let process: SandboxProcess
    private let behaviour: EngineBehaviour
    private var outgoing: [UInt8] = []
    private var outgoingStart = 0
    private var closesInput = false
    private var isErrorEnded = false
    private var errorBytes: [UInt8] = []

    /// Whether nobody holds the frontend's stdout any more.
    private(set) var isOutputEnded = false
    /// Whether everything was written, or cannot be.
    var isWritten: Bool { outgoingStart == outgoing.count }
    /// When the frontend last took bytes, or had none to take.
    private(set) var lastTaken = ContinuousClock.now
    /// Bytes that wait to be read.
    var waitingByteCount: Int { outgoing.count - outgoingStart }
    /// When stdin was closed, which is once everything before was written.
    private(set) var inputEnd: ContinuousClock.Instant?
    /// Bytes of stdout so far.
    private(set) var outputByteCount = 0

    init(_ process: SandboxProcess, _ behaviour: EngineBehaviour) {
        self.process = process
        self.behaviour = behaviour
        if let input = process.standardInput { _ = fcntl(input.number, F_SETFL, O_NONBLOCK) }
        if let size = behaviour.pipeByteCount {
            for descriptor in [process.standardInput, process.standardOutput] {
                if let descriptor { _ = fcntl(descriptor.number, Self.setPipeSize, CInt(clamping: size)) }
            }
        }
    }

    /// The last lines of stderr.
    var lastErrorLines: [String] {
        errorBytes.split(separator: UInt8(ascii: "\n")).suffix(20).map { shown($0, limit: 400) }
    }

    func write(_ bytes: [UInt8]) {
        if isWritten { lastTaken = .now }
        // Move the rest to the front only once it is the smaller part: linear in all.
        if outgoingStart >= outgoing.count / 2 {
            outgoing.removeFirst(outgoingStart)
            outgoingStart = 0
        }
        outgoing += bytes
    }

    /// Ends stdin once all that waits was written.
    func closeInput() {
        closesInput = true
        closeIfWritten()
    }

    /// Moves bytes as they come, for a while at most.
    ///
    /// - Returns: What came on stdout; empty when nothing did.
    func move(within time: Duration) -> [UInt8] {
        let input = process.standardInput
        let wantsInput = input != nil && !isWritten
        var entries = [
            entry(isOutputEnded ? nil : process.standardOutput, POLLIN),
            entry(isErrorEnded ? nil : process.standardError, POLLIN),
            entry(wantsInput ? input : nil, POLLOUT),
        ]
        let (seconds, attoseconds) = time.components
        let milliseconds = CInt(clamping: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
        guard unsafe poll(&entries, nfds_t(entries.count), max(0, milliseconds)) > 0 else { return [] }
        if entries[2].revents != 0, let input { writeSome(to: input) }
        if entries[1].revents != 0 { readErrors() }
        return entries[0].revents != 0 ? readOutput() : []
    }

    private func entry(_ descriptor: Descriptor?, _ events: CInt) -> pollfd {
        // A negative number is an entry that poll passes over.
        pollfd(fd: descriptor?.number ?? -1, events: Int16(events), revents: 0)
    }

    private func writeSome(to input: Descriptor) {
        let rest = outgoing.count - outgoingStart
        let wanted = min(rest, behaviour.writeByteCount ?? rest)
        let start = outgoingStart
        let count = unsafe outgoing.withUnsafeBytes { buffer in
            unsafe Glibc.write(input.number, buffer.baseAddress?.advanced(by: start), wanted)
        }
        if count >= 0 {
            outgoingStart += count
            lastTaken = .now
        } else if errno != EAGAIN && errno != EINTR {
            // The frontend does not read any more: what that means is for others to say.
            outgoingStart = outgoing.count
        }
        closeIfWritten()
    }

    private func closeIfWritten() {
        guard closesInput, isWritten, inputEnd == nil else { return }
        process.closeStandardInput()
        inputEnd = .now
    }

    private func readOutput() -> [UInt8] {
        let bytes = read(process.standardOutput, limit: behaviour.readByteCount ?? 256 << 10)
        if bytes.isEmpty { isOutputEnded = true }
        outputByteCount += bytes.count
        return bytes
    }

    private func readErrors() {
        let bytes = read(process.standardError, limit: 64 << 10)
        if bytes.isEmpty { isErrorEnded = true }
        errorBytes += bytes
        if errorBytes.count > 2 * Self.errorByteLimit {
            errorBytes.removeFirst(errorBytes.count - Self.errorByteLimit)
        }
    }

    /// Empty at the end, and where reading fails, which is an end too.
    private func read(_ descriptor: Descriptor, limit: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = unsafe (try? descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))) ?? 0
        }
    }
}

/// How a process ended, once that is known.
final class ExitBox: Sendable {
    private let state = Mutex<Result<SandboxResult, any Error>?>(nil)

    var result: Result<SandboxResult, any Error>? { state.withLock { $0 } }

    func set(_ result: Result<SandboxResult, any Error>) { state.withLock { $0 = result } }
}
