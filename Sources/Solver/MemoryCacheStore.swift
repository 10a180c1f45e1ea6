// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// A cache that lives as long as the process.
package final class MemoryCacheStore: CacheStore {
    private struct State {
        var primaries: [CacheKey: CacheKey] = [:]
        var records: [EdgeKey: (record: CacheRecord, value: any Sendable)] = [:]
        var lastRecord: Int64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    package func primary(of key: CacheKey) -> CacheKey? {
        state.withLock { state in
            // A forced run makes a primary key lead to another one; what led to it follows.
            guard var last = state.primaries[key] else { return nil }
            for _ in 0..<8 {
                guard let next = state.primaries[last], next != last else { break }
                last = next
            }
            return last
        }
    }

    package func record(for edge: EdgeKey) -> CacheRecord? {
        state.withLock { $0.records[edge]?.record }
    }

    package func load(_ record: CacheRecord) async throws -> any Sendable {
        let found = state.withLock { $0.records[record.edge] }
        guard let found, found.record == record else {
            throw SolverError(.cacheFailed, "cannot load \(record.edge.key): it was dropped")
        }
        return found.value
    }

    package func drop(_ record: CacheRecord) {
        state.withLock { state in
            if state.records[record.edge]?.record == record { state.records[record.edge] = nil }
        }
    }

    package func alias(_ keys: [KeyDerivation], to primary: CacheKey) {
        state.withLock { state in
            for derivation in keys { state.primaries[derivation.key] = primary }
        }
    }

    package func save(_ entry: CacheEntry) {
        state.withLock { state in
            for derivation in entry.derivations { state.primaries[derivation.key] = entry.primary }
            state.primaries[entry.primary] = entry.primary
            for (output, value) in entry.results.enumerated() {
                state.lastRecord += 1
                let edge = EdgeKey(key: entry.primary, output: output)
                state.records[edge] = (CacheRecord(edge: edge, id: state.lastRecord), value)
            }
        }
    }

    package func withBuildLock<Value: Sendable>(
        _ key: CacheKey,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        // One process alone uses this store, and its solver runs each key once.
        try await body()
    }
}
