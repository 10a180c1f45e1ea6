// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
package import LLB
package import OCI

/// What a frontend is asked to do.
///
/// `Ref` is the engine's handle, as ``FrontendBridge`` has it.
package struct FrontendBuildRequest<Ref: Sendable>: Sendable {
    /// A tree the frontend may read and build upon, beside the local sources.
    package struct Input: Sendable {
        /// `nil` is the empty tree.
        package var ref: Ref?
        package var definition: LLB.Definition?

        package init(ref: Ref?, definition: LLB.Definition?) {
            self.ref = ref
            self.definition = definition
        }
    }

    /// The build file's name, for messages.
    package var fileName: String
    package var fileContent: [UInt8]
    /// Options as BuildKit's frontends know them, such as `target` and `build-arg:NAME`.
    package var options: [String: String]
    package var inputs: [String: Input]
    /// The platforms this machine runs, its own first.
    package var workerPlatforms: [Platform]
    /// The whole value of the `# syntax=` directive, for the frontend's own use.
    package var commandLine: String?
    /// How long the build may take as a whole; `nil` is no limit but those of ``FrontendTimeouts``.
    package var deadline: Duration?

    package init(
        fileName: String,
        fileContent: [UInt8],
        options: [String: String],
        inputs: [String: Input] = [:],
        workerPlatforms: [Platform],
        commandLine: String? = nil,
        deadline: Duration? = nil
    ) {
        self.fileName = fileName
        self.fileContent = fileContent
        self.options = options
        self.inputs = inputs
        self.workerPlatforms = workerPlatforms
        self.commandLine = commandLine
        self.deadline = deadline
    }
}

/// What a frontend made.
package struct FrontendResult<Ref: Sendable>: Sendable {
    /// One platform's part.
    package struct PlatformResult: Sendable {
        /// As `linux/arm64`; unique in a result.
        package let id: String
        /// `nil` when the result does not depend on a platform.
        package let platform: Platform?
        /// `nil` is the empty tree.
        package let ref: Ref?
        /// The image config, JSON by the OCI image specification.
        package let config: [UInt8]?
        package let metadata: [String: [UInt8]]

        package init(
            id: String,
            platform: Platform?,
            ref: Ref?,
            config: [UInt8]?,
            metadata: [String: [UInt8]]
        ) {
            self.id = id
            self.platform = platform
            self.ref = ref
            self.config = config
            self.metadata = metadata
        }
    }

    /// The frontend's own name and version.
    package let frontend: Wire.Program
    /// In the order an index lists them.
    ///
    /// Empty when only metadata was asked for.
    package let platforms: [PlatformResult]
    /// Whether the image is to be an index, even of one platform.
    package let isIndex: Bool
    /// Values about the whole result.
    package let metadata: [String: [UInt8]]

    package init(
        frontend: Wire.Program,
        platforms: [PlatformResult],
        isIndex: Bool,
        metadata: [String: [UInt8]]
    ) {
        self.frontend = frontend
        self.platforms = platforms
        self.isIndex = isIndex
        self.metadata = metadata
    }
}

extension FrontendResult {
    /// The result of a definition that no frontend made: one tree, for no platform in particular.
    ///
    /// - `engine`: Who stands for it.
    package init(single ref: Ref?, engine: Wire.Program) {
        frontend = engine
        platforms = [PlatformResult(id: "", platform: nil, ref: ref, config: nil, metadata: [:])]
        isIndex = false
        metadata = [:]
    }
}

/// How long a frontend may take for what.
package struct FrontendTimeouts: Sendable {
    /// Until `initialize` is answered.
    package var handshake: Duration = .seconds(10)
    /// Silence while the engine owes it nothing, until the user is told.
    package var silenceWarning: Duration = .seconds(60)
    /// The same, until it is killed.
    package var silence: Duration = .seconds(300)
    /// How long the frontend may leave bytes of the engine unread.
    package var blockedWrite: Duration = .seconds(60)
    /// From a `cancel` to the kill.
    package var cancellation: Duration = .milliseconds(500)
    /// From the end of stdin, after the result, to the kill.
    package var exit: Duration = .seconds(5)

    package init() {}

    /// How often the watchdog looks.
    var tick: Duration {
        let shortest = [handshake, silenceWarning, silence, blockedWrite].min() ?? handshake
        return max(.milliseconds(5), min(.milliseconds(250), shortest / 4))
    }
}
