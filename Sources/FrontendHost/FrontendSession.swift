// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LinuxSystem
internal import Sandbox
internal import Synchronization

/// One conversation with one running frontend.
///
/// Three threads move bytes: one always reads stdout, one writes stdin, one reads stderr. Requests of the frontend run as
/// tasks. Whatever ends the conversation goes through ``fail(_:)``, of which only the first call counts; the process is
/// then killed, so every thread and task comes to its end.
final class FrontendSession<Bridge: FrontendBridge>: Sendable {
    /// How much text of frontends is shown at most, in bytes; a flood ends here.
    private static var logByteLimit: Int { 16 << 20 }
    /// How many diagnostics and progress messages are passed on at most.
    private static var noticeCountMax: Int { 100_000 }
    /// How much of stray text is gathered for the error, in bytes.
    private static var strayByteLimit: Int { 4096 }

    /// Where the conversation is.
    ///
    /// Messages show the raw value.
    enum Phase: String, Sendable {
        /// `initialize` is not answered yet; ``build`` follows.
        case handshake
        /// The work is asked for; ``finished`` follows.
        case build
        /// The result is here; the process should exit.
        case finished
    }

    private typealias Answer = Result<WireObject, ProtocolFailure>

    private struct State {
        var connection: ProtocolConnection
        var phase = Phase.handshake
        var failure: SessionFailure?
        /// Our requests that wait for their answers.
        var waiting: [Int: CheckedContinuation<Answer, any Error>] = [:]
        /// The frontend's requests that are being worked on.
        var handlers: [Int: Task<Void, Never>] = [:]
        /// Errors of the bridge, by the request they failed.
        var causes: [Int: any Error] = [:]
        var lastMethod: String?
        var lastActivity = ContinuousClock.now
        var isSilenceTold = false
        var logByteCount = 0
        var noticeCount = 0
        var frontend: Wire.Program?
    }

    let errors: StandardErrorCapture
    private let process: SandboxProcess
    private let bridge: Bridge
    private let timeouts: FrontendTimeouts
    private let limits: ProtocolLimits
    private let outgoing = OutgoingQueue()
    private let handler: RequestHandler<Bridge>
    private let recorder: SessionRecorder?
    private let trace: SessionTrace?
    private let state: Mutex<State>

    /// - Parameters:
    ///   - buildFile: What definitions of this session may quote without sending it.
    ///   - recorder: Hears everything that decides the result.
    init(
        process: SandboxProcess,
        bridge: Bridge,
        timeouts: FrontendTimeouts,
        limits: ProtocolLimits,
        buildFile: RequestHandler<Bridge>.BuildFile? = nil,
        recorder: SessionRecorder? = nil,
        trace: SessionTrace? = nil
    ) {
        self.process = process
        self.bridge = bridge
        self.timeouts = timeouts
        self.limits = limits
        self.recorder = recorder
        self.trace = trace
        handler = RequestHandler(bridge: bridge, limits: limits, outgoing: outgoing, buildFile: buildFile)
        state = Mutex(State(connection: ProtocolConnection(role: .engine, limits: limits)))
        errors = StandardErrorCapture { line in
            let entry = FrontendLogEntry(origin: .standardError, level: .info, text: line)
            recorder?.add(entry)
            bridge.log(entry)
        }
    }

    var refs: RefTable<Bridge.Ref> { handler.refs }
    var phase: Phase { state.withLock { $0.phase } }
    var failure: SessionFailure? { state.withLock { $0.failure } }
    /// What the frontend calls itself, once it has said so.
    var frontend: Wire.Program? { state.withLock { $0.frontend } }
    /// The last request it made.
    var lastMethod: String? { state.withLock { $0.lastMethod } }

    /// The error of the bridge behind a failure the frontend passes on.
    func cause(of failure: ProtocolFailure) -> (any Error)? {
        guard case .integer(let id)? = failure.data["request"] else { return nil }
        return state.withLock { $0.causes[Int(id)] }
    }

    // MARK: The conversation

    /// Shakes hands, asks for the work and gives its answer.
    ///
    /// - Parameters:
    ///   - expected: What the frontend must call itself; `nil` accepts any.
    ///   - work: `build`, or a question that is asked only when the frontend provides it.
    ///   - accept: Checks the answer while it still belongs to the session.
    /// - Throws: ``SessionFailure``; `ProtocolFailure` when the frontend answers the work with an error, or does not
    ///   provide it.
    func converse<Work: WireRequest, Value>(
        engine: Wire.Program,
        expected: Wire.Program?,
        work: Work,
        accept: (Work.Answer) throws(SessionFailure) -> Value
    ) async throws -> Value {
        let hello = try await greet(engine)
        if let expected, hello.frontend != expected {
            throw fail(
                SessionFailure(
                    .incompatible,
                    """
                    says that it is \(printable("\(hello.frontend.name) \(hello.frontend.version)".utf8.prefix(200))), \
                    but its package is \(expected.name) \(expected.version)
                    """
                )
            )
        }
        state.withLock { state in
            state.frontend = hello.frontend
            trace?.begin(hello.version, hello.frontend)
            state.phase = .build
            state.lastActivity = .now
        }
        guard Work.method == .build || hello.provides.contains(Work.method.rawValue) else {
            let program = printable("\(hello.frontend.name) \(hello.frontend.version)".utf8.prefix(200))
            throw ProtocolFailure(.unsupported, "\(program) does not answer \"\(Work.method.rawValue)\"")
        }
        let answer = try await call(work)
        let value: Value
        do throws(SessionFailure) {
            value = try accept(answer)
        } catch {
            throw fail(error)
        }
        state.withLock { $0.phase = .finished }
        return value
    }

    private func greet(_ engine: Wire.Program) async throws -> Wire.Initialize.Answer {
        let request = Wire.Initialize(engine: engine, bridge: bridge, limits: limits)
        let hello: Wire.Initialize.Answer
        do {
            hello = try await call(request)
        } catch let refusal as ProtocolFailure {
            throw fail(SessionFailure(.incompatible, "refuses to work: \(refusal.message)"))
        }
        let fits = request.versions.contains {
            $0.major == hello.version.major && hello.version.minor <= $0.minor
        }
        guard fits else {
            let spoken = request.versions.map(\.description).joined(separator: ", ")
            throw fail(
                SessionFailure(
                    .incompatible,
                    "chose protocol \(hello.version), which was not offered; this engine speaks \(spoken)"
                )
            )
        }
        return hello
    }

    /// Makes a request and waits for its answer.
    private func call<Request: WireRequest>(_ request: Request) async throws -> Request.Answer {
        let answer = try await withCheckedThrowingContinuation { continuation in
            let refusal = state.withLock { state -> (any Error)? in
                if let failure = state.failure { return failure }
                do {
                    let (id, pieces) = try state.connection.request(
                        Request.method.rawValue,
                        request.members
                    )
                    state.waiting[id] = continuation
                    _ = outgoing.add(pieces)
                    return nil
                } catch { return error }
            }
            if let refusal { continuation.resume(throwing: refusal) }
        }
        do {
            return try Request.answer(answer.get())
        } catch let violation as ProtocolViolation {
            throw fail(SessionFailure(violation))
        }
    }

    /// Ends the conversation for a reason; kills the process.
    ///
    /// - Returns: The failure that counts: the first one.
    @discardableResult
    func fail(_ failure: SessionFailure) -> SessionFailure {
        let (first, waiting) = state.withLock { state in
            let first = state.failure ?? failure
            if state.phase != .finished { state.failure = first }
            let waiting = state.waiting.values
            state.waiting = [:]
            return (first, waiting)
        }
        for continuation in waiting { continuation.resume(throwing: first) }
        outgoing.close()
        process.kill()
        return first
    }

    /// Tells the frontend that its build is given up.
    ///
    /// Whoever cancels kills it a little later.
    func sendCancel() {
        state.withLock { state in
            for id in state.waiting.keys {
                let pieces = try? state.connection.notify(
                    Method.cancel.rawValue,
                    Wire.Cancel(id: Int64(id)).members
                )
                _ = outgoing.add(pieces ?? [])
            }
        }
    }

    /// Lets the frontend see the end of its stdin, once all is written.
    func closeInput() { outgoing.close() }

    /// Ends all work on the frontend's requests and waits for it.
    func cancelRequests() async {
        while true {
            let tasks = state.withLock { Array($0.handlers.values) }
            if tasks.isEmpty { return }
            for task in tasks { task.cancel() }
            for task in tasks { await task.value }
        }
    }

    // MARK: Threads

    /// Starts the three threads.
    func startThreads() throws(SystemCallError) -> (
        reader: DedicatedThread, writer: DedicatedThread, errors: DedicatedThread
    ) {
        (
            reader: try DedicatedThread { self.read() },
            writer: try DedicatedThread { self.write() },
            errors: try DedicatedThread { self.errors.run(from: self.process.standardError) }
        )
    }

    private func write() {
        if let input = process.standardInput {
            outgoing.run(to: input, willWrite: { trace?.willWrite($0) }) { state.withLock { $0.lastActivity = .now } }
        }
        process.closeStandardInput()
    }

    /// Reads stdout to its end, whatever else happens.
    ///
    /// After a failure the bytes are thrown away.
    private func read() {
        let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
        defer { unsafe chunk.deallocate() }
        let output = process.standardOutput
        while true {
            guard let count = unsafe try? output.read(into: chunk), count > 0 else { return }
            let bytes = unsafe Array(chunk[0..<count])
            trace?.didRead(bytes)
            let (events, violation) = take(bytes)
            for event in events { handle(event) }
            guard let violation else { continue }
            if violation.code == .text {
                fail(SessionFailure(gatherStrayText(violation, from: output)))
            } else {
                fail(SessionFailure(violation))
            }
        }
    }

    private func take(_ bytes: [UInt8]) -> ([ProtocolConnection.Event], ProtocolViolation?) {
        state.withLock { state in
            guard state.failure == nil else { return ([], nil) }
            state.lastActivity = .now
            state.isSilenceTold = false
            var events: [ProtocolConnection.Event] = []
            do throws(ProtocolViolation) {
                state.connection.receive(bytes)
                while let event = try state.connection.nextEvent() { events.append(event) }
                return (events, nil)
            } catch {
                return (events, error)
            }
        }
    }

    /// Gives stray text a moment to become a whole sentence.
    private func gatherStrayText(
        _ violation: ProtocolViolation,
        from output: Descriptor
    ) -> ProtocolViolation {
        var sample = violation.sample
        var chunk = [UInt8](repeating: 0, count: 1024)
        let end = ContinuousClock.now + .milliseconds(100)
        while sample.count < Self.strayByteLimit, ContinuousClock.now < end {
            let ready = try? pollReadable([output], timeout: .milliseconds(20))
            guard ready?.first == true else { continue }
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe try? output.read(into: $0) }
            guard let count, count > 0 else { break }
            sample += chunk[0..<count]
        }
        return ProtocolViolation(violation.code, violation.message, sample: sample)
    }

    // MARK: Events

    private func handle(_ event: ProtocolConnection.Event) {
        switch event {
        case .answer(let id, _, let answer):
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: answer)
        case .request(let id, let method, let params): start(id, method, params)
        case .refused(let method, _, let bytes):
            // Whether a limit is met depends on who was faster.
            recorder?.spoil()
            state.withLock { $0.lastMethod = String(method.prefix(80)) }
            send(bytes)
        case .notification(let method, let params): notice(method, params)
        }
    }

    private func start(_ id: Int, _ method: String, _ params: WireObject) {
        let isOver = state.withLock { state in
            state.lastMethod = String(method.prefix(80))
            if state.phase == .build, state.failure == nil {
                // The task takes the lock before it ends, so it is listed by then.
                state.handlers[id] = Task {
                    await handler.answer(method, params) { result, cause in
                        recorder?.add(method, params, result)
                        answer(id, result, cause)
                    }
                }
                return false
            }
            return true
        }
        guard isOver else { return }
        let reason = ProtocolFailure(.cancelled, "no build is going on")
        answer(id, .failure(reason), nil)
    }

    private func answer(_ id: Int, _ result: Answer, _ cause: (any Error)?) {
        let isQueued = state.withLock { state in
            state.handlers[id] = nil
            state.lastActivity = .now
            if let cause, state.causes.count < 256 { state.causes[id] = cause }
            return outgoing.add(state.connection.answer(id, with: result))
        }
        if !isQueued { failSlowReader() }
    }

    private func send(_ pieces: [[UInt8]]) {
        if !outgoing.add(pieces) { failSlowReader() }
    }

    private func failSlowReader() {
        fail(
            SessionFailure(
                .slowReader,
                "does not read its stdin: more than \(OutgoingQueue.byteLimit) bytes wait for it"
            )
        )
    }

    /// Passes a notification on; runs on the reading thread, which slows a flood down.
    ///
    /// What is malformed or unknown is dropped, as the protocol demands.
    private func notice(_ method: String, _ params: WireObject) {
        switch Method(rawValue: method) {
        case .log:
            guard let log = try? Wire.Log(params: params) else { return }
            guard admit({ $0.logByteCount += log.message.utf8.count + 1 }) else { return }
            let entry = FrontendLogEntry(origin: .message, level: log.level, text: log.message)
            recorder?.add(entry)
            bridge.log(entry)
        case .diagnostic:
            guard let diagnostic = try? Diagnostic(params: params) else { return }
            guard admit({ $0.noticeCount += 1 }) else { return }
            recorder?.add(diagnostic)
            bridge.diagnostic(diagnostic)
        case .progress:
            guard let progress = try? Wire.Progress(params: params) else { return }
            if admit({ $0.noticeCount += 1 }) { bridge.progress(progress) }
        case .cancel:
            guard let cancel = try? Wire.Cancel(params: params) else { return }
            state.withLock { $0.handlers[Int(cancel.id)] }?.cancel()
        default: return
        }
    }

    /// Counts a notice and tells whether it may still be passed on.
    private func admit(_ count: (inout State) -> Void) -> Bool {
        let (isAdmitted, isFirstRefusal) = state.withLock { state in
            let wasAdmitted = Self.isWithinLimits(state)
            count(&state)
            let isAdmitted = Self.isWithinLimits(state)
            return (isAdmitted, wasAdmitted && !isAdmitted)
        }
        if isFirstRefusal { tell("floods the log; nothing more of it is shown") }
        return isAdmitted
    }

    private static func isWithinLimits(_ state: State) -> Bool {
        state.logByteCount <= logByteLimit && state.noticeCount <= noticeCountMax
    }

    /// Adds a line of the host's own to the log.
    func tell(_ text: String) {
        let name = frontend?.name ?? "the frontend"
        let entry = FrontendLogEntry(origin: .host, level: .warning, text: "\(name) \(text)")
        recorder?.add(entry)
        bridge.log(entry)
    }

    // MARK: Time

    /// Watches the clock until it is cancelled.
    func watch(deadline: Duration?) async {
        let start = ContinuousClock.now
        while !Task.isCancelled {
            try? await Task.sleep(for: timeouts.tick)
            let now = ContinuousClock.now
            if let failure = overdue(at: now, after: now - start, deadline: deadline) {
                fail(failure)
                return
            }
            if isSilenceToTell(at: now) {
                tell("has been silent for \(timeouts.silenceWarning) while nothing was owed to it")
            }
        }
    }

    private func overdue(
        at now: ContinuousClock.Instant,
        after elapsed: Duration,
        deadline: Duration?
    ) -> SessionFailure? {
        let (phase, silence, frameCount) = state.withLock { state in
            (state.phase, Self.silence(of: state, at: now), state.connection.frameCount)
        }
        if phase == .finished { return nil }
        if let deadline, elapsed > deadline {
            return SessionFailure(.deadline, "did not finish within \(deadline)")
        }
        if outgoing.blockedDuration(at: now) > timeouts.blockedWrite {
            return SessionFailure(
                .slowReader,
                "has not read its stdin for \(timeouts.blockedWrite)"
            )
        }
        if phase == .handshake {
            guard elapsed > timeouts.handshake else { return nil }
            return SessionFailure(
                .noHandshake,
                """
                did not answer "initialize" within \(timeouts.handshake) \
                (it runs, and sent \(frameCount) frames)
                """
            )
        }
        guard silence > timeouts.silence else { return nil }
        return SessionFailure(
            .silent,
            "has been silent for \(timeouts.silence) while the engine owed it nothing"
        )
    }

    private func isSilenceToTell(at now: ContinuousClock.Instant) -> Bool {
        state.withLock { state in
            guard state.phase == .build, !state.isSilenceTold,
                Self.silence(of: state, at: now) > timeouts.silenceWarning
            else { return false }
            state.isSilenceTold = true
            return true
        }
    }

    /// For how long nothing moved while the engine owed the frontend no answer.
    private static func silence(
        of state: State,
        at now: ContinuousClock.Instant
    ) -> Duration {
        state.connection.owedCount > 0 ? .zero : now - state.lastActivity
    }
}

extension Wire.Initialize {
    /// What an engine says first.
    init(engine: Wire.Program, bridge: some FrontendBridge, limits: ProtocolLimits) {
        self.init(
            engine: engine,
            capabilities: bridge.capabilities,
            llbCapabilities: bridge.llbCapabilities.sorted(),
            limits: limits
        )
    }
}
