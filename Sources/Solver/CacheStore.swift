// SPDX-License-Identifier: Apache-2.0

package import Digests

/// A result in a store: found, not yet loaded.
package struct CacheRecord: Hashable, Sendable {
    /// The primary key under which it stands, and its output.
    package let edge: EdgeKey
    /// The store's own name for it.
    package let id: Int64

    package init(edge: EdgeKey, id: Int64) {
        self.edge = edge
        self.id = id
    }
}

/// What the solver hands over after an execution.
package struct CacheEntry: Sendable {
    /// The key under which the results stand.
    package let primary: CacheKey
    /// All keys that led here; they are to lead to ``primary`` from now on.
    ///
    /// How the primary key itself was derived is among them, unless the store knew it before.
    package let derivations: [KeyDerivation]
    /// One result an output.
    package let results: [any Sendable]
    /// Keys of the vertices whose results went in, one an input, persistable or not.
    package let inputs: [EdgeKey]
    /// Digest of the vertex.
    package let vertex: Digest
    /// What people call the vertex.
    package let name: String
    /// What ran, for a store that asks it how to treat its results.
    package let operation: any VertexOperation

    package init(
        primary: CacheKey,
        derivations: [KeyDerivation],
        results: [any Sendable],
        inputs: [EdgeKey],
        vertex: Digest,
        name: String,
        operation: any VertexOperation
    ) {
        self.primary = primary
        self.derivations = derivations
        self.results = results
        self.inputs = inputs
        self.vertex = vertex
        self.name = name
        self.operation = operation
    }
}

/// Where results and keys are kept between builds.
///
/// Many solvers, in many processes, may use one store.
///
/// The solver gives a store persistable keys only. ``primary(of:)``, ``record(for:)``, ``drop(_:)``,
/// ``alias(_:to:)`` and ``save(_:)`` are called for each vertex, on the concurrency pool: they must answer from memory
/// or a warm page, in microseconds. What they change is visible to the next call at once; when it becomes durable is
/// the store's business. An error of any of them fails the vertex.
package protocol CacheStore: Sendable {
    /// The primary key that a key leads to (itself, when it is one), or `nil` when the store never saw it.
    ///
    /// The store may know a key and yet have no record for it: its result was collected.
    func primary(of key: CacheKey) throws -> CacheKey?

    /// The record of a primary key's output.
    func record(for edge: EdgeKey) throws -> CacheRecord?

    /// Brings a result back, as lazily as it can, and protects it from collection while the value lives.
    ///
    /// - Throws: Any error means that the result is lost: the solver drops the record and executes.
    func load(_ record: CacheRecord) async throws -> any Sendable

    /// Forgets a record whose result is lost.
    func drop(_ record: CacheRecord) throws

    /// Makes keys lead to a primary key. A key that already leads elsewhere is changed.
    func alias(_ keys: [KeyDerivation], to primary: CacheKey) throws

    /// Keeps the results of an execution. A record that stands under the same key is replaced.
    func save(_ entry: CacheEntry) throws

    /// Runs a body that computes and saves one primary key while no other process computes the same.
    ///
    /// Waiting is ended by cancellation of the task. When the body starts, what the process that had the lock before
    /// saved can be found. Never called inside another lock's body.
    func withBuildLock<Value: Sendable>(
        _ key: CacheKey,
        _ body: @Sendable () async throws -> Value
    ) async throws -> Value
}
