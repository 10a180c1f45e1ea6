// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import LLBMessages
internal import OCI
internal import Snapshots
internal import Solver

/// An operation whose cache map follows from its definition alone.
protocol DefinedOperation: VertexOperation {
    func cacheMap() throws -> CacheMap
}

extension DefinedOperation {
    func immediateCacheMap() throws -> CacheMap? { try cacheMap() }
    func cacheMap(_ context: OperationContext) async throws -> CacheMap { try cacheMap() }
}

/// Lays trees over one another.
///
/// Layers do not know what lies below them, so nothing is copied.
struct MergeOperation: DefinedOperation {
    let name: String
    let merge: Pb_MergeOp

    func cacheMap() -> CacheMap {
        CacheMap(digest: mergeCacheDigest(merge), inputs: merge.inputs.map { _ in InputRule() })
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        let tree = FileTree(layers: try inputs.flatMap { try fileTree($0).layers })
        if tree.layers.count > 1 { try await tree.copyHostLayers() }
        return [tree]
    }
}

/// What one tree changes of another.
///
/// Layers that both begin with are not looked at.
struct DiffOperation: DefinedOperation {
    let name: String
    let diff: Pb_DiffOp
    let snapshots: SnapshotStore

    func cacheMap() -> CacheMap {
        var inputs: [InputRule] = []
        if diff.lower.input != -1 { inputs.append(InputRule()) }
        if diff.upper.input != -1 { inputs.append(InputRule()) }
        return CacheMap(digest: diffCacheDigest(diff), inputs: inputs)
    }

    func execute(_ context: OperationContext, inputs: [any Sendable]) async throws -> [any Sendable] {
        func tree(_ input: Int64) throws -> FileTree {
            guard input >= 0, let index = Int(exactly: input), inputs.indices.contains(index) else {
                return .scratch
            }
            return try fileTree(inputs[index])
        }
        let lower = try tree(diff.lower.input)
        let upper = try tree(diff.upper.input)
        if let suffix = upper.suffix(above: lower) { return [suffix] }
        return [FileTree(layers: [try await snapshots.difference(lower: lower, upper: upper)])]
    }
}
