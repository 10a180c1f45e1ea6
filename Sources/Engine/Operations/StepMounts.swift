// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import LLBMessages
internal import Sandbox
internal import Snapshots

/// The mounts of a step: prepared before it runs, turned into results after it.
struct StepMounts {
    /// The root file system.
    struct Root {
        var root: SandboxSpec.Root
        /// The tree it shows, for account names.
        var tree: FileTree
        var isReadOnly: Bool
    }

    private(set) var root: Root?
    private(set) var mounts: [SandboxSpec.Mount] = []

    private let state: StateDirectory
    private let snapshots: SnapshotStore
    private let session: BuildSession
    private let workingDirectory: String
    /// Stages that are thrown away.
    private var discarded: [Stage] = []
    /// What becomes each output.
    private var outputs: [Int64: Output] = [:]
    /// Held while the step runs.
    private var caches: [CacheDirectory] = []
    /// Each with the directory below ``StateDirectory/temporary`` that its socket is in.
    private var agents: [(relay: SocketRelay, folder: String)] = []

    private enum Output {
        /// The input, unchanged.
        case tree(FileTree)
        /// The input with what the step changed.
        case stage(Stage, on: FileTree)
    }

    init(state: StateDirectory, snapshots: SnapshotStore, session: BuildSession, workingDirectory: String) {
        self.state = state
        self.snapshots = snapshots
        self.session = session
        self.workingDirectory = workingDirectory
    }

    /// Prepares one mount.
    mutating func add(_ mount: Pb_Mount, _ trees: [FileTree]) async throws {
        let target = mount.dest.hasPrefix("/") ? mount.dest : workingDirectory + "/" + mount.dest
        switch mount.mountType {
        case .bind: try await addBind(mount, target, trees)
        case .tmpfs:
            let size = mount.tmpfsOpt.size
            mounts.append(
                .init(.tmpfs(byteLimit: size > 0 ? UInt64(size) : nil), at: target)
            )
        case .cache: try await addCache(mount, target, trees)
        case .secret: try await addSecret(mount.secretOpt, target)
        case .ssh: try await addAgent(mount.sshopt, target)
        case .UNRECOGNIZED(let value):
            throw EngineError(.invalidDefinition, "mount \(target) has the unknown type \(value)")
        }
    }

    private mutating func addBind(
        _ mount: Pb_Mount,
        _ target: String,
        _ trees: [FileTree]
    ) async throws {
        let tree = try input(mount, trees)
        let stage = try await snapshots.stage(on: tree)
        if mount.output >= 0, !mount.readonly {
            outputs[mount.output] = .stage(stage, on: tree)
        } else {
            // The kernel may want to make mount points even where the step may not write.
            discarded.append(stage)
            if mount.output >= 0 { outputs[mount.output] = .tree(tree) }
        }
        if target == "/" {
            root = Root(root: stage.root, tree: tree, isReadOnly: mount.readonly)
        } else {
            mounts.append(
                .init(
                    stage.mountSource(subpath: mount.selector),
                    at: target,
                    isReadOnly: mount.readonly
                )
            )
        }
    }

    private mutating func addCache(
        _ mount: Pb_Mount,
        _ target: String,
        _ trees: [FileTree]
    ) async throws {
        let sharing: CacheSharing =
            switch mount.cacheOpt.sharing {
            case .shared: .shared
            case .private: .isolated
            case .locked: .locked
            case .UNRECOGNIZED(let value):
                throw EngineError(.invalidDefinition, "mount \(target) has the unknown sharing \(value)")
            }
        let cache = try await snapshots.cacheDirectory(
            id: mount.cacheOpt.id.isEmpty ? target : mount.cacheOpt.id,
            sharing: sharing,
            seed: mount.input == -1 ? nil : try input(mount, trees)
        )
        caches.append(cache)
        mounts.append(
            .init(
                .bind(cache.directory.descriptor, subpath: mount.selector),
                at: target,
                isReadOnly: mount.readonly
            )
        )
    }

    private mutating func addSecret(_ option: Pb_SecretOpt, _ target: String) async throws {
        guard let value = try await session.secret(option.id) else {
            if option.optional { return }
            throw missingSecret(option.id)
        }
        let mode = option.mode & 0o777
        var mount = SandboxSpec.Mount(
            .file(value, mode: mode, user: option.uid, group: option.gid),
            at: target,
            isReadOnly: true
        )
        mount.allowsExecution = mode & 0o111 != 0
        mounts.append(mount)
    }

    /// Shows a socket of the step's own, behind which the agent is: its owner and mode are the step's, and the agent is
    /// out of reach once the step has ended.
    private mutating func addAgent(_ option: Pb_SSHOpt, _ target: String) async throws {
        let id = option.id.isEmpty ? "default" : option.id
        guard let agent = session.agents[id] else {
            if option.optional { return }
            throw EngineError(
                .invalidRequest,
                "cannot mount the SSH agent \(id): the build was given none of that name; pass --ssh \(id)"
            )
        }
        let (relay, folder) = try await blocking { [state] in
            let (directory, folder) = try state.scratch("ssh-agent")
            let relay = try SocketRelay(
                to: agent,
                in: directory,
                name: "socket",
                user: option.uid,
                group: option.gid,
                mode: option.mode & 0o777
            )
            return (relay, folder)
        }
        agents.append((relay, folder))
        mounts.append(.init(.bind(relay.place), at: target, isReadOnly: true))
    }

    /// Gives back what was held while the step ran.
    private mutating func letGo() async {
        caches = []
        let ended = agents
        agents = []
        if ended.isEmpty { return }
        for agent in ended { agent.relay.close() }
        // What stays goes with this process.
        try? await blocking { [state] in
            for agent in ended { try? state.temporary.removeTree(name: agent.folder) }
        }
    }

    private func input(_ mount: Pb_Mount, _ trees: [FileTree]) throws -> FileTree {
        if mount.input == -1 { return .scratch }
        guard let index = Int(exactly: mount.input), trees.indices.contains(index) else {
            throw EngineError(.invalidDefinition, "mount \(mount.dest) names input \(mount.input)")
        }
        return trees[index]
    }

    /// Keeps what the step wrote.
    ///
    /// - Returns: One tree an output.
    mutating func commit() async throws -> [any Sendable] {
        await letGo()
        for stage in discarded { await stage.discard() }
        discarded = []
        var results: [any Sendable] = []
        for number in 0..<Int64(outputs.count) {
            switch outputs.removeValue(forKey: number) {
            case .tree(let tree): results.append(tree)
            case .stage(let stage, let tree):
                let layer = try await stage.commit()
                results.append(layer.map(tree.adding) ?? tree)
            case nil:
                throw EngineError(.invalidDefinition, "no mount has output \(number)")
            }
        }
        return results
    }

    /// Throws away what the step wrote.
    mutating func discard() async {
        await letGo()
        for stage in discarded { await stage.discard() }
        discarded = []
        for case .stage(let stage, _) in outputs.values { await stage.discard() }
        outputs = [:]
    }
}

extension Stage {
    /// This stage as the root of a sandbox.
    fileprivate var root: SandboxSpec.Root {
        switch mode {
        case .overlay:
            .overlay(
                lower: lowers.map(\.descriptor),
                upper: upper.descriptor,
                work: work?.descriptor
            )
        case .copy: .directory(upper.descriptor)
        }
    }

    /// A part of this stage, to be shown somewhere in a sandbox.
    fileprivate func mountSource(subpath: String) -> SandboxSpec.Mount.Source {
        switch mode {
        case .overlay:
            .overlay(
                lower: lowers.map(\.descriptor),
                upper: upper.descriptor,
                work: work?.descriptor,
                subpath: subpath
            )
        case .copy: .bind(upper.descriptor, subpath: subpath)
        }
    }
}
