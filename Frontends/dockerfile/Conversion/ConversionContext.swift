// SPDX-License-Identifier: Apache-2.0

package import LLB
package import OCI

/// What a conversion asks of the world.
///
/// A frontend answers it with its protocol, a test with made-up values.
package protocol ConversionContext: Sendable {
    /// Finds out what an image is.
    ///
    /// `name` is a full reference with tag or digest, `logName` what to show while it runs.
    func resolveImage(
        _ name: String,
        platform: Platform?,
        mode: State.ImageResolveMode,
        logName: String
    ) async throws -> ResolvedImage

    /// Finds out what an image in a client's OCI layout is.
    func resolveLayoutImage(
        _ name: String,
        store: String,
        platform: Platform?,
        logName: String
    ) async throws -> ResolvedImage

    /// When a git or HTTP source last changed, in seconds since 1970; `nil` when it does not say.
    func sourceTime(
        identifier: String,
        attributes: [String: String],
        logName: String
    ) async throws -> Int64?

    /// Makes the tree of a definition readable.
    func solve(_ definition: Definition) async throws -> any ConversionTree

    /// An input another frontend or the client handed over; `nil` when there is none of that name.
    func input(_ name: String) async throws -> Definition?
}

/// A tree whose files can be read.
package protocol ConversionTree: Sendable {
    /// The bytes of a file, or the first of them; `nil` when there is no such file.
    func readFile(_ path: String, byteLimit: Int?) async throws -> [UInt8]?
}

/// What an image name stood for.
package struct ResolvedImage: Sendable {
    /// The name to use from now on: a policy may have changed it.
    package var name: String
    package var digest: Digest?
    /// The image config, as JSON.
    package var config: [UInt8]

    package init(name: String, digest: Digest?, config: [UInt8]) {
        self.name = name
        self.digest = digest
        self.config = config
    }
}

/// What a conversion is told at its start.
package struct ConversionInput: Sendable {
    /// The Dockerfile.
    package var source: SourceFile
    package var options: DockerfileOptions
    /// The platform to build for; `nil` follows the worker and the base image.
    package var targetPlatform: Platform?
    /// What the engine offers.
    package var capabilities: Set<String>
    /// Converts every stage, not only those the target needs: for linting.
    package var convertsAllStages = false

    package init(
        source: SourceFile,
        options: DockerfileOptions,
        targetPlatform: Platform? = nil,
        capabilities: Set<String> = Capability.all
    ) {
        self.source = source
        self.options = options
        self.targetPlatform = targetPlatform
        self.capabilities = capabilities
    }
}
