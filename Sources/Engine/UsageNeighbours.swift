// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import FrontendHost
internal import FrontendStore
internal import LinuxSystem
internal import ProjectFiles

extension EngineServices {
    /// What is kept in the state directory beside the build cache.
    var usageNeighbours: [any UsageNeighbour] {
        [FrontendTrees(store: packages.store)] + (results.map { [FrontendResults(store: $0)] } ?? [])
    }
}

/// Unpacked frontends, of which every running build holds those that it uses.
///
/// They go with `all` only, as BuildKit's frontends do: a project that pins one may be offline.
private struct FrontendTrees: UsageNeighbour {
    let store: FrontendStore

    func records() throws -> [UsageRecord] {
        try store.list().map { stored in
            let name = stored.manifest.map { "\($0.name) \($0.version)" } ?? "that cannot be read"
            return UsageRecord(
                id: stored.tree.description,
                kind: .frontend,
                description: "frontend \(name)",
                size: stored.byteCount,
                created: stored.created.milliseconds,
                lastUsed: stored.lastUsed.milliseconds,
                usageCount: 1,
                isInUse: try store.isInUse(stored.tree)
            )
        }
    }

    func remove(_ record: UsageRecord) throws -> Bool {
        do {
            return try store.remove(TreeDigest(parsing: record.id))
        } catch let error as FrontendStoreError where error.code == .inUse {
            return false
        }
    }
}

/// Results of frontends that may be used again; a build that reads one does so at once and needs it no longer.
private struct FrontendResults: UsageNeighbour {
    let store: FrontendResultStore

    func records() -> [UsageRecord] {
        store.list().map { kept in
            UsageRecord(
                id: kept.id,
                kind: .frontendResult,
                description: "result of the frontend \(kept.frontend ?? "of another version of kiln")",
                size: kept.byteCount,
                created: kept.lastUsed.milliseconds,
                lastUsed: kept.lastUsed.milliseconds,
                usageCount: 1
            )
        }
    }

    func remove(_ record: UsageRecord) -> Bool { store.remove(record.id) }
}

extension FileStatus.Time {
    fileprivate var milliseconds: Int64 { seconds &* 1000 &+ Int64(nanoseconds / 1_000_000) }
}
