// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Synchronization

/// The frontend's side of a session: answers `initialize` and the work request, sees to `cancel` and to the end.
final class FrontendServer: Sendable {
    private struct State {
        var hello: Wire.Initialize?
        /// The one work request, a build or a question.
        var work: (id: Int, task: Task<Void, Never>)?
    }

    private let channel: ProtocolChannel
    private let program: Wire.Program
    private let handler: FrontendMain.Handler
    private let questions: FrontendQuestions
    private let executor: FrontendExecutor
    private let state = Mutex(State())

    init(
        channel: ProtocolChannel,
        program: Wire.Program,
        executor: FrontendExecutor,
        handler: @escaping FrontendMain.Handler,
        questions: FrontendQuestions
    ) {
        self.channel = channel
        self.program = program
        self.executor = executor
        self.handler = handler
        self.questions = questions
    }

    /// Serves until the engine closes its end.
    ///
    /// - Returns: The process's exit status.
    func serve() -> Int32 {
        do throws(ProtocolViolation) {
            try channel.read { event in handle(event) }
            return 0
        } catch {
            print("\(program.name): the engine broke the protocol: \(error)")
            return 76
        }
    }

    private func handle(_ event: ProtocolConnection.Event) {
        switch event {
        case .request(let id, Method.initialize.rawValue, let params):
            channel.answer(id, with: initialize(params))
        case .request(let id, let method, let params):
            if let answer = work(for: method) {
                start(id, method, params, answer)
            } else {
                let failure = ProtocolFailure(.unsupported, "no method \"\(method)\" in this frontend")
                channel.answer(id, with: .failure(failure))
            }
        case .notification(Method.cancel.rawValue, let params):
            guard let cancel = try? Wire.Cancel(params: params) else { return }
            let work = state.withLock { $0.work }
            if let work, Int64(work.id) == cancel.id { work.task.cancel() }
        default: return
        }
    }

    private func initialize(_ params: WireObject) -> Result<WireObject, ProtocolFailure> {
        do throws(ProtocolFailure) {
            let request = try Wire.Initialize(params: params)
            guard let version = ProtocolVersion.negotiate(offered: request.versions) else {
                let spoken = ProtocolVersion.spoken.map(\.description)
                throw ProtocolFailure(
                    .incompatible,
                    "speaks protocol \(spoken.joined(separator: ", ")), none of which the engine offers",
                    data: ["supported": .array(spoken.map { .string($0) })]
                )
            }
            channel.adopt(request.limits)
            state.withLock { $0.hello = request }
            let hello = Wire.Initialize.Answer(
                version: version,
                frontend: program,
                provides: questions.methods.map(\.rawValue)
            )
            return .success(hello.members)
        } catch {
            return .failure(error)
        }
    }

    /// What answers a work request; `nil` for a method that is none here.
    private func work(for name: String) -> FrontendQuestions.Handler<WireObject>? {
        guard let method = Method(rawValue: name) else { return nil }
        guard method == .build else { return questions.handler(for: method) }
        return { [handler, questions] session, request in
            if let answer = try await questions.subrequestAnswer(session, request) { return answer.wire.members }
            return try await handler(session, request).wire.members
        }
    }

    private func start(
        _ id: Int,
        _ method: String,
        _ params: WireObject,
        _ work: @escaping FrontendQuestions.Handler<WireObject>
    ) {
        let request: BuildRequest
        do throws(ProtocolFailure) {
            request = try BuildRequest(Wire.Build(params: params))
        } catch {
            channel.answer(id, with: .failure(error))
            return
        }
        let refusal = state.withLock { state -> ProtocolFailure? in
            guard let hello = state.hello else {
                return ProtocolFailure(.invalidParams, "\"\(method)\" before \"initialize\"")
            }
            guard state.work == nil else {
                return ProtocolFailure(.unsupported, "one process does one piece of work")
            }
            let session = FrontendSession(channel: channel, hello: hello)
            let task = Task(executorPreference: executor) {
                await self.answer(id) { try await work(session, request) }
            }
            state.work = (id, task)
            return nil
        }
        if let refusal { channel.answer(id, with: .failure(refusal)) }
    }

    private func answer(_ id: Int, _ work: () async throws -> WireObject) async {
        do {
            let result = try await work()
            channel.answer(id, with: .success(result))
        } catch {
            channel.answer(id, with: .failure(failure(of: error)))
        }
    }

    private func failure(of error: any Error) -> ProtocolFailure {
        switch error {
        case let error as BuildError: error.failure
        case let problems as SourceProblems: problems.buildError.failure
        case let problem as SourceProblem: ProtocolFailure(.buildFile, problem.rendered)
        case let failure as ProtocolFailure: failure
        case is CancellationError: ProtocolFailure(.cancelled, "the build was given up")
        default: ProtocolFailure(.internalError, "\(program.name): \(error)")
        }
    }
}
