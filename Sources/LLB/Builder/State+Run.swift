// SPDX-License-Identifier: Apache-2.0

public import LLBMessages
internal import OCI

/// Something a step sees at a path.
public struct Mount: Sendable {
    /// What is mounted.
    public enum Kind: Hashable, Sendable {
        case bind
        /// A directory that outlives the build, by its id.
        case cache(id: String, sharing: Pb_CacheSharingOpt)
        /// Memory; 0 bytes means no limit of its own.
        case tmpfs(byteLimit: Int64)
    }

    /// Where; relative ones begin at the state's directory.
    public var target: String
    /// What is bound, or seeds a cache; scratch by default.
    public var source: State?
    /// The directory or file of ``source`` to mount; empty for all of it.
    public var selector = ""
    /// What is mounted.
    public var kind = Kind.bind
    /// Whether nothing can be written.
    public var isReadOnly = false
    /// Whether what is written is thrown away.
    public var discardsOutput = false
    /// Whether the content of ``source``, not how it was made, decides the cache key.
    public var contentCache = Pb_MountContentCache.default

    /// A mount by its parts, writable and kept.
    public init(_ target: String, source: State? = nil, selector: String = "", kind: Kind = .bind) {
        self.target = target
        self.source = source
        self.selector = selector
        self.kind = kind
    }
}

/// A secret of the client, as a file, a variable or both.
public struct RunSecret: Hashable, Sendable {
    /// What the client calls it.
    public var id: String
    /// File it is mounted at.
    public var target: String?
    /// Variable it is set in.
    public var environmentName: String?
    /// Owner of the file.
    public var userID: UInt32 = 0
    /// Group of the file.
    public var groupID: UInt32 = 0
    /// Mode bits of the file.
    public var mode: UInt32 = 0o400
    /// Whether the step runs without it.
    public var isOptional = false

    /// A secret that must be there.
    public init(id: String, target: String? = nil, environmentName: String? = nil) {
        self.id = id
        self.target = target
        self.environmentName = environmentName
    }
}

/// An SSH agent of the client.
public struct RunSSHSocket: Hashable, Sendable {
    /// Empty for the default agent.
    public var id: String
    /// Path of the socket; empty for one the step is told of.
    public var target: String
    /// Owner of the file.
    public var userID: UInt32 = 0
    /// Group of the file.
    public var groupID: UInt32 = 0
    /// Mode bits of the file.
    public var mode: UInt32 = 0o600
    /// Whether the step runs without it.
    public var isOptional = false

    /// An agent that must be there.
    public init(id: String = "", target: String = "") {
        self.id = id
        self.target = target
    }
}

/// One command and what it runs with.
///
/// Settings of the state hold where nothing is said here.
public struct RunOptions: Sendable {
    /// The program and its arguments; at least one.
    public var arguments: [String]
    /// What it sees besides the root.
    public var mounts: [Mount] = []
    /// Secrets it is told.
    public var secrets: [RunSecret] = []
    /// Agents it can talk to.
    public var sshSockets: [RunSSHSocket] = []
    /// Proxy variables, which do not count for the cache.
    public var proxy: Pb_ProxyEnv?
    /// Devices it may use.
    public var devices: [Pb_CDIDevice] = []
    /// Whether the root cannot be written.
    public var hasReadOnlyRoot = false
    /// `nil` takes the state's.
    public var network: Pb_NetMode?
    /// `nil` takes the state's.
    public var security: Pb_SecurityMode?
    /// `nil` takes the state's.
    public var cgroupParent: String?
    /// In addition to the state's.
    public var extraHosts: [Pb_HostIP] = []
    /// In addition to the state's.
    public var resourceLimits: [Pb_Ulimit] = []
    /// Statuses that mean success; `nil` takes the state's.
    public var validExitCodes: [Int32]?

    /// A command with nothing special.
    public init(arguments: [String]) { self.arguments = arguments }
}

/// The trees after a step.
public struct ExecState: Sendable {
    /// The root.
    public let root: State
    private let mountStates: [String: State]

    init(root: State, mountStates: [String: State]) {
        self.root = root
        self.mountStates = mountStates
    }

    /// What a mount became; `nil` for a target that was not mounted or whose content is not kept.
    public func mount(_ target: String) -> State? { mountStates[target] }
}

extension State {
    /// Runs a command on the tree.
    public func run(_ options: RunOptions, constraints: Constraints = Constraints()) -> ExecState {
        var meta = Pb_Meta()
        meta.args = options.arguments
        meta.env = environment.assignments
        meta.cwd = directory
        meta.user = user
        meta.hostname = hostname
        meta.cgroupParent = options.cgroupParent ?? cgroupParent
        meta.removeMountStubsRecursive = true
        meta.validExitCodes = options.validExitCodes ?? validExitCodes
        meta.extraHosts = extraHosts + options.extraHosts
        meta.ulimit = resourceLimits + options.resourceLimits
        if let proxy = options.proxy { meta.proxyEnv = proxy }

        var sockets = options.sshSockets
        for index in sockets.indices where sockets[index].target.isEmpty {
            sockets[index].target = "/run/buildkit/ssh_agent.\(index)"
        }
        if let socket = sockets.first, environment["SSH_AUTH_SOCK"] == nil {
            meta.env.append("SSH_AUTH_SOCK=" + socket.target)
        }

        var root = Mount("/", source: self)
        root.isReadOnly = options.hasReadOnlyRoot
        let mounts = [root] + options.mounts
        let exec = BuiltExec(
            meta: meta,
            network: options.network ?? network,
            security: options.security ?? security,
            mounts: BuiltMount.sorted(mounts),
            secrets: options.secrets,
            sshSockets: sockets,
            devices: options.devices
        )
        var own = constraints
        let statedPlatform = constraints.platform
        if own.platform == nil { own.platform = platform }
        exec.requireCapabilities(of: &own)
        let vertex = Vertex(.exec(exec), own)
        func state(of built: BuiltMount) -> State? {
            let source = mounts[built.slot].source
            if built.isReadOnly { return source ?? .scratch }
            guard built.isOutput else { return nil }
            var state = source ?? .scratch
            state.output = Output(vertex: vertex, slot: built.slot)
            if let statedPlatform { state.platform = statedPlatform.normalized }
            return state
        }
        var mountStates: [String: State] = [:]
        for mount in exec.mounts where mountStates[mount.target] == nil {
            mountStates[mount.target] = state(of: mount)
        }
        return ExecState(root: mountStates["/"] ?? self, mountStates: mountStates)
    }
}

extension BuiltExec {
    fileprivate func requireCapabilities(of constraints: inout Constraints) {
        constraints.require(Capability.execMetaBase)
        if !meta.validExitCodes.isEmpty { constraints.require(Capability.execValidExitCode) }
        if !meta.ulimit.isEmpty { constraints.require(Capability.execMetaUlimit) }
        if constraints.metadata.hasLinuxResources {
            constraints.require(Capability.execMetaLinuxResources)
        }
        if network != .unset { constraints.require(Capability.execMetaNetwork) }
        if security == .insecure { constraints.require(Capability.execMetaSecurity) }
        if meta.hasProxyEnv { constraints.require(Capability.execMetaProxy) }
        if !devices.isEmpty { constraints.require(Capability.execMetaCDI) }
        for mount in mounts {
            if !mount.selector.isEmpty { constraints.require(Capability.execMountSelector) }
            if mount.contentCache != .default {
                constraints.require(Capability.execMountContentCache)
            }
            switch mount.kind {
            case .cache:
                constraints.require(Capability.execMountCache)
                constraints.require(Capability.execMountCacheSharing)
            case .tmpfs(let byteLimit):
                constraints.require(Capability.execMountTmpfs)
                if byteLimit > 0 { constraints.require(Capability.execMountTmpfsSize) }
            case .bind:
                if mount.source != nil { constraints.require(Capability.execMountBind) }
            }
        }
        if !secrets.isEmpty { constraints.require(Capability.execMountSecret) }
        if secrets.contains(where: { $0.environmentName != nil }) {
            constraints.require(Capability.execSecretEnv)
        }
        if !sshSockets.isEmpty { constraints.require(Capability.execMountSSH) }
    }
}
