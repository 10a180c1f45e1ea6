// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import Solver
internal import Sources

/// The file tree of an image; its layers stay where they are until somebody looks into them.
struct ImageOperation: VertexOperation {
    let name: String
    let identifier: String
    let attributes: [String: String]
    let platform: Platform
    let images: BuildImages

    var resources: ResourceNeeds { .network }

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        let found = try await find()
        // The same layers under another manifest are the same tree.
        try await images.noteOrigin(found, name: identifier)
        let chain = found.image.chainKey.map { [sourceCacheDigest($0.description)] }
        return CacheMap(
            digest: sourceCacheDigest(found.image.manifestKey.description),
            alternatives: chain.map { keys in { @Sendable () async throws -> [Digest] in keys } }
        )
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        [try await find().tree()]
    }

    private func find() async throws -> BuildImages.Found {
        try await images.find(identifier, attributes: attributes, platform: platform)
    }
}
