// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import Sandbox

/// The engine's side of one conversation, as a case wants it.
///
/// It serves the pipes on the thread that calls ``run()``, and throws ``ConformanceFailure`` at the first thing the
/// protocol forbids.
final class EngineScript {
    enum Phase {
        case start, handshake, initialized, work, finished
    }

    /// What may wait for a frontend that does not read, beside the answers it may have asked for at a time.
    private static let waitingByteLimit = 192 << 20

    let test: ConformanceCase
    let pipes: FrontendPipes
    let exit: ExitBox
    let timeouts: ConformanceTimeouts
    let sample: Sample?
    private let engine: Wire.Program
    private var connection: ProtocolConnection
    private var form: MessageForm
    private(set) var world: EngineWorld
    private var random: SplitMix
    private(set) var phase = Phase.start
    var record = SessionRecord()

    private(set) var answers: [Int: Result<WireObject, ProtocolFailure>] = [:]
    /// Requests of the frontend that wait for their answers, in the order they came.
    private var open: [(id: Int, method: String, params: WireObject)] = []
    private var usedNumbers: Set<Int> = []
    private var lastActivity = ContinuousClock.now

    var behaviour: EngineBehaviour { test.engine }
    var rule: String { test.rules.first ?? "P-LIFE-02" }

    /// - `sample`: `nil` where no build is asked for.
    /// - `seed`: Decides the order of answers that is shuffled.
    init(
        _ test: ConformanceCase,
        _ sample: Sample?,
        pipes: FrontendPipes,
        exit: ExitBox,
        engine: Wire.Program,
        timeouts: ConformanceTimeouts,
        seed: UInt64
    ) {
        self.test = test
        self.sample = sample
        self.pipes = pipes
        self.exit = exit
        self.engine = engine
        self.timeouts = timeouts
        connection = ProtocolConnection(role: .engine, limits: test.engine.limits)
        form = MessageForm(test.engine)
        world = EngineWorld(test.engine, sample ?? Sample(name: "", content: []))
        random = SplitMix(state: seed)
    }

    /// Has the whole conversation, to the end of the process.
    func run() throws -> SessionRecord {
        do {
            try converse()
        } catch var failure as ConformanceFailure {
            failure.standardError = pipes.lastErrorLines
            throw failure
        }
        record.definitions = world.definitions
        record.standardError = pipes.lastErrorLines
        return record
    }

    private func converse() throws {
        try pause()
        try say(.start)
        if behaviour.close == .start { return try end() }
        let hello = initializeParams()
        if behaviour.close == .insideFrame {
            var bytes = form.bytes(of: ["jsonrpc": "2.0", "id": 1, "method": "initialize", "params": .object(hello)])
            bytes.removeLast(bytes.count / 2)
            pipes.write(bytes)
            return try end()
        }
        phase = .handshake
        let id = try ask(.initialize, hello)
        guard try check(initialize: try answer(to: id, within: timeouts.handshake)) else { return try end() }
        phase = .initialized
        try say(.initialized)
        if behaviour.close == .initialized { return try end() }
        if let sample, test.build != .none {
            record.isIdle = test.work != "build" && !record.provides.contains(test.work)
            if !record.isIdle { try work(sample) }
        }
        try end()
    }

    private func work(_ sample: Sample) throws {
        phase = .work
        let id = try ask(test.work, buildParams(sample))
        try say(.duringBuild)
        if behaviour.close == .duringBuild { return }
        while answers[id] == nil, !(behaviour.close == .request && pipes.inputEnd != nil) {
            try step()
            try checkLife(after: timeouts.silence, asked: test.work)
        }
        guard let answer = answers[id] else { return }
        phase = .finished
        try test.work == "build" ? take(build: answer) : take(work: answer)
    }

    // MARK: Saying

    private func initializeParams() -> WireObject {
        var params: WireObject = [
            "protocol": .array(behaviour.protocolVersions.map { .string($0) }),
            "engine": .object(engine.members),
            "capabilities": .array((behaviour.capabilities ?? EngineWorld.capabilities).map { .string($0) }),
            "llb": .array((behaviour.llbCapabilities ?? LLB.Capability.all.sorted()).map { .string($0) }),
            "limits": .object(behaviour.limits.members),
        ]
        addExtraMembers(to: &params)
        return params
    }

    private func buildParams(_ sample: Sample) -> WireObject {
        var params = Wire.Build(
            fileName: sample.name,
            fileContent: sample.content,
            options: sample.options.merging(["filename": sample.name]) { own, _ in own },
            workerPlatforms: sample.workerPlatforms
        ).members
        addExtraMembers(to: &params)
        return params
    }

    private func addExtraMembers(to params: inout WireObject) {
        for member in behaviour.members.members { params[member.name] = member.value }
        if let count = behaviour.paddedMessageByteCount {
            params["x-padding"] = .string(String(repeating: "p", count: count))
        }
    }

    private func ask(_ method: FrontendProtocol.Method, _ params: WireObject) throws -> Int {
        try ask(method.rawValue, params)
    }

    private func ask(_ method: String, _ params: WireObject, isGivenUp: Bool = false) throws -> Int {
        // The connection keeps the books, the form decides on the bytes.
        let (id, _) = try connection.request(method, params)
        let message: WireObject = [
            "jsonrpc": "2.0", "id": .integer(Int64(id)), "method": .string(method), "params": .object(params),
        ]
        pipes.write(form.bytes(of: message, isGivenUp: isGivenUp))
        lastActivity = .now
        return id
    }

    /// Says what the case wants said at a moment, and sees to the answers.
    private func say(_ moment: ExtraMessage.Moment) throws {
        for message in test.messages where message.moment == moment {
            var id: Int?
            let before = phase
            defer { if phase == .work { phase = before } }
            switch message.content {
            case .request(let method, let params):
                id = try ask(method, params)
                if method == FrontendProtocol.Method.build.rawValue { phase = .work }
            case .notification(let method, let params):
                let members: WireObject = ["jsonrpc": "2.0", "method": .string(method), "params": .object(params)]
                pipes.write(form.bytes(of: members))
            case .raw(let bytes): pipes.write(bytes)
            case .abortedBuild:
                let file = Sample.unknown(byteCount: 100)
                id = try ask("build", buildParams(file), isGivenUp: true)
                phase = .work
            }
            guard let id, let wanted = test.expectation.requestFailure else { continue }
            let answer = try answer(to: id, within: timeouts.handshake)
            switch answer {
            case .failure(let failure) where failure.kind.name == wanted: break
            case .failure(let failure):
                throw ConformanceFailure(
                    .wrongRefusal,
                    rule,
                    "refused with the kind \"\(failure.kind.name)\" instead of \"\(wanted)\" when \(test.summary)"
                )
            case .success:
                throw ConformanceFailure(
                    .wrongRefusal,
                    rule,
                    "answered with a result instead of \"\(wanted)\" when \(test.summary)"
                )
            }
        }
    }

    // MARK: Moving

    /// Waits for an answer of the frontend.
    private func answer(to id: Int, within time: Duration) throws -> Result<WireObject, ProtocolFailure> {
        while true {
            if let answer = answers[id] { return answer }
            try step()
            try checkLife(after: time, asked: phase == .handshake ? "initialize" : "a request")
        }
    }

    /// Moves bytes, and answers what is due.
    private func step() throws {
        let isHolding = !open.isEmpty
        let bytes = pipes.move(within: isHolding ? timeouts.quiet : .milliseconds(50))
        if !bytes.isEmpty {
            lastActivity = .now
            try take(bytes)
        } else if isHolding, pipes.isWritten, ContinuousClock.now - lastActivity >= timeouts.quiet {
            try answerOpen()
        }
    }

    private func take(_ bytes: [UInt8]) throws {
        connection.receive(bytes)
        do {
            while let event = try connection.nextEvent() { try handle(event) }
        } catch let violation as ProtocolViolation {
            throw failure(of: violation)
        }
    }

    private func handle(_ event: ProtocolConnection.Event) throws {
        guard phase != .start else { throw tooEarly("sent a message") }
        switch event {
        case .answer(let id, _, let answer): answers[id] = answer
        case .notification(FrontendProtocol.Method.diagnostic.rawValue, let params):
            record.diagnostics.append(json(.object(params)))
        case .notification: break
        case .refused(_, let failure, let bytes):
            if failure.kind == .tooManyRequests {
                throw ConformanceFailure(
                    .tooManyRequests,
                    "P-MSG-08",
                    "has more than \(behaviour.limits.inFlight) requests open"
                )
            }
            pipes.write(Array(bytes.joined()))
        case .request(let id, let method, let params):
            guard phase == .work || phase == .finished else { throw tooEarly("asked for \(shown(method.utf8))") }
            guard usedNumbers.insert(id).inserted else {
                throw ConformanceFailure(.identifier, "P-MSG-02", "used the number \(id) for two of its requests")
            }
            record.callCounts[method, default: 0] += 1
            open.append((id, method, params))
            if behaviour.close == .request {
                pipes.closeInput()
            } else if behaviour.order == .asked, behaviour.limits.inFlight >= ProtocolLimits.standard.inFlight {
                try answerOpen()
            }
        }
    }

    private func tooEarly(_ deed: String) -> ConformanceFailure {
        ConformanceFailure(
            .tooEarly,
            "P-LIFE-01",
            "\(deed) before it was asked to \(phase == .start ? "initialize" : "build")"
        )
    }

    /// Answers all that is open, in the order the case wants.
    private func answerOpen() throws {
        var requests = open
        open = []
        switch behaviour.order {
        case .asked: break
        case .reversed: requests.reverse()
        case .shuffled: requests.shuffle(using: &random)
        }
        for request in requests {
            let result: Result<WireObject, ProtocolFailure>
            do {
                result = .success(try world.answer(request.method, request.params))
            } catch let failure as ProtocolFailure {
                result = .failure(failure)
            } catch {
                result = .failure(ProtocolFailure(.internalError, "\(error)"))
            }
            write(result, for: request.id)
        }
        // What an answer took to make is not the frontend's silence.
        lastActivity = .now
    }

    private func write(_ result: Result<WireObject, ProtocolFailure>, for id: Int) {
        _ = connection.answer(id, with: result)
        var message: WireObject = ["jsonrpc": "2.0", "id": .integer(Int64(id))]
        switch result {
        case .success(var members):
            for member in behaviour.answerMembers.members { members[member.name] = member.value }
            message["result"] = .object(members)
        case .failure(let failure):
            let code: Int64 = failure.kind == .unsupported ? -32601 : failure.kind == .invalidParams ? -32602 : -32000
            var data = behaviour.answerMembers
            data["kind"] = .string(failure.kind.name)
            message["error"] = ["code": .integer(code), "message": .string(failure.message), "data": .object(data)]
        }
        pipes.write(form.bytes(of: message))
    }

    // MARK: Life

    /// Says nothing for as long as the case wants, and hears whether the frontend does so too.
    private func pause() throws {
        guard let milliseconds = behaviour.pauseMilliseconds else { return }
        let until = ContinuousClock.now + .milliseconds(milliseconds)
        while ContinuousClock.now < until {
            try step()
            if pipes.outputByteCount > 0 { throw tooEarly("wrote to stdout") }
            if pipes.isOutputEnded { throw ended("the engine had said anything") }
        }
    }

    private func checkLife(after time: Duration, asked: String) throws {
        if pipes.isOutputEnded { throw ended("it had answered \(asked == "a request" ? asked : "\"\(asked)\"")") }
        let now = ContinuousClock.now
        if !pipes.isWritten, now - pipes.lastTaken > time || pipes.waitingByteCount > Self.waitingByteLimit {
            let how = "has not read its stdin for \(now - pipes.lastTaken)"
            throw ConformanceFailure(.slowReader, "P-LIFE-06", "\(how): \(pipes.waitingByteCount) bytes wait")
        }
        guard now - lastActivity > time else { return }
        if phase == .handshake {
            throw ConformanceFailure(.noHandshake, "P-LIFE-07", "did not answer \"initialize\" within \(time)")
        }
        let what = asked == "a request" ? asked : "\"\(asked)\""
        throw ConformanceFailure(
            phase == .work ? .silent : .wrongRefusal,
            phase == .work ? "P-LIFE-07" : rule,
            "did not answer \(what) within \(time), although the engine owed it nothing"
        )
    }

    /// The process let go of its stdout too early.
    private func ended(_ moment: String) -> ConformanceFailure {
        let deadline = ContinuousClock.now + .seconds(1)
        while exit.result == nil, ContinuousClock.now < deadline { _ = pipes.move(within: .milliseconds(10)) }
        if case .failure(let error)? = exit.result {
            return ConformanceFailure(.notStarted, "P-LIFE-02", "cannot be started: \(error)")
        }
        guard case .success(let status)? = exit.result else {
            return ConformanceFailure(.exited, "P-ID-02", "closed its stdout before \(moment)")
        }
        if let reason = status.executionFailure {
            return ConformanceFailure(.notStarted, "P-LIFE-02", "cannot be run: \(reason)")
        }
        if status.isOutOfMemory {
            return ConformanceFailure(.outOfMemory, "P-BOX-03", "was killed because it used more memory than it may")
        }
        let how = status.signal.map { "was ended by signal \($0)" } ?? "exited with status \(status.exitCode)"
        return ConformanceFailure(.exited, "P-ID-02", "\(how) before \(moment)")
    }

    /// Ends stdin and waits for the process to go.
    private func end() throws {
        pipes.closeInput()
        let start = ContinuousClock.now
        while !pipes.isOutputEnded {
            let bytes = pipes.move(within: .milliseconds(20))
            if !bytes.isEmpty { try take(bytes) }
            if ContinuousClock.now - (pipes.inputEnd ?? start) > timeouts.exit, !pipes.isOutputEnded {
                throw ConformanceFailure(
                    .staysAfterEnd,
                    "P-LIFE-05",
                    "still runs \(timeouts.exit) after the end of its stdin (\(test.summary))"
                )
            }
        }
        // What is left is the teardown, or a process that closed its stdout and stays.
        let deadline = ContinuousClock.now + timeouts.exit + .seconds(3)
        while exit.result == nil {
            _ = pipes.move(within: .milliseconds(5))
            if ContinuousClock.now > deadline {
                throw ConformanceFailure(.staysAfterEnd, "P-LIFE-05", "closed its stdout and still runs")
            }
        }
        if case .success(let status)? = exit.result {
            if let reason = status.executionFailure {
                throw ConformanceFailure(.notStarted, "P-LIFE-02", "cannot be run: \(reason)")
            }
            if status.isOutOfMemory { throw ended("its end") }
        }
        if test.expectation.build != .end {
            do throws(ProtocolViolation) { try connection.finish() } catch { throw failure(of: error) }
        }
    }
}
