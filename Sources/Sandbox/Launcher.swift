// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
package import SystemPackage

/// Starts sandboxes.
///
/// One `kiln-sandbox` process stands for each sandbox: it makes the namespaces and mounts, starts the process in them,
/// and stays to reap it. All of it ends when this process ends, however it ends: the launcher watches a pipe.
package final class Launcher: Sendable {
    /// What this host offers.
    package let capabilities: HostCapabilities
    private let tools: LaunchTools

    /// Finds the launcher, and tries out what the host offers or takes what was found some minutes ago.
    ///
    /// Blocks, for less than a millisecond, and 30 ms the first time. What only launches need is prepared at the first.
    ///
    /// - Parameters:
    ///   - cache: A directory on the file system of the layers: holds compiled filters, and is scratch for trials.
    ///   - executable: Path of `kiln-sandbox`; `nil` takes the environment's `KILN_SANDBOX`, else the file beside the
    ///     running program.
    /// - Throws: ``SandboxError`` with `unavailable`.
    package init(cache: Directory, executable path: FilePath? = nil) throws(SandboxError) {
        tools = LaunchTools(launcher: try LauncherFile(path: path), cache: cache)
        capabilities = try HostCapabilities.current(tools)
    }

    /// Prepares what the first launch needs, for whoever has something else to do meanwhile; later calls do nothing.
    ///
    /// - Throws: ``SandboxError`` with `unavailable`.
    package func prepare() async throws {
        try await blocking { [tools] in _ = try tools.prepared() }
    }

    /// Runs a process to its end and hands over all it writes.
    ///
    /// Standard input is empty. Every byte of both streams is delivered before this returns, in order within a stream.
    /// When the task is cancelled, every process of the sandbox is killed and everything is torn down first.
    ///
    /// - Parameter output: Called on a thread of its own, one call at a time; while it runs, the process waits once
    ///   its pipe is full.
    /// - Throws: ``SandboxError``; `CancellationError` when the task was cancelled before the end.
    package func run(
        _ spec: SandboxSpec,
        output: @escaping @Sendable (OutputStream, [UInt8]) -> Void
    ) async throws -> SandboxResult {
        try Task.checkCancellation()
        let supervision = try await blocking { [self] in
            let (standardOutput, outputEnd) = try Descriptor.pipe()
            let (standardError, errorEnd) = try Descriptor.pipe()
            let null = try Descriptor.open(host: "/dev/null")
            return try start(
                spec,
                streams: [null, outputEnd, errorEnd],
                outputs: [
                    (standardOutput, .standardOutput),
                    (standardError, .standardError),
                ],
                sink: output
            )
        }
        return try await withTaskCancellationHandler {
            let result = try await supervision.result()
            if supervision.wasKilled { throw CancellationError() }
            return result
        } onCancel: {
            supervision.kill()
        }
    }

    /// Starts a process and lends it, to speak with over its three streams.
    ///
    /// When `body` returns, throws or is cancelled, the process is killed if it still runs, and everything is torn down.
    ///
    /// - Throws: ``SandboxError`` and what `body` throws. A set-up that failed shows when `body` waits for the process.
    package func withProcess<Value>(
        _ spec: SandboxSpec,
        _ body: (SandboxProcess) async throws -> Value
    ) async throws -> Value {
        try Task.checkCancellation()
        let process = try await blocking { [self] in
            let (inputEnd, standardInput) = try Descriptor.pipe()
            let (standardOutput, outputEnd) = try Descriptor.pipe()
            let (standardError, errorEnd) = try Descriptor.pipe()
            let supervision = try start(
                spec,
                streams: [inputEnd, outputEnd, errorEnd],
                outputs: [],
                sink: { _, _ in }
            )
            return SandboxProcess(
                input: standardInput,
                output: standardOutput,
                error: standardError,
                supervision: supervision
            )
        }
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(
                try await withTaskCancellationHandler {
                    try await body(process)
                } onCancel: {
                    process.kill()
                }
            )
        } catch {
            outcome = .failure(error)
        }
        process.kill()
        process.closeStandardInput()
        _ = try? await process.wait()
        return try outcome.get()
    }

    /// Starts the launcher for a spec and a thread that watches it.
    ///
    /// Blocks for the start, about half a millisecond.
    private func start(
        _ spec: SandboxSpec,
        streams: [Descriptor],
        outputs: [(descriptor: Descriptor, stream: OutputStream)],
        sink: @escaping Supervision.Sink
    ) throws -> Supervision {
        let id = randomToken()
        let (executable, filters, groups) = try tools.prepared()
        var passed = PassedDescriptors()
        let document = try LaunchDocument(
            spec,
            id: id,
            surroundings: LaunchDocument.Surroundings(
                filter: filters[spec.profile],
                groups: groups.parents(for: spec.profile),
                hasDeviceControl: spec.profile == .insecure || groups.deviceControl != .none,
                usesUserAttributes: capabilities.usesUserAttributes,
                hasControlGroupNamespace: groups.isUnified
            ),
            passing: &passed
        ).sealed()
        let status = try Descriptor.pipe()
        let liveness = try Descriptor.pipe()
        let launcher = try ChildProcess(
            .open(executable.file),
            arguments: ["kiln-sandbox"],
            descriptors: streams + [document, status.write, liveness.read] + passed.all
        )
        return try Supervision(
            launcher: launcher,
            status: status.read,
            liveness: liveness.write,
            outputs: outputs,
            sink: sink,
            finish: { groups.removeLeftovers(id: id) }
        )
    }
}
