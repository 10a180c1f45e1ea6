// SPDX-License-Identifier: Apache-2.0

/// What an image says about itself: its platform, its layers, how they came to be, and how a container of it starts.
///
/// The members of the OCI image config with Docker's additions. Source: OCI image-spec v1.1, config.md; moby
/// docker-image-spec v1.3.
public struct ImageConfig: Hashable, Sendable {
    /// When the image was made; in a reproducible build, the time it was asked to claim.
    public var created: Timestamp?
    /// Who made it; empty when nobody says.
    public var author: String
    /// What its programs run on.
    public var platform: Platform
    /// Its layers.
    public var rootFS: RootFS
    /// How it came to be, oldest step first.
    public var history: [HistoryEntry]
    /// How a container of it starts.
    public var config: ContainerConfig

    /// Takes the members as they are.
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

        /// Takes the members as they are.
        public init(type: String = "layers", diffIDs: [Digest]? = nil) {
            self.type = type
            self.diffIDs = diffIDs
        }
    }

    /// One step of the image's making.
    public struct HistoryEntry: Hashable, Sendable {
        /// When the image was made; in a reproducible build, the time it was asked to claim.
        public var created: Timestamp?
        /// The instruction, as history shows it.
        public var createdBy: String
        /// Who made it; empty when nobody says.
        public var author: String
        /// Which builder made it.
        public var comment: String
        /// Whether the step left no layer.
        public var emptyLayer: Bool

        /// Takes the members as they are.
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
    /// User, or user and group joined by a colon, by name or number; empty for root.
    public var user: String
    /// `port/protocol`.
    public var exposedPorts: Set<String>
    /// `NAME=value`, in order.
    public var environment: [String]
    /// The program and its first arguments; empty for none.
    public var entrypoint: [String]
    /// Arguments of the entry point, or the program when there is none.
    public var command: [String]
    /// Directories that are kept apart from the tree.
    public var volumes: Set<String>
    /// Absolute; empty for the root.
    public var workingDirectory: String
    /// What tools want to know about the image.
    public var labels: [String: String]
    /// Name or number of the signal that ends it; empty for SIGTERM.
    public var stopSignal: String
    /// Windows only: the command is one escaped line.
    public var argsEscaped: Bool
    /// How to tell whether it is well; `nil` for no check.
    public var healthcheck: Healthcheck?
    /// Instructions for images that are built on this one.
    public var onBuild: [String]
    /// Program and arguments for commands given as a line; empty for the default.
    public var shell: [String]

    /// Takes the members as they are.
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

    /// How to tell whether a container is well.
    ///
    /// Durations are nanoseconds, 0 means the default.
    public struct Healthcheck: Hashable, Sendable {
        /// `NONE`, `CMD` and its arguments, or `CMD-SHELL` and one line.
        public var test: [String]
        /// Between two checks.
        public var interval: Int64
        /// After which a check has failed.
        public var timeout: Int64
        /// After the start, when failures do not count.
        public var startPeriod: Int64
        /// Between two checks in the start period.
        public var startInterval: Int64
        /// How many failures in a row make it unwell.
        public var retries: Int64

        /// Takes the members as they are.
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
