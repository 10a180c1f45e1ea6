// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import FoundationEssentials
internal import LLB
internal import LLBMessages
internal import OCI
internal import Snapshots
internal import Solver
internal import Sources
internal import Synchronization
internal import SystemPackage

/// A directory of the client, read in place.
///
/// Its key is a digest of the content, so steps that depend on it are found in the cache without being looked at, and
/// results made from it stay valid in later sessions. BuildKit can only key by session here.
final class LocalOperation: VertexOperation {
    let name: String
    private let directoryName: String
    private let selection: LocalSource.Selection
    private let source: LocalSource
    private let snapshots: SnapshotStore
    /// The scan that the key was made of: what is copied later is the same tree.
    private let scan = Mutex<LocalSource.Scan?>(nil)

    init(
        name: String,
        directoryName: String,
        attributes: [String: String],
        source: LocalSource,
        snapshots: SnapshotStore
    ) throws {
        self.name = name
        self.directoryName = directoryName
        self.source = source
        self.snapshots = snapshots
        selection = LocalSource.Selection(
            includePatterns: try Self.list(attributes, SourceAttribute.localIncludePatterns),
            excludePatterns: try Self.list(attributes, SourceAttribute.localExcludePatterns),
            followPaths: try Self.list(attributes, SourceAttribute.localFollowPaths)
        )
    }

    private static func list(_ attributes: [String: String], _ key: String) throws -> [String] {
        guard let text = attributes[key], !text.isEmpty else { return [] }
        do {
            return try JSONDecoder().decode([String].self, from: Data(text.utf8))
        } catch {
            throw EngineError(
                .invalidDefinition,
                "cannot read the source attribute \(key): \"\(text.prefix(200))\" is no JSON list of strings"
            )
        }
    }

    func cacheMap(_ context: OperationContext) async throws -> CacheMap {
        let scan = try await scanned(context)
        return CacheMap(digest: sourceCacheDigest("local:\(scan.key)"))
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        let scan = try await scanned(context)
        return [FileTree(layers: [snapshots.hostLayer(scan.content, key: scan.key.description)])]
    }

    private func scanned(_ context: OperationContext) async throws -> LocalSource.Scan {
        if let scan = scan.withLock({ $0 }) { return scan }
        let session = context.jobs.lazy.compactMap { $0.attachment as? BuildSession }.first
        guard let directory = session?.directories[directoryName] else {
            let known = session.map { $0.directories.keys.sorted().joined(separator: ", ") } ?? ""
            throw EngineError(
                .invalidRequest,
                "cannot read the local directory \"\(directoryName)\": the build was given \(known.isEmpty ? "none" : known)"
            )
        }
        let scan = try await source.scan(directory, selection)
        self.scan.withLock { $0 = scan }
        context.status(
            id: "transferring \(directoryName):",
            current: Int64(clamping: scan.hashedByteCount),
            started: .now,
            completed: .now
        )
        return scan
    }
}

extension LocalOperation: CacheDescribed {
    var recordKind: RecordKind { .localSource }
    var recordDescription: String? { "local source for \(directoryName)" }
}
