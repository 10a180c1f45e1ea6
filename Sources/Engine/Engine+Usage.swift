// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import OCI

extension Engine {
    /// Everything that builds keep on disk: results, blobs, cache mounts, frontends and what they made.
    public func diskUsage() async throws -> CacheUsage {
        let records = try await services.cache.diskUsage(with: services.usageNeighbours)
            .map(CacheRecordInfo.init)
        return CacheUsage(records: records, totalSize: records.reduce(0) { $0 + $1.size })
    }

    /// Removes what a policy allows to remove and nothing that runs needs.
    ///
    /// - Returns: What was removed.
    public func prune(_ policy: PruneRequest) async throws -> [CacheRecordInfo] {
        var inner = PrunePolicy()
        inner.all = policy.all
        do {
            inner.filters = try policy.filters.map { try UsageFilter($0) }
        } catch {
            throw EngineError(.invalidRequest, "\(error)")
        }
        inner.keepDuration = policy.keepSeconds.multipliedReportingOverflow(by: 1000).partialValue
        inner.reservedSpace = policy.reservedSpace
        inner.maxUsedSpace = policy.maxUsedSpace
        inner.minFreeSpace = policy.minFreeSpace
        return try await services.cache.prune([inner], with: services.usageNeighbours)
            .map(CacheRecordInfo.init)
    }
}

extension CacheRecordInfo {
    fileprivate init(_ record: UsageRecord) {
        self.init(
            id: record.id,
            type: record.kind.rawValue,
            description: record.description,
            size: record.size,
            created: Timestamp(milliseconds: record.created)
        )
        lastUsed = record.lastUsed.map { Timestamp(milliseconds: $0) }
        usageCount = record.usageCount
        inUse = record.isInUse
        shared = record.isShared
        mutable = record.isMutable
        parents = record.parents
    }
}

extension Timestamp {
    init(milliseconds: Int64) {
        self.init(
            seconds: milliseconds / 1000,
            nanoseconds: Int32(milliseconds % 1000) * 1_000_000
        )
    }
}
