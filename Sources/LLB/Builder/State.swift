// SPDX-License-Identifier: Apache-2.0

public import LLBMessages
public import OCI

/// A file tree and the settings that steps on it run with.
///
/// Every method returns a new state; nothing is built until an engine solves the
/// ``definition(_:)``.
///
///     let base = try State.image("alpine:3")
///     let built = base.run(RunOptions(arguments: ["apk", "add", "git"])).root
///     let definition = try built.definition()
///
/// The definition has the bytes BuildKit's own client would give it.
public struct State: Sendable {
    /// What the tree is; `nil` for scratch.
    public internal(set) var output: Output?
    /// Variables of steps.
    public var environment = EnvironmentList()
    /// Absolute; relative paths of file actions and mounts begin here.
    public private(set) var directory = "/"
    /// Who runs steps: name or number, with a group after a colon; empty for root.
    public var user = ""
    /// Name of the host steps see; empty for the default.
    public var hostname = ""
    /// Control group of steps; empty for the default.
    public var cgroupParent = ""
    /// Where steps run; `nil` leaves it to the definition.
    public internal(set) var platform: Platform?
    /// What network steps have.
    public var network = Pb_NetMode.unset
    /// How far steps are confined.
    public var security = Pb_SecurityMode.sandbox
    /// Names steps can resolve in addition.
    public var extraHosts: [Pb_HostIP] = []
    /// Limits of the processes of steps.
    public var resourceLimits: [Pb_Ulimit] = []
    /// Statuses that mean success; empty for 0 alone.
    public var validExitCodes: [Int32] = []

    init(output: Output?) { self.output = output }

    /// An empty tree.
    public static let scratch = State(output: nil)

    /// The state with another directory; a relative one begins at the present one.
    public func inDirectory(_ path: String) -> State {
        var copy = self
        copy.directory = SlashPath.isAbsolute(path) ? path : SlashPath.join(directory, path)
        return copy
    }

    /// The state with a variable set.
    public func settingEnvironment(_ name: String, _ value: String) -> State {
        var copy = self
        copy.environment[name] = value
        return copy
    }

    /// The state with its steps on a platform.
    public func onPlatform(_ platform: Platform) -> State {
        var copy = self
        copy.platform = platform.normalized
        return copy
    }

    /// The settings of this state on another tree.
    public func withTree(of other: State) -> State {
        var copy = self
        copy.output = other.output
        if let platform = other.output?.platform { copy.platform = platform.normalized }
        return copy
    }

    func withOutput(_ operation: BuiltOperation, _ constraints: Constraints) -> State {
        var copy = self
        copy.output = Output(vertex: Vertex(operation, constraints), slot: 0)
        if let platform = copy.output?.platform { copy.platform = platform.normalized }
        return copy
    }

    /// Environment, directory, user and platform of an image.
    public func applying(_ config: ImageConfig) -> State {
        var copy = self
        for assignment in config.config.environment {
            let parts = assignment.split(
                separator: "=",
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard let name = parts.first, !name.isEmpty else { continue }
            copy.environment[String(name)] = parts.count > 1 ? String(parts[1]) : ""
        }
        copy = copy.inDirectory(config.config.workingDirectory)
        if !config.platform.os.isEmpty, !config.platform.architecture.isEmpty {
            copy = copy.onPlatform(config.platform)
        }
        return copy
    }

    /// Overlays trees, later ones on top.
    ///
    /// Scratch has no effect; one tree alone is itself.
    public static func merge(_ states: [State], constraints: Constraints = Constraints()) -> State {
        let filled = states.filter { $0.output != nil }
        guard filled.count > 1 else { return filled.first ?? .scratch }
        var constraints = constraints
        constraints.require(Capability.mergeOp)
        return filled[0].withOutput(.merge(filled.compactMap(\.output)), constraints)
    }

    /// What must be laid on `lower` to get `upper`.
    public static func diff(
        from lower: State,
        to upper: State,
        constraints: Constraints = Constraints()
    ) -> State {
        guard lower.output != nil else { return upper }
        var constraints = constraints
        constraints.require(Capability.diffOp)
        return lower.withOutput(.diff(lower: lower.output, upper: upper.output), constraints)
    }
}

extension Output {
    /// The platform the output was made for, when its source says so.
    var platform: Platform? {
        switch vertex.operation {
        case .source: vertex.constraints.platform
        default: nil
        }
    }
}
