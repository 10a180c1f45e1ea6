// SPDX-License-Identifier: Apache-2.0

import Solver
import Synchronization

/// A store that several solvers share, as processes share one on disk: with locks between them, loads that take a
/// while, and loads that fail.
final class SimulatedStore: CacheStore {
    private struct Locks {
        var held: Set<CacheKey> = []
    }

    private let memory = MemoryCacheStore()
    private let locks = Mutex(Locks())
    private let world: World

    init(_ world: World) { self.world = world }

    func primary(of key: CacheKey) -> CacheKey? {
        check(key)
        return memory.primary(of: key)
    }

    func record(for edge: EdgeKey) -> CacheRecord? {
        check(edge.key)
        return memory.record(for: edge)
    }

    func drop(_ record: CacheRecord) { memory.drop(record) }

    func alias(_ keys: [KeyDerivation], to primary: CacheKey) {
        for derivation in keys { check(derivation.key) }
        check(primary)
        memory.alias(keys, to: primary)
    }

    func save(_ entry: CacheEntry) {
        for derivation in entry.derivations { check(derivation.key) }
        check(entry.primary)
        memory.save(entry)
    }

    func load(_ record: CacheRecord) async throws -> any Sendable {
        await Task.yield()
        if world.fault(world.settings.loadFaultPercent) { throw SimulatedFault() }
        return try await memory.load(record)
    }

    func withBuildLock<Value: Sendable>(
        _ key: CacheKey,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        while !locks.withLock({ $0.held.insert(key).inserted }) {
            await Task.yield()
            try Task.checkCancellation()
        }
        defer { locks.withLock { _ = $0.held.remove(key) } }
        return try await body()
    }

    private func check(_ key: CacheKey) {
        if !key.isPersistable { world.problem("a key of this process alone came to the store") }
    }
}
