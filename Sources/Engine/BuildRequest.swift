// SPDX-License-Identifier: Apache-2.0

public import OCI
public import SystemPackage

/// One build as its caller wants it: what to build, with which options, and where the result goes.
public struct BuildRequest: Sendable {
    /// Where the main context comes from.
    public enum Context: Sendable, Hashable {
        /// A directory of this machine, read in place.
        case directory(FilePath)
        /// A git or http(s) address, resolved by the frontend.
        case remote(String)
        /// No context: the build file stands alone.
        case empty
    }

    /// Where the build file comes from.
    public enum BuildFile: Sendable, Hashable {
        /// The frontend's default name in the context directory.
        case automatic
        /// A file of this machine.
        case path(FilePath)
        /// The bytes themselves, with the name that errors show.
        case bytes([UInt8], name: String)
    }

    /// What runs the build: a frontend, or the graph itself.
    public enum Definition: Sendable {
        /// The frontend that the build file or ``BuildRequest/frontend`` names.
        case frontend
        /// A serialized `pb.Definition`; no frontend is started.
        case llb([UInt8])
    }

    /// Where the main context comes from.
    public var context: Context
    /// Where the build file comes from.
    public var buildFile: BuildFile = .automatic
    /// What runs the build.
    public var definition: Definition = .frontend
    /// A frontend's name, or the path of its executable or package (`./x`, `path:x`); `nil` leaves the choice to the build
    /// file.
    public var frontend: String?
    /// Directories or executables that stand in for frontends, by the project's name of each.
    public var frontendOverrides: [String: String] = [:]
    /// Whether only what `kiln.lock` pins may be used.
    public var isLocked = false
    /// Whether the same counts where the project has a `kiln.lock`, as it should wherever nobody is there to update one.
    public var holdsToStandingLock = false
    /// Whether somebody is there to be asked: where the project says so, the build then throws ``UnlistedFrontend`` for a
    /// frontend that it does not list.
    public var canAsk = false
    /// Whether nothing may be asked over a network.
    public var isOffline = false
    /// Whether a deterministic frontend whose answers would all be the same again is not started.
    public var reusesFrontendResults = true
    /// Where to write everything that the frontend and the engine say to each other; a directory that is made.
    public var frontendTrace: FilePath?
    /// Stage to build; `nil` means the frontend's default.
    public var target: String?
    /// Build arguments by name.
    public var buildArguments: [String: String] = [:]
    /// Labels of the image by name.
    public var labels: [String: String] = [:]
    /// Named contexts: name to directory path, `docker-image://…`, `oci-layout://…` or remote address.
    public var namedContexts: [String: String] = [:]
    /// Platforms to build for; empty means this machine's.
    public var platforms: [Platform] = []
    /// Whether no step may come from the cache.
    public var noCache = false
    /// Stages whose steps may not come from the cache.
    public var noCacheStages: [String] = []
    /// Whether image tags are asked again of their registry.
    public var pull = false
    /// Secrets by id.
    public var secrets: [String: Secret] = [:]
    /// Sockets of SSH agents by name; repositories that are reached by SSH use `default`.
    public var agents: [String: FilePath] = [:]
    /// Entitlements the caller grants: `network.host`, `security.insecure`.
    public var entitlements: Set<String> = []
    /// Further options, handed to the frontend as they are.
    public var frontendOptions: [String: String] = [:]
    /// Where the result goes; empty keeps it in the cache.
    public var outputs: [Output] = []

    /// Takes the parts as they are; all else keeps its default.
    public init(context: Context) { self.context = context }

    /// The directory it starts from: that of the context, else where this process stands.
    public var directory: FilePath {
        if case .directory(let path) = context { return path }
        return "."
    }
}

/// Where a secret's value comes from.
///
/// The value is read when a step asks for it, never stored.
public enum Secret: Sendable, Hashable {
    /// The content of a file.
    case file(FilePath)
    /// The value of a variable of the environment.
    case environment(String)
    /// The bytes themselves.
    case bytes([UInt8])
}

/// Where a result goes.
public struct Output: Sendable {
    /// Kind of exporter: `image`, `oci`, `docker`, `tar`, `local`.
    public var type: String
    /// Attributes of the exporter, as BuildKit names them.
    public var attributes: [String: String]
    /// Where the bytes go; `nil` for results that stay in the store or go to a registry.
    public var destination: Destination?

    /// The place bytes are written to.
    public enum Destination: Sendable, Hashable {
        /// A file or directory of this machine.
        case path(FilePath)
        /// The standard output of this process.
        case standardOutput
    }

    /// Takes the parts as they are; all else keeps its default.
    public init(type: String, attributes: [String: String] = [:], destination: Destination? = nil) {
        self.type = type
        self.attributes = attributes
        self.destination = destination
    }
}

/// What a finished build gave.
public struct BuildResponse: Sendable {
    /// What the exporters said, by BuildKit's keys, such as `containerimage.digest`.
    public var exporterResponse: [String: String] = [:]
    /// Steps that came from the cache.
    public var cachedStepCount = 0
    /// Steps in all.
    public var stepCount = 0

    /// Takes the parts as they are; all else keeps its default.
    public init() {}
}
