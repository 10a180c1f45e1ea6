// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import LLB
internal import OCI
internal import Snapshots
internal import Solver
internal import Sources
internal import SystemPackage

/// A directory with one file of the web.
struct HTTPOperation: VertexOperation {
    let name: String
    let request: HTTPFileRequest
    let sources: RemoteSources

    var resources: ResourceNeeds { .network }

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        // With a checksum nobody needs to be asked.
        if let key = sources.http.pinnedKey(request) { return CacheMap(digest: sourceCacheDigest(key)) }
        return CacheMap(digest: sourceCacheDigest(sources.http.key(request, try await find(context))))
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        [try await sources.http.tree(of: try await find(context), request)]
    }

    private func find(_ context: OperationContext) async throws -> HTTPFile {
        let secrets = context.secrets
        return try await sources.resolve(request, secrets: secrets) { count in
            context.status(id: "downloading", name: "downloading \(request.url)", current: count)
        }
    }
}

/// A checkout of a repository.
struct GitOperation: VertexOperation {
    let name: String
    let request: GitRequest
    let source: GitSource

    var resources: ResourceNeeds { .network }

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        let commit = try await source.resolve(request, secrets: context.secrets, agents: context.agents)
        return CacheMap(digest: sourceCacheDigest(source.key(request, commit)))
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        let commit = try await source.resolve(request, secrets: context.secrets, agents: context.agents)
        return [
            try await source.checkout(request, commit, secrets: context.secrets, agents: context.agents) { bytes in
                context.log(.error, bytes)
            }
        ]
    }
}

extension HTTPOperation: CacheDescribed {
    var recordKind: RecordKind { .regular }
    var recordDescription: String? { "http url \(request.shownURL)" }
}

extension GitOperation: CacheDescribed {
    var recordKind: RecordKind { .gitCheckout }
    var recordDescription: String? { "git snapshot for \(request.shownRemote)#\(request.reference)" }
}

extension OperationContext {
    /// The agents of the builds that use the vertex.
    fileprivate var agents: @Sendable (String) async throws -> FilePath? {
        let sessions = jobs.compactMap { $0.attachment as? BuildSession }
        return { id in sessions.lazy.compactMap { $0.agents[id] }.first }
    }

    /// The secrets of the builds that use the vertex.
    fileprivate var secrets: @Sendable (String) async throws -> [UInt8]? {
        let sessions = jobs.compactMap { $0.attachment as? BuildSession }
        return { id in
            for session in sessions {
                if let secret = try await session.secret(id) { return secret }
            }
            return nil
        }
    }
}
