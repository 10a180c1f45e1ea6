// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import OCI

extension Engine {
    /// Everything that builds keep on disk: results, blobs, cache mounts, frontends and what they made.
    ///
    /// - Parameter filters: As ``PruneRequest/filters``; none takes every record.
    public func diskUsage(_ filters: [String] = []) async throws -> CacheUsage {
        let records = try await services.cache.diskUsage(usageFilters(filters), with: services.usageNeighbours)
            .map(CacheRecordInfo.init)
        return CacheUsage(records: records, totalSize: records.reduce(0) { $0 + $1.size })
    }

    /// Removes what a policy allows to remove and nothing that runs needs.
    ///
    /// - Returns: What was removed.
    public func prune(_ policy: PruneRequest) async throws -> [CacheRecordInfo] {
        var inner = PrunePolicy()
        inner.all = policy.all
        inner.filters = try usageFilters(policy.filters)
        inner.keepDuration = policy.keepSeconds.multipliedReportingOverflow(by: 1000).partialValue
        inner.reservedSpace = policy.reservedSpace
        inner.maxUsedSpace = policy.maxUsedSpace
        inner.minFreeSpace = policy.minFreeSpace
        return try await services.cache.prune([inner], with: services.usageNeighbours)
            .map(CacheRecordInfo.init)
    }
}

/// - Throws: `invalidRequest` for a text that is no filter.
private func usageFilters(_ texts: [String]) throws -> [UsageFilter] {
    do {
        return try texts.map { try UsageFilter($0) }
    } catch {
        throw EngineError(.invalidRequest, "\(error)")
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
