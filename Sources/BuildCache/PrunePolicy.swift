// SPDX-License-Identifier: Apache-2.0

/// What may be removed from the cache.
///
/// All three sizes zero means everything that matches.
///
/// Source: BuildKit, `PruneInfo`.
package struct PrunePolicy: Sendable {
    /// Also internal and frontend records, and those a stored image stands on.
    package var all = false
    /// A record goes when one of them matches; none matches everything.
    package var filters: [UsageFilter] = []
    /// Records used within this many milliseconds stay.
    package var keepDuration: Int64 = 0
    /// Bytes that are never collected.
    package var reservedSpace: Int64 = 0
    /// Bytes the cache may take at most.
    package var maxUsedSpace: Int64 = 0
    /// Bytes of the disk that shall be free.
    package var minFreeSpace: Int64 = 0

    package init() {}

    /// What a disk is kept at when nobody says otherwise, first policy first.
    ///
    /// Source: BuildKit, `DefaultGCPolicy`.
    package static func defaults(diskSize: Int64) -> [PrunePolicy] {
        let hour: Int64 = 3_600_000
        var cap = PrunePolicy()
        cap.reservedSpace = min(diskSize / 10, 10_000_000_000)
        cap.minFreeSpace = diskSize / 5
        cap.maxUsedSpace = min(diskSize / 5 * 4, 100_000_000_000)
        var cheap = PrunePolicy()
        cheap.filters = [
            "type==source.local", "type==exec.cachemount", "type==source.git.checkout",
        ]
        .compactMap { try? UsageFilter($0) }
        cheap.keepDuration = 48 * hour
        cheap.maxUsedSpace = 512_000_000
        var old = cap
        old.keepDuration = 60 * 24 * hour
        var last = cap
        last.all = true
        return [cheap, old, cap, last]
    }

    /// How many bytes the cache is cut down to; 0 = no aim, everything that matches goes.
    func keptByteCount(total: Int64, free: Int64) -> Int64 {
        if reservedSpace == 0 && maxUsedSpace == 0 && minFreeSpace == 0 { return 0 }
        var kept = maxUsedSpace
        let excess = minFreeSpace - free
        if excess > 0 {
            kept = kept == 0 ? total - excess : min(kept, total - excess)
        } else if kept == 0 {
            kept = total
        }
        return max(kept, reservedSpace, 1)
    }

    /// Chooses what to remove.
    ///
    /// - Parameters:
    ///   - records: All records of the cache.
    ///   - free: Free bytes of the disk.
    ///   - now: Milliseconds since 1970.
    /// - Returns: Ids, in order; a record comes behind all that stand on it.
    package func choose(from records: [UsageRecord], free: Int64, now: Int64) -> [String] {
        var total = records.reduce(0) { $0 &+ $1.size }
        let kept = keptByteCount(total: total, free: free)
        var childCounts: [String: Int] = [:]
        for record in records {
            for parent in record.parents { childCounts[parent, default: 0] += 1 }
        }
        var waiting = records.filter { isCandidate($0, now: now) }
        var chosen: [String] = []
        while kept == 0 || total >= kept {
            let ready = waiting.filter { childCounts[$0.id, default: 0] == 0 }
            if ready.isEmpty { break }
            var gone: Set<String> = []
            for record in kept == 0 ? ready : PruneRanking.order(ready) {
                if kept != 0 && total < kept { break }
                total &-= record.size
                chosen.append(record.id)
                gone.insert(record.id)
                for parent in record.parents { childCounts[parent, default: 0] -= 1 }
            }
            waiting.removeAll { gone.contains($0.id) }
        }
        return chosen
    }

    private func isCandidate(_ record: UsageRecord, now: Int64) -> Bool {
        if record.isInUse { return false }
        if !all && (record.kind == .internal || record.kind == .frontend || record.isShared) {
            return false
        }
        if keepDuration > 0, let used = record.lastUsed, used > now - keepDuration { return false }
        return filters.match(record)
    }
}

/// Which records go first: those used long ago and seldom.
enum PruneRanking {
    /// Orders records by the sum of two ranks, each divided by its largest: the last use and the count of uses.
    static func order(_ records: [UsageRecord]) -> [UsageRecord] {
        let byUse = ranks(records.map { $0.lastUsed ?? .min })
        let byCount = ranks(records.map { Int64($0.usageCount) })
        return records.indices
            .sorted { left, right in
                let (first, second) = (byUse[left] + byCount[left], byUse[right] + byCount[right])
                return first == second ? records[left].id < records[right].id : first < second
            }
            .map { records[$0] }
    }

    /// For each value, its place among the different values, from above 0 to 1.
    private static func ranks(_ values: [Int64]) -> [Double] {
        let places = Set(values).sorted()
        let place = Dictionary(uniqueKeysWithValues: places.enumerated().map { ($1, $0 + 1) })
        return values.map { Double(place[$0] ?? 0) / Double(places.count) }
    }
}
