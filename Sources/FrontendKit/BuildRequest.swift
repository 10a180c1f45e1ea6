// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
public import LLB
public import OCI

/// What the engine asks a frontend to do.
public struct BuildRequest: Sendable {
    /// A named tree beside the local sources.
    public struct Input: Sendable {
        /// The tree.
        public let ref: Ref
        /// To build upon; `nil` where the engine knows none.
        public let definition: Definition?
    }

    /// The build file's name, for messages.
    public let fileName: String
    /// The build file's bytes.
    public let fileContent: [UInt8]
    /// As they came; ``CommonOptions`` reads them.
    public let options: [String: String]
    /// Trees by name, beside the local sources.
    public let inputs: [String: Input]
    /// The platforms the engine's machine runs, its own first.
    public let workerPlatforms: [Platform]
    /// The whole value of the `# syntax=` directive that chose this frontend.
    public let commandLine: String?
    /// How long the engine will wait; `nil` is long.
    public let deadline: Duration?

    /// For tests of a frontend without an engine.
    public init(
        fileName: String,
        fileContent: [UInt8],
        options: [String: String] = [:],
        inputs: [String: Input] = [:],
        workerPlatforms: [Platform] = [.host]
    ) {
        self.fileName = fileName
        self.fileContent = fileContent
        self.options = options
        self.inputs = inputs
        self.workerPlatforms = workerPlatforms
        commandLine = nil
        deadline = nil
    }

    init(_ wire: Wire.Build) throws(ProtocolFailure) {
        fileName = wire.fileName
        fileContent = wire.fileContent
        options = wire.options
        var inputs: [String: Input] = [:]
        for (name, input) in wire.inputs {
            inputs[name] = Input(
                ref: Ref(id: input.ref),
                definition: try input.definition.map { definition throws(ProtocolFailure) in
                    try Self.decode(definition, name)
                }
            )
        }
        self.inputs = inputs
        workerPlatforms = wire.workerPlatforms
        commandLine = wire.commandLine
        deadline = wire.deadlineMilliseconds.map { .milliseconds($0) }
    }

    /// The platform builds run on when nothing else is asked for.
    public var workerPlatform: Platform { workerPlatforms.first ?? Platform.host.normalized }

    private static func decode(
        _ definition: Wire.Definition,
        _ name: String
    ) throws(ProtocolFailure) -> Definition {
        do {
            switch definition {
            case .protobuf(let bytes): return try Definition(serialized: bytes)
            case .json(let object): return try Definition(json: JSONValue(parsing: object.json))
            }
        } catch {
            throw ProtocolFailure(.badDefinition, "input \"\(name)\": \(error)")
        }
    }
}

/// What a frontend made.
public struct BuildResult: Sendable {
    /// One platform's part.
    public struct PlatformResult: Sendable {
        /// As `linux/arm64`; unique in a result.
        public var id: String
        /// `nil` when the result does not depend on a platform.
        public var platform: Platform?
        /// What was built.
        public var tree: Ref
        /// The image config, JSON by the OCI image specification; `nil` when the tree is no image.
        public var config: [UInt8]?
        /// Values about this platform's part.
        public var metadata: [String: [UInt8]]

        /// Makes a value of its members.
        public init(
            id: String,
            platform: Platform?,
            tree: Ref,
            config: [UInt8]? = nil,
            metadata: [String: [UInt8]] = [:]
        ) {
            self.id = id
            self.platform = platform
            self.tree = tree
            self.config = config
            self.metadata = metadata
        }
    }

    /// In the order an index lists them.
    public var platforms: [PlatformResult]
    /// Whether the image is to be an index, even of one platform.
    public var isIndex: Bool
    /// Values about the whole result, such as annotations or a subrequest's answer.
    public var metadata: [String: [UInt8]]

    /// - `isIndex`: `nil` makes an index of more than one platform only.
    public init(
        platforms: [PlatformResult],
        isIndex: Bool? = nil,
        metadata: [String: [UInt8]] = [:]
    ) {
        self.platforms = platforms
        self.isIndex = isIndex ?? (platforms.count > 1)
        self.metadata = metadata
    }

    /// A result of one platform.
    public init(platform: Platform, tree: Ref, config: [UInt8]?) {
        self.init(platforms: [
            PlatformResult(
                id: platform.normalized.identifier,
                platform: platform.normalized,
                tree: tree,
                config: config
            )
        ])
    }

    var wire: Wire.Build.Answer {
        Wire.Build.Answer(
            results: platforms.map { result in
                Wire.BuiltPlatform(
                    id: result.id,
                    platform: result.platform,
                    ref: result.tree.id,
                    config: result.config,
                    metadata: result.metadata
                )
            },
            isIndex: isIndex,
            metadata: metadata
        )
    }
}
