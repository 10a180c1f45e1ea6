// SPDX-License-Identifier: Apache-2.0

/// What an image says about itself: its platform, its layers, how they came to be, and how a container of it starts.
///
/// The members of the OCI image config with Docker's additions. Source: OCI image-spec v1.1, config.md; moby
/// docker-image-spec v1.3.
public struct ImageConfig: Hashable, Sendable {
    public var created: Timestamp?
    public var author: String
    public var platform: Platform
    public var rootFS: RootFS
    public var history: [HistoryEntry]
    public var config: ContainerConfig

    public init(
        created: Timestamp? = nil,
        author: String = "",
        platform: Platform,
        rootFS: RootFS = RootFS(),
        history: [HistoryEntry] = [],
        config: ContainerConfig = ContainerConfig()
    ) {
        self.created = created
        self.author = author
        self.platform = platform
        self.rootFS = rootFS
        self.history = history
        self.config = config
    }

    /// The layers of an image by the digests of their uncompressed bytes.
    public struct RootFS: Hashable, Sendable {
        /// Always `layers` in images that exist.
        public var type: String
        /// Lowest layer first; `nil` is written as `null`.
        public var diffIDs: [Digest]?

        public init(type: String = "layers", diffIDs: [Digest]? = nil) {
            self.type = type
            self.diffIDs = diffIDs
        }
    }

    /// One step of the image's making.
    public struct HistoryEntry: Hashable, Sendable {
        public var created: Timestamp?
        public var createdBy: String
        public var author: String
        public var comment: String
        /// Whether the step left no layer.
        public var emptyLayer: Bool

        public init(
            created: Timestamp? = nil,
            createdBy: String = "",
            author: String = "",
            comment: String = "",
            emptyLayer: Bool = false
        ) {
            self.created = created
            self.createdBy = createdBy
            self.author = author
            self.comment = comment
            self.emptyLayer = emptyLayer
        }
    }
}

/// How a container of an image starts.
public struct ContainerConfig: Hashable, Sendable {
    public var user: String
    /// `port/protocol`.
    public var exposedPorts: Set<String>
    /// `NAME=value`, in order.
    public var environment: [String]
    public var entrypoint: [String]
    public var command: [String]
    public var volumes: Set<String>
    public var workingDirectory: String
    public var labels: [String: String]
    public var stopSignal: String
    /// Windows only: the command is one escaped line.
    public var argsEscaped: Bool
    public var healthcheck: Healthcheck?
    public var onBuild: [String]
    public var shell: [String]

    public init(
        user: String = "",
        exposedPorts: Set<String> = [],
        environment: [String] = [],
        entrypoint: [String] = [],
        command: [String] = [],
        volumes: Set<String> = [],
        workingDirectory: String = "",
        labels: [String: String] = [:],
        stopSignal: String = "",
        argsEscaped: Bool = false,
        healthcheck: Healthcheck? = nil,
        onBuild: [String] = [],
        shell: [String] = []
    ) {
        self.user = user
        self.exposedPorts = exposedPorts
        self.environment = environment
        self.entrypoint = entrypoint
        self.command = command
        self.volumes = volumes
        self.workingDirectory = workingDirectory
        self.labels = labels
        self.stopSignal = stopSignal
        self.argsEscaped = argsEscaped
        self.healthcheck = healthcheck
        self.onBuild = onBuild
        self.shell = shell
    }

    /// How to tell whether a container is well. Durations are nanoseconds, 0 means the default.
    public struct Healthcheck: Hashable, Sendable {
        /// `NONE`, `CMD` and its arguments, or `CMD-SHELL` and one line.
        public var test: [String]
        public var interval: Int64
        public var timeout: Int64
        public var startPeriod: Int64
        public var startInterval: Int64
        public var retries: Int64

        public init(
            test: [String] = [],
            interval: Int64 = 0,
            timeout: Int64 = 0,
            startPeriod: Int64 = 0,
            startInterval: Int64 = 0,
            retries: Int64 = 0
        ) {
            self.test = test
            self.interval = interval
            self.timeout = timeout
            self.startPeriod = startPeriod
            self.startInterval = startInterval
            self.retries = retries
        }
    }
}
