// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import LLB
internal import LLBMessages
internal import OCI
internal import Sandbox
internal import Snapshots
internal import Solver

/// Runs a process in a sandbox: BuildKit's ExecOp.
struct ExecOperation: DefinedOperation {
    let name: String
    let exec: Pb_ExecOp
    let inputCount: Int
    let platform: Platform
    let resourceLimits: SandboxSpec.ResourceLimits
    let state: StateDirectory
    let snapshots: SnapshotStore
    let launcher: Launcher

    var resources: ResourceNeeds { .processor }

    func cacheMap() throws -> CacheMap {
        let rules = try execInputRules(exec, inputCount: inputCount).map { rule -> InputRule in
            guard rule.usesContent else { return InputRule(selector: rule.selector) }
            let selections = rule.selections
            return InputRule(selector: rule.selector) { result in
                try await contentDigest(of: result, selections)
            }
        }
        return CacheMap(
            digest: execCacheDigest(exec, platform: platform),
            inputs: rules,
            isDeterministic: false
        )
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        let session = context.jobs.lazy.compactMap { $0.attachment as? BuildSession }.first
        guard let session else {
            throw EngineError(.invalidRequest, "cannot run \(name): no client waits for it any more")
        }
        try checkEntitlements(session)
        let trees = try inputs.map(fileTree)
        var mounts = StepMounts(
            state: state,
            snapshots: snapshots,
            session: session,
            workingDirectory: exec.meta.cwd
        )
        do {
            for mount in exec.mounts { try await mounts.add(mount, trees) }
            let spec = try await spec(mounts, trees, session)
            let result = try await launcher.run(spec) { stream, bytes in
                context.log(stream == .standardOutput ? .output : .error, bytes)
            }
            try check(result)
            return try await mounts.commit()
        } catch {
            await mounts.discard()
            throw error
        }
    }

    /// The one place where a step's privileges are decided.
    private func checkEntitlements(_ session: BuildSession) throws {
        func demand(_ entitlement: String, for what: String) throws {
            if session.entitlements.contains(entitlement) { return }
            throw EngineError(
                .notEntitled,
                "cannot run \(name): it asks for \(what), which was not granted; allow it with --allow \(entitlement)"
            )
        }
        switch exec.network {
        case .unset, .none: break
        case .host: try demand("network.host", for: "the host's network")
        case .UNRECOGNIZED(let value):
            throw EngineError(.invalidDefinition, "cannot run \(name): unknown network mode \(value)")
        }
        switch exec.security {
        case .sandbox: break
        case .insecure: try demand("security.insecure", for: "all privileges")
        case .UNRECOGNIZED(let value):
            throw EngineError(.invalidDefinition, "cannot run \(name): unknown security mode \(value)")
        }
        if let device = exec.cdiDevices.first(where: { !$0.optional }) {
            throw EngineError(
                .unsupported,
                "cannot run \(name): it needs the device \(device.name), and this engine offers none"
            )
        }
    }

    private func spec(
        _ mounts: StepMounts,
        _ trees: [FileTree],
        _ session: BuildSession
    ) async throws -> SandboxSpec {
        let meta = exec.meta
        guard let root = mounts.root else {
            throw EngineError(.invalidDefinition, "cannot run \(name): it has no mount at /")
        }
        var spec = SandboxSpec(
            profile: exec.security == .insecure ? .insecure : .step,
            root: root.root,
            arguments: meta.args
        )
        spec.rootIsReadOnly = root.isReadOnly
        spec.mounts = mounts.mounts
        spec.workingDirectory = meta.cwd.isEmpty ? "/" : meta.cwd
        // Kiln has no network of its own for steps yet: unset means the host's, as BuildKit falls back to without CNI.
        spec.network = exec.network == .none ? .none : .host
        if !meta.hostname.isEmpty { spec.hostName = meta.hostname }
        spec.extraHosts = meta.extraHosts.map { .init(name: $0.host, address: $0.ip) }
        spec.processLimits = meta.ulimit.map { limit in
            .init(
                name: limit.name.lowercased(),
                soft: limit.soft < 0 ? .max : UInt64(limit.soft),
                hard: limit.hard < 0 ? .max : UInt64(limit.hard)
            )
        }
        if !spec.processLimits.contains(where: { $0.name == "nofile" }) {
            let limit = OpenFileLimit.inherited
            spec.processLimits.append(.init(name: "nofile", soft: limit.soft, hard: limit.hard))
        }
        spec.removesStubParents = meta.removeMountStubsRecursive
        spec.resourceLimits = resourceLimits

        let needsAccounts = !meta.user.isEmpty || !meta.env.contains { $0.hasPrefix("HOME=") }
        let accounts = try await AccountLookup(tree: needsAccounts ? root.tree : .scratch)
        spec.user = try accounts.user(meta.user)
        spec.environment = try await environment(session, home: accounts.home(of: spec.user.user))
        return spec
    }

    private func environment(_ session: BuildSession, home: String) async throws -> [String] {
        var environment = exec.meta.env
        func addDefault(_ name: String, _ value: String) {
            if environment.contains(where: { $0.hasPrefix(name + "=") }) { return }
            environment.append("\(name)=\(value)")
        }
        addDefault("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        let proxy = exec.meta.proxyEnv
        for (name, value) in [
            ("HTTP_PROXY", proxy.httpProxy), ("HTTPS_PROXY", proxy.httpsProxy),
            ("FTP_PROXY", proxy.ftpProxy), ("NO_PROXY", proxy.noProxy), ("ALL_PROXY", proxy.allProxy),
        ] where !value.isEmpty {
            addDefault(name, value)
            addDefault(name.lowercased(), value)
        }
        for secret in exec.secretenv {
            guard let value = try await session.secret(secret.id) else {
                if secret.optional { continue }
                throw missingSecret(secret.id)
            }
            environment.append("\(secret.name)=\(String(decoding: value, as: UTF8.self))")
        }
        // What runc does: the C library's idea of a home, when nobody said otherwise.
        addDefault("HOME", home)
        return environment
    }

    /// Turns the end of the process into the step's outcome.
    private func check(_ result: SandboxResult) throws {
        let command = exec.meta.args.joined(separator: " ")
        if let failure = result.executionFailure {
            throw EngineError(.stepFailed, "cannot run \"\(command)\": \(failure)")
        }
        let valid = exec.meta.validExitCodes.isEmpty ? [0] : exec.meta.validExitCodes
        if valid.contains(result.exitCode) { return }
        if result.isOutOfMemory {
            throw EngineError(
                .stepFailed,
                "process \"\(command)\" was killed: it needed more memory than its limit"
            )
        }
        throw EngineError(
            .stepFailed,
            "process \"\(command)\" did not complete successfully: exit code: \(result.exitCode)"
        )
    }
}

/// A required secret that the build was not given.
func missingSecret(_ id: String) -> EngineError {
    EngineError(
        .invalidRequest,
        "cannot find the secret \(id): the build was not given it; pass --secret id=\(id),src=FILE"
    )
}
