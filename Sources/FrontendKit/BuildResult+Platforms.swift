// SPDX-License-Identifier: Apache-2.0

public import OCI

extension BuildResult {
    /// One platform's tree and image config, as ``build(_:_:for:)`` collects them.
    public struct Image: Sendable {
        /// What was built.
        public var tree: Ref
        /// The image config, JSON by the OCI image specification; `nil` when the tree is no image.
        public var config: [UInt8]?
        /// Values about this platform's part.
        public var metadata: [String: [UInt8]]

        /// Makes a value of its members.
        public init(tree: Ref, config: [UInt8]?, metadata: [String: [UInt8]] = [:]) {
            self.tree = tree
            self.config = config
            self.metadata = metadata
        }
    }

    /// Runs a function for every platform a request asks for, all at once, and makes the result of
    /// what they give.
    ///
    /// The first error ends the others and is thrown.
    ///
    /// - `build`: Gets the platform to build for.
    public static func build(
        _ request: BuildRequest,
        _ options: CommonOptions,
        for build: @escaping @Sendable (Platform) async throws -> Image
    ) async throws -> BuildResult {
        let platforms = options.platforms.isEmpty ? [request.workerPlatform] : options.platforms
        let images = try await withThrowingTaskGroup(of: (Int, Image).self) { group in
            for (index, platform) in platforms.enumerated() {
                group.addTask { (index, try await build(platform)) }
            }
            var images: [Int: Image] = [:]
            for try await (index, image) in group { images[index] = image }
            return images
        }
        var result = BuildResult(platforms: [], isIndex: options.isMultiPlatform)
        for (index, platform) in platforms.enumerated() {
            guard let image = images[index] else { continue }
            result.platforms.append(
                PlatformResult(
                    id: platform.normalized.identifier,
                    platform: platform.normalized,
                    tree: image.tree,
                    config: image.config,
                    metadata: image.metadata
                )
            )
        }
        return result
    }
}
