// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import LinuxSystem
internal import Sandbox

/// One run of a frontend's process around its session: start of the threads, shutdown, and the error's text.
struct FrontendRun<Bridge: FrontendBridge>: Sendable {
    let program: FrontendProgram
    let session: FrontendSession<Bridge>
    let process: SandboxProcess
    let bridge: Bridge
    let timeouts: FrontendTimeouts
    let trace: SessionTrace?

    /// Has the frontend do a build.
    ///
    /// When this returns, threads and tasks are gone, and the process is.
    ///
    /// - Returns: The result, and the members of the answer it was made of.
    func result(
        engine: Wire.Program,
        request: FrontendBuildRequest<Bridge.Ref>,
        relay: CancellationRelay
    ) async throws -> (result: FrontendResult<Bridge.Ref>, answer: WireObject) {
        let build = try request.wire(refs: session.refs)
        return try await perform(build, engine: engine, deadline: request.deadline, relay: relay) {
            answer throws(SessionFailure) in
            let frontend = session.frontend ?? Wire.Program(name: program.name, version: "")
            return (try session.refs.take(answer, of: frontend), answer.members)
        }
    }

    /// Asks the frontend about a build file; otherwise as ``result(engine:request:relay:)``.
    func answer<Answer: WorkAnswer>(
        engine: Wire.Program,
        request: FrontendBuildRequest<Bridge.Ref>,
        relay: CancellationRelay
    ) async throws -> Answer {
        let work = Wire.Describe<Answer>(build: try request.wire(refs: session.refs))
        return try await perform(work, engine: engine, deadline: request.deadline, relay: relay) {
            answer throws(SessionFailure) in answer
        }
    }

    private func perform<Work: WireRequest, Value: Sendable>(
        _ work: Work,
        engine: Wire.Program,
        deadline: Duration?,
        relay: CancellationRelay,
        accept: (Work.Answer) throws(SessionFailure) -> Value
    ) async throws -> Value {
        let exit = Task { [process] in try await process.wait() }
        let threads: (reader: DedicatedThread, writer: DedicatedThread, errors: DedicatedThread)
        do {
            threads = try session.startThreads()
        } catch {
            process.kill()
            throw FrontendHostError(
                .notStarted,
                "F115 \(program.name) cannot be started: \(error)",
                fault: .environment,
                cause: error
            )
        }
        let outcome = await withTaskGroup(of: Void.self) { group in
            group.addTask { await session.watch(deadline: deadline) }
            group.addTask {
                await threads.reader.join()
                await outputEnded(exit)
            }
            relay.onCancel { cancel() }
            let outcome: Result<Value, any Error>
            do {
                let value = try await session.converse(
                    engine: engine,
                    expected: expected,
                    work: work,
                    accept: accept
                )
                // An answer to what nobody waits for any more is none.
                if relay.isCancelled { throw CancellationError() }
                outcome = .success(value)
                await shutDown(exit)
            } catch {
                outcome = .failure(error)
                await end(exit)
            }
            group.cancelAll()
            return outcome
        }
        await session.cancelRequests()
        await threads.writer.join()
        await threads.errors.join()
        return try await finish(outcome, exit, relay)
    }

    /// What a packaged frontend must call itself.
    private var expected: Wire.Program? {
        program.version.map { Wire.Program(name: program.name, version: $0) }
    }

    // MARK: The end of the process

    /// The frontend let go of its stdout.
    ///
    /// Before a result that is a failure, whose words need the exit status.
    private func outputEnded(_ exit: Task<SandboxResult, any Error>) async {
        guard session.phase != .finished, session.failure == nil else { return }
        let (result, wasKilled) = await waitOrKill(exit, after: .milliseconds(500))
        guard case .success(let status) = result else {
            session.fail(SessionFailure(.notStarted, "cannot be started"))
            return
        }
        session.fail(.exit(status, wasKilled: wasKilled))
    }

    /// After a result: stdin ends, and the frontend has a while to exit.
    private func shutDown(_ exit: Task<SandboxResult, any Error>) async {
        session.closeInput()
        let (result, wasKilled) = await waitOrKill(exit, after: timeouts.exit)
        if wasKilled {
            session.tell("did not exit within \(timeouts.exit) after its result, and was killed")
        } else if case .success(let status) = result, !status.isSuccess, !status.isOutOfMemory {
            session.tell("gave its result, but then exited with status \(status.exitCode)")
        }
    }

    /// After a failure: nothing is waited for.
    private func end(_ exit: Task<SandboxResult, any Error>) async {
        session.closeInput()
        // A frontend that answered with an error may exit by itself, so that its stderr is complete.
        let grace: Duration = session.failure == nil ? min(timeouts.exit, .seconds(1)) : .zero
        _ = await waitOrKill(exit, after: grace)
    }

    private func waitOrKill(
        _ exit: Task<SandboxResult, any Error>,
        after grace: Duration
    ) async -> (Result<SandboxResult, any Error>, wasKilled: Bool) {
        let killer = Task { [process] in
            try await Task.sleep(for: grace)
            process.kill()
            return true
        }
        let result = await exit.result
        killer.cancel()
        return (result, (try? await killer.value) ?? false)
    }

    /// Tells the frontend, and kills it a little later if that did not help.
    private func cancel() {
        session.sendCancel()
        Task { [session, timeouts] in
            try? await Task.sleep(for: timeouts.cancellation)
            session.fail(SessionFailure(.cancelled, "was given up"))
        }
    }

    // MARK: The outcome

    private func finish<Value>(
        _ outcome: Result<Value, any Error>,
        _ exit: Task<SandboxResult, any Error>,
        _ relay: CancellationRelay
    ) async throws -> Value {
        let status = await exit.result
        defer {
            let end = try? status.get()
            trace?.end(
                exitCode: end?.exitCode,
                signal: end?.signal,
                code: session.failure?.code.rawValue,
                standardError: session.errors.text
            )
        }
        do {
            if case .success(let status) = status, status.isOutOfMemory {
                throw SessionFailure.exit(status, wasKilled: false)
            }
            let result = try outcome.get()
            for ref in session.refs.removeAll() { bridge.release(ref) }
            return result
        } catch {
            for ref in session.refs.removeAll() { bridge.release(ref) }
            if relay.isCancelled { throw CancellationError() }
            if case .failure(let error as SandboxError) = status { throw error }
            throw hostError(error, try? status.get())
        }
    }

    // MARK: Errors

    private func hostError(_ error: any Error, _ status: SandboxResult?) -> FrontendHostError {
        if let failure = error as? ProtocolFailure { return buildError(failure) }
        let failure =
            (error as? SessionFailure) ?? SessionFailure(.notStarted, "failed: \(error)")
        var lines = ["F\(failure.code.rawValue) \(name) \(failure.text)"]
        var facts = ["phase \(session.phase.rawValue)"]
        if let method = session.lastMethod {
            facts.append("last request \(printable(method.utf8))")
        }
        if failure.code != .exited, let status, let ending = ending(status) { facts.append(ending) }
        lines.append("  (\(facts.joined(separator: ", ")))")
        let written = session.errors.lastLines(20)
        if !written.isEmpty {
            lines.append("  last lines of its stderr:")
            lines += written.map { "    " + $0 }
        }
        return FrontendHostError(
            failure.code,
            lines.joined(separator: "\n"),
            fault: program.isBundled ? .defect : .input
        )
    }

    /// How the process ended, where it was not the host that ended it.
    private func ending(_ status: SandboxResult) -> String? {
        if let signal = status.signal {
            return signal == 9 ? nil : "ended by signal \(signal)\(signalName(signal))"
        }
        return "exit status \(status.exitCode)"
    }

    /// The frontend's own error about the build: its words, and the engine's error behind them.
    private func buildError(_ failure: ProtocolFailure) -> FrontendHostError {
        let cause = session.cause(of: failure)
        let fault: Fault =
            switch failure.kind {
            case .unavailable, .timeout: .environment
            case .internalError: program.isBundled ? .defect : .input
            default: (cause as? any FaultClassified)?.fault ?? .input
            }
        return FrontendHostError(.buildFailed, failure.message, fault: fault, cause: cause, kind: failure.kind)
    }

    /// The frontend's name and version, as far as they are known.
    private var name: String {
        guard let frontend = session.frontend else { return program.name }
        let text = "\(frontend.name) \(frontend.version)"
        return printable(text.utf8.prefix(200))
    }
}
