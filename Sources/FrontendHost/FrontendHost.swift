// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
internal import LinuxSystem
package import Sandbox
internal import Synchronization
internal import SystemPackage

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
    /// - Throws: ``FrontendHostError``; `CancellationError` when the task was cancelled.
    package func build<Bridge: FrontendBridge>(
        _ executable: FrontendExecutable,
        request: FrontendBuildRequest<Bridge.Ref>,
        bridge: Bridge
    ) async throws -> FrontendResult<Bridge.Ref> {
        let relay = CancellationRelay()
        // A task of its own is not cancelled with ours: the frontend gets a moment to end by itself first.
        let work = Task {
            try await run(executable, request, bridge, relay)
        }
        return try await withTaskCancellationHandler {
            try await work.value
        } onCancel: {
            relay.cancel()
        }
    }

    private func run<Bridge: FrontendBridge>(
        _ executable: FrontendExecutable,
        _ request: FrontendBuildRequest<Bridge.Ref>,
        _ bridge: Bridge,
        _ relay: CancellationRelay
    ) async throws -> FrontendResult<Bridge.Ref> {
        let spec = try await spec(for: executable)
        if relay.isCancelled { throw CancellationError() }
        do {
            return try await launcher.withProcess(spec) { process in
                let session = FrontendSession(
                    process: process,
                    bridge: bridge,
                    timeouts: timeouts,
                    limits: limits
                )
                let run = FrontendRun(
                    executable: executable,
                    session: session,
                    process: process,
                    bridge: bridge,
                    timeouts: timeouts
                )
                return try await run.result(engine: engine, request: request, relay: relay)
            }
        } catch let error as SandboxError {
            throw FrontendHostError(
                .notStarted,
                "F115 \(executable.name) cannot be started: \(error)",
                fault: error.fault,
                cause: error
            )
        }
    }

    /// The sandbox of a frontend.
    ///
    /// Opened before it starts: what is checked is what runs.
    private func spec(for executable: FrontendExecutable) async throws -> SandboxSpec {
        do {
            return try await blocking { [resources] in
                let path = FilePath(executable.path)
                let file = try Descriptor.open(host: path)
                var spec = SandboxSpec.frontend(
                    executable: file,
                    arguments: [executable.name],
                    libraries: try SharedLibraries(of: path).mounts
                )
                if let resources { spec.resourceLimits = resources }
                // Helps frontends to be deterministic; nothing of the engine's own environment is passed on.
                spec.environment = [
                    "HOME=/nonexistent", "LC_ALL=C.UTF-8", "PATH=/usr/local/bin:/usr/bin:/bin",
                    "PYTHONHASHSEED=0", "SWIFT_DETERMINISTIC_HASHING=1", "TZ=UTC",
                ]
                return spec
            }
        } catch {
            throw FrontendHostError(
                .notStarted,
                "F115 \(executable.name) cannot be started: \(error)",
                fault: executable.isBundled ? .environment : .input,
                cause: error
            )
        }
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
