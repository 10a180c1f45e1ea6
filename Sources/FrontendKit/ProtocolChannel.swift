// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Glibc
internal import Synchronization

/// The two ends of pipes that carry the protocol, with the connection's state between them.
///
/// One thread reads; any may write. Writing blocks: an engine always reads.
final class ProtocolChannel: Sendable {
    private typealias Answer = Result<WireObject, ProtocolFailure>

    /// A request that waits until the session allows another one.
    private struct Queued {
        let ticket: Int
        let method: String
        let params: WireObject
        let continuation: CheckedContinuation<WireObject, any Error>
    }

    private struct State {
        var connection = ProtocolConnection(role: .frontend)
        var waiting: [Int: CheckedContinuation<WireObject, any Error>] = [:]
        var queue: [Queued] = []
        var lastTicket = 0
        /// Numbers of the requests that were sent, by ticket.
        var numbers: [Int: Int] = [:]
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
            // Whatever came may have made room for another request.
            sendQueued()
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
            let waiting = Array(state.waiting.values) + state.queue.map(\.continuation)
            state.waiting = [:]
            state.queue = []
            return waiting
        }
        for continuation in waiting { continuation.resume(throwing: failure) }
    }

    // MARK: Asking and telling

    /// Takes over the limits the engine announced.
    func adopt(_ limits: ProtocolLimits) { state.withLock { $0.connection.adopt(limits) } }

    /// Makes a request and waits for its answer.
    ///
    /// It waits before it is sent, too, while the session's limit of open requests is reached.
    ///
    /// - Throws: `ProtocolFailure`, with the request's number in its data, so that a failure passed on can be traced.
    func call<Request: WireRequest>(_ request: Request) async throws -> Request.Answer {
        let ticket = state.withLock { state in
            state.lastTicket += 1
            return state.lastTicket
        }
        defer { state.withLock { $0.numbers[ticket] = nil } }
        do {
            let result = try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    start(
                        Queued(
                            ticket: ticket,
                            method: Request.method.rawValue,
                            params: request.members,
                            continuation: continuation
                        )
                    )
                }
            } onCancel: {
                abandon(ticket)
            }
            return try Request.answer(result)
        } catch var failure as ProtocolFailure {
            if let id = state.withLock({ $0.numbers[ticket] }), failure.data["request"] == nil {
                failure.data["request"] = .integer(Int64(id))
            }
            throw failure
        }
    }

    private func start(_ request: Queued) {
        let refusal = state.withLock { state -> ProtocolFailure? in
            if let end = state.end { return end }
            if Task.isCancelled { return ProtocolFailure(.cancelled, "the request was given up") }
            state.queue.append(request)
            return nil
        }
        if let refusal { request.continuation.resume(throwing: refusal) }
        sendQueued()
    }

    /// Sends what waits, as far as the session allows.
    private func sendQueued() {
        while let (request, outcome) = nextToSend() {
            switch outcome {
            case .success(let bytes): write(bytes)
            case .failure(let failure): request.continuation.resume(throwing: failure)
            }
        }
    }

    private func nextToSend() -> (Queued, Result<[[UInt8]], ProtocolFailure>)? {
        state.withLock { state in
            guard !state.queue.isEmpty, state.connection.openCount < state.connection.limits.inFlight else {
                return nil
            }
            let request = state.queue.removeFirst()
            do throws(ProtocolFailure) {
                let (id, bytes) = try state.connection.request(request.method, request.params)
                state.waiting[id] = request.continuation
                state.numbers[request.ticket] = id
                return (request, .success(bytes))
            } catch { return (request, .failure(error)) }
        }
    }

    private func abandon(_ ticket: Int) {
        let (bytes, continuation) = state.withLock { state in
            if let index = state.queue.firstIndex(where: { $0.ticket == ticket }) {
                return (nil as [[UInt8]]?, state.queue.remove(at: index).continuation as CheckedContinuation?)
            }
            guard let id = state.numbers[ticket] else { return (nil, nil) }
            return (state.connection.abandon(id), state.waiting.removeValue(forKey: id))
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
