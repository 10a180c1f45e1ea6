// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Glibc
internal import Synchronization

/// The two ends of pipes that carry the protocol, with the connection's state between them.
///
/// One thread reads; any may write. Writing blocks: an engine always reads.
final class ProtocolChannel: Sendable {
    private typealias Answer = Result<WireObject, ProtocolFailure>

    private struct State {
        var connection = ProtocolConnection(role: .frontend)
        var waiting: [Int: CheckedContinuation<WireObject, any Error>] = [:]
        /// Why nothing can be asked any more.
        var end: ProtocolFailure?
    }

    private let input: CInt
    private let output: CInt
    private let state = Mutex(State())
    /// Held while the bytes of one message are written, so that messages do not mix.
    private let writing = Mutex(())

    private init(input: CInt, output: CInt) {
        self.input = input
        self.output = output
    }

    /// Moves the protocol off descriptor 1 and lets stdout be stderr.
    static func takeStandardStreams() -> ProtocolChannel? {
        signal(SIGPIPE, SIG_IGN)
        let output = dup(STDOUT_FILENO)
        guard output >= 0, dup2(STDERR_FILENO, STDOUT_FILENO) >= 0 else { return nil }
        return ProtocolChannel(input: STDIN_FILENO, output: output)
    }

    // MARK: Reading

    /// Reads to the end and hands over what the engine asks and tells.
    ///
    /// Blocks.
    ///
    /// - Parameter handle: Gets requests and notifications in order.
    /// - Throws: ``ProtocolViolation`` when the engine breaks the protocol.
    func read(_ handle: (ProtocolConnection.Event) -> Void) throws(ProtocolViolation) {
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        defer { end(ProtocolFailure(.cancelled, "the engine has ended the session")) }
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(input, buffer.baseAddress, buffer.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for event in try take(chunk[0..<count]) {
                switch event {
                case .answer(let id, _, let answer):
                    state.withLock { $0.waiting.removeValue(forKey: id) }?
                        .resume(with: answer.mapError { $0 as any Error })
                case .refused(_, _, let bytes): write(bytes)
                case .request, .notification: handle(event)
                }
            }
        }
        try state.withLock { state throws(ProtocolViolation) in try state.connection.finish() }
    }

    private func take(
        _ bytes: ArraySlice<UInt8>
    ) throws(ProtocolViolation) -> [ProtocolConnection.Event] {
        let result: Result<[ProtocolConnection.Event], ProtocolViolation> = state.withLock {
            state in
            var events: [ProtocolConnection.Event] = []
            state.connection.receive(bytes)
            do throws(ProtocolViolation) {
                while let event = try state.connection.nextEvent() { events.append(event) }
                return .success(events)
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Fails whatever waits for an answer.
    private func end(_ failure: ProtocolFailure) {
        let waiting = state.withLock { state in
            state.end = state.end ?? failure
            let waiting = state.waiting.values
            state.waiting = [:]
            return waiting
        }
        for continuation in waiting { continuation.resume(throwing: failure) }
    }

    // MARK: Asking and telling

    /// Takes over the limits the engine announced.
    func adopt(_ limits: ProtocolLimits) { state.withLock { $0.connection.adopt(limits) } }

    /// Makes a request and waits for its answer.
    ///
    /// - Throws: `ProtocolFailure`, with the request's number in its data, so that a failure passed on can be traced.
    func call<Request: WireRequest>(_ request: Request) async throws -> Request.Answer {
        let number = Mutex(0)
        do {
            let result = try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    start(request, continuation) { id in number.withLock { $0 = id } }
                }
            } onCancel: {
                abandon(number.withLock { $0 })
            }
            return try Request.answer(result)
        } catch var failure as ProtocolFailure {
            let id = number.withLock { $0 }
            if id > 0, failure.data["request"] == nil {
                failure.data["request"] = .integer(Int64(id))
            }
            throw failure
        }
    }

    private func start<Request: WireRequest>(
        _ request: Request,
        _ continuation: CheckedContinuation<WireObject, any Error>,
        _ started: (Int) -> Void
    ) {
        let outcome: Result<[[UInt8]], ProtocolFailure> = state.withLock { state in
            if let end = state.end { return .failure(end) }
            if Task.isCancelled {
                return .failure(ProtocolFailure(.cancelled, "the request was given up"))
            }
            do throws(ProtocolFailure) {
                let (id, bytes) = try state.connection.request(
                    Request.method.rawValue,
                    request.members
                )
                started(id)
                state.waiting[id] = continuation
                return .success(bytes)
            } catch { return .failure(error) }
        }
        switch outcome {
        case .success(let bytes): write(bytes)
        case .failure(let failure): continuation.resume(throwing: failure)
        }
    }

    private func abandon(_ id: Int) {
        let (bytes, continuation) = state.withLock { state in
            (state.connection.abandon(id), state.waiting.removeValue(forKey: id))
        }
        continuation?.resume(throwing: CancellationError())
        if let bytes { write(bytes) }
    }

    /// Tells the engine something.
    ///
    /// What is too long to be sent is dropped.
    func notify<Notification: WireNotification>(_ notification: Notification) {
        let bytes = state.withLock { state in
            try? state.connection.notify(Notification.method.rawValue, notification.members)
        }
        if let bytes { write(bytes) }
    }

    /// Answers a request of the engine.
    func answer(_ id: Int, with result: Result<WireObject, ProtocolFailure>) {
        write(state.withLock { $0.connection.answer(id, with: result) })
    }

    /// Writes one message.
    ///
    /// When the engine is gone, nothing needs to be told to it.
    private func write(_ pieces: [[UInt8]]) {
        writing.withLock { _ in
            for piece in pieces {
                var start = 0
                while start < piece.count {
                    let count = unsafe piece.withUnsafeBytes { buffer in
                        unsafe Glibc.write(
                            output,
                            buffer.baseAddress?.advanced(by: start),
                            buffer.count - start
                        )
                    }
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return }
                    start += count
                }
            }
        }
    }
}
