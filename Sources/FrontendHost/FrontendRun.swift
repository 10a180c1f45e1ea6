// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import LinuxSystem
internal import Sandbox

/// One run of a frontend's process around its session: start of the threads, shutdown, and the error's text.
struct FrontendRun<Bridge: FrontendBridge>: Sendable {
    let executable: FrontendExecutable
    let session: FrontendSession<Bridge>
    let process: SandboxProcess
    let bridge: Bridge
    let timeouts: FrontendTimeouts

    /// Runs the build.
    ///
    /// When this returns, threads and tasks are gone, and the process is.
    func result(
        engine: Wire.Program,
        request: FrontendBuildRequest<Bridge.Ref>,
        relay: CancellationRelay
    ) async throws -> FrontendResult<Bridge.Ref> {
        let build = try wireRequest(request)
        let exit = Task { [process] in try await process.wait() }
        let threads: (reader: DedicatedThread, writer: DedicatedThread, errors: DedicatedThread)
        do {
            threads = try session.startThreads()
        } catch {
            process.kill()
            throw FrontendHostError(
                .notStarted,
                "F115 \(executable.name) cannot be started: \(error)",
                fault: .environment,
                cause: error
            )
        }
        let outcome = await withTaskGroup(of: Void.self) { group in
            group.addTask { await session.watch(deadline: request.deadline) }
            group.addTask {
                await threads.reader.join()
                await outputEnded(exit)
            }
            relay.onCancel { cancel() }
            let outcome: Result<FrontendResult<Bridge.Ref>, any Error>
            do {
                let result = try await session.converse(engine: engine, build: build) {
                    answer throws(SessionFailure) in try self.result(of: answer)
                }
                outcome = .success(result)
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

    private func finish(
        _ outcome: Result<FrontendResult<Bridge.Ref>, any Error>,
        _ exit: Task<SandboxResult, any Error>,
        _ relay: CancellationRelay
    ) async throws -> FrontendResult<Bridge.Ref> {
        let status = await exit.result
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

    /// Takes the refs of a result out of the table: they are the caller's from now on.
    private func result(
        of answer: Wire.Build.Answer
    ) throws(SessionFailure) -> FrontendResult<Bridge.Ref> {
        var platforms: [FrontendResult<Bridge.Ref>.PlatformResult] = []
        for result in answer.results {
            if platforms.contains(where: { $0.id == result.id }) {
                throw SessionFailure(
                    .malformedResult,
                    "gave a wrong answer: result of \"build\" has \"\(printable(result.id.utf8))\" twice"
                )
            }
            let ref: Bridge.Ref?
            do throws(ProtocolFailure) {
                ref = try session.refs.find(result.ref)
            } catch {
                throw SessionFailure(
                    .malformedResult,
                    "gave a wrong answer: in the result of \"build\", \(error.message)"
                )
            }
            platforms.append(
                .init(
                    id: result.id,
                    platform: result.platform,
                    ref: ref,
                    config: result.config,
                    metadata: result.metadata
                )
            )
        }
        session.refs.forget(Set(answer.results.compactMap(\.ref)))
        return FrontendResult(
            frontend: session.frontend ?? Wire.Program(name: executable.name, version: ""),
            platforms: platforms,
            isIndex: answer.isIndex,
            metadata: answer.metadata
        )
    }

    private func wireRequest(
        _ request: FrontendBuildRequest<Bridge.Ref>
    ) throws -> Wire.Build {
        var inputs: [String: Wire.Input] = [:]
        for (name, input) in request.inputs {
            let definition = try input.definition?.serialized()
            inputs[name] = Wire.Input(
                ref: try input.ref.map { try session.refs.add($0, isLent: true) },
                definition: definition.map { .protobuf($0) }
            )
        }
        return Wire.Build(
            fileName: request.fileName,
            fileContent: request.fileContent,
            options: request.options,
            inputs: inputs,
            workerPlatforms: request.workerPlatforms,
            commandLine: request.commandLine,
            deadlineMilliseconds: request.deadline.map {
                let parts = $0.components
                return parts.seconds &* 1000 &+ parts.attoseconds / 1_000_000_000_000_000
            }
        )
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
            fault: executable.isBundled ? .defect : .input
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
            case .internalError: executable.isBundled ? .defect : .input
            default: (cause as? any FaultClassified)?.fault ?? .input
            }
        return FrontendHostError(.buildFailed, failure.message, fault: fault, cause: cause)
    }

    /// The frontend's name and version, as far as they are known.
    private var name: String {
        guard let frontend = session.frontend else { return executable.name }
        let text = "\(frontend.name) \(frontend.version)"
        return printable(text.utf8.prefix(200))
    }
}
