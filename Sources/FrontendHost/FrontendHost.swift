// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
internal import LinuxSystem
internal import OCI
package import Sandbox
package import SystemPackage
internal import Synchronization

/// Runs frontends: starts one in its sandbox for one build, speaks the protocol with it, and sees to its end.
package struct FrontendHost: Sendable {
    private let launcher: Launcher
    private let engine: Wire.Program
    private let timeouts: FrontendTimeouts
    private let limits: ProtocolLimits
    private let resources: SandboxSpec.ResourceLimits?

    /// - `engine`: What frontends are told about this engine; for their messages only.
    /// - `resources`: What one frontend may use; `nil` is the limits of ``SandboxSpec``.
    package init(
        launcher: Launcher,
        engine: Wire.Program,
        timeouts: FrontendTimeouts = FrontendTimeouts(),
        limits: ProtocolLimits = .standard,
        resources: SandboxSpec.ResourceLimits? = nil
    ) {
        self.launcher = launcher
        self.engine = engine
        self.timeouts = timeouts
        self.limits = limits
        self.resources = resources
    }

    /// Has a frontend do a build.
    ///
    /// When this returns or throws, the process is gone, and so is all work on its requests. Refs that are not part of the
    /// result have been released, but for those the caller gave as inputs.
    ///
    /// - Parameters:
    ///   - results: Where results of earlier builds are found and this one is kept, for a deterministic frontend: one
    ///     that says so of itself, or comes with the engine. Only for a program whose `digest` is known.
    ///   - trace: Where to write the session down; the frontend is started then in any case.
    /// - Throws: ``FrontendHostError``; `CancellationError` when the task was cancelled.
    package func build<Bridge: FrontendBridge>(
        _ program: FrontendProgram,
        request: FrontendBuildRequest<Bridge.Ref>,
        bridge: Bridge,
        results: FrontendResultStore? = nil,
        trace: FilePath? = nil
    ) async throws -> FrontendResult<Bridge.Ref> {
        guard let results, trace == nil, let key = try key(program, request, bridge) else {
            return try await perform(program, request, bridge, nil, try await sessionTrace(trace, program)) {
                run,
                relay in
                try await run.result(engine: engine, request: request, relay: relay)
            }.result
        }
        let revalidation = Revalidation(bridge: bridge, request: request, limits: limits)
        for (name, record) in try await blocking({ results.records(for: key) }) {
            guard let result = try await revalidation.result(of: record) else { continue }
            try await blocking { results.touch(name, of: key) }
            return result
        }
        let recorder = SessionRecorder()
        let (result, answer) = try await perform(program, request, bridge, recorder, nil) { run, relay in
            try await run.result(engine: engine, request: request, relay: relay)
        }
        if let record = recorder.record(of: result.frontend, result: answer) {
            try await blocking { results.save(record, for: key) }
        }
        return result
    }

    private func sessionTrace(_ path: FilePath?, _ program: FrontendProgram) async throws -> SessionTrace? {
        guard let path else { return nil }
        return try await blocking { [engine] in try SessionTrace(path, program: program, engine: engine) }
    }

    /// What names everything a program is told at the start; `nil` where its result may not be used again.
    private func key<Bridge: FrontendBridge>(
        _ program: FrontendProgram,
        _ request: FrontendBuildRequest<Bridge.Ref>,
        _ bridge: Bridge
    ) throws -> Digest? {
        guard let digest = program.digest else { return nil }
        if case .host = program.runtime { return nil }
        // A tree that no definition names cannot be told from another.
        guard request.inputs.values.allSatisfy({ $0.ref == nil || $0.definition != nil }) else { return nil }
        return FrontendResultStore.key(
            program: digest,
            initialize: Wire.Initialize(engine: engine, bridge: bridge, limits: limits).members,
            build: try request.wire(refs: RefTable(limit: limits.refs)).members
        )
    }

    /// Asks a frontend about a build file instead of building it.
    ///
    /// - Throws: As ``build(_:request:bridge:)``; `buildFailed` of the kind `unsupported` when the frontend does not answer
    ///   such questions.
    package func ask<Bridge: FrontendBridge, Answer: WorkAnswer>(
        _ program: FrontendProgram,
        for answer: Answer.Type,
        request: FrontendBuildRequest<Bridge.Ref>,
        bridge: Bridge,
        trace: FilePath? = nil
    ) async throws -> Answer {
        try await perform(program, request, bridge, nil, try await sessionTrace(trace, program)) { run, relay in
            try await run.answer(engine: engine, request: request, relay: relay)
        }
    }

    private func perform<Bridge: FrontendBridge, Value: Sendable>(
        _ program: FrontendProgram,
        _ request: FrontendBuildRequest<Bridge.Ref>,
        _ bridge: Bridge,
        _ recorder: SessionRecorder?,
        _ trace: SessionTrace?,
        _ body: @escaping @Sendable (FrontendRun<Bridge>, CancellationRelay) async throws -> Value
    ) async throws -> Value {
        let relay = CancellationRelay()
        // A task of its own is not cancelled with ours: the frontend gets a moment to end by itself first.
        let work = Task {
            if relay.isCancelled { throw CancellationError() }
            return try await withProcess(program) { process in
                let session = FrontendSession(
                    process: process,
                    bridge: bridge,
                    timeouts: timeouts,
                    limits: limits,
                    buildFile: (request.fileName, request.fileContent),
                    recorder: recorder,
                    trace: trace
                )
                let run = FrontendRun(
                    program: program,
                    session: session,
                    process: process,
                    bridge: bridge,
                    timeouts: timeouts,
                    trace: trace
                )
                return try await body(run, relay)
            }
        }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            relay.cancel()
        }
    }

    /// Starts a frontend's process in its sandbox and lends it, without speaking with it.
    ///
    /// When `body` returns, throws or is cancelled, the process is killed if it still runs, and nothing of it is left.
    ///
    /// - Throws: `notStarted`, and what `body` throws.
    package func withProcess<Value>(
        _ program: FrontendProgram,
        _ body: (SandboxProcess) async throws -> Value
    ) async throws -> Value {
        // Meanwhile: it needs nothing of the program.
        async let isReady: Void = launcher.prepare()
        var spec: SandboxSpec
        do {
            spec = try await blocking { try program.sandboxSpec() }
        } catch {
            throw notStarted(program, error, fault: program.isBundled ? .environment : .input)
        }
        if let resources { spec.resourceLimits = resources }
        do {
            try await isReady
            return try await launcher.withProcess(spec, body)
        } catch let error as SandboxError {
            throw notStarted(program, error, fault: error.fault)
        }
    }

    private func notStarted(_ program: FrontendProgram, _ error: any Error, fault: Fault) -> FrontendHostError {
        FrontendHostError(
            .notStarted,
            "F115 \(program.name) cannot be started: \(error)",
            fault: fault,
            cause: error
        )
    }
}

/// Carries a cancellation to the session, whichever is there first.
final class CancellationRelay: Sendable {
    private struct State {
        var isCancelled = false
        var action: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Runs the action at the first ``cancel()``, at once if it was called already.
    func onCancel(_ action: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            state.action = action
            return state.isCancelled
        }
        if isLate { action() }
    }

    func cancel() {
        let action = state.withLock { state -> (@Sendable () -> Void)? in
            guard !state.isCancelled else { return nil }
            state.isCancelled = true
            return state.action
        }
        action?()
    }
}
