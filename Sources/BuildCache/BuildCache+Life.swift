// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import GRDB
internal import LinuxSystem
internal import Snapshots
internal import Synchronization

// Coming, going, and cleaning up after processes that did not go in order.
extension BuildCache {
    /// The lease every process has while the cache is open: who has one and does not live was killed.
    private static let presence = "open"

    /// Announces this process, and sweeps when another one was killed.
    func arrive() throws {
        let owners = try database.read { database in
            try String.fetchAll(database, sql: "SELECT DISTINCT owner FROM leases")
        }
        let dead = owners.filter { !state.isAlive(owner: $0) }
        try database.write("open the build cache") { database in
            for owner in dead { try database.endLeases(of: owner) }
            try database.lease(Self.presence, state.owner)
        }
        if !dead.isEmpty || database.notice != nil { try sweep() }
    }

    /// Makes everything durable and gives all leases back.
    ///
    /// The cache must not be used any more.
    package func close() async throws {
        try await flush()
        try await blocking { [self] in
            try database.write("close the build cache") { database in
                try database.endLeases(of: state.owner)
            }
            try database.close()
        }
    }

    /// Removes layers that no row names and no living process works on.
    ///
    /// Blocks.
    ///
    /// A layer is on disk before its row is written, so what a killed process had made stays behind. Layers named by
    /// their content have no owner: they are only swept while no other process has the state directory open.
    func sweep() throws {
        let named = try database.read { database in
            Set(try String.fetchAll(database, sql: "SELECT id FROM layers"))
        }
        let isAlone = try otherOwners().isEmpty
        for id in try snapshots.list() where !named.contains(id) {
            let owner = Self.owner(of: id)
            if owner.map({ !state.isAlive(owner: $0) }) ?? isAlone { try snapshots.remove(id) }
        }
    }

    /// The token of the process that made a layer, `nil` for layers that are named by their content.
    static func owner(of layer: LayerID) -> String? {
        if Layer.isNamedByContent(layer) { return nil }
        return layer.lastIndex(of: "-").map { String(layer[..<$0]) }
    }

    /// Tokens of other processes that have the state directory open.
    func otherOwners() throws -> [String] {
        try attempt("list the owners of the state directory") {
            try state.root.directory("owners").entries()
        }
        .map(\.name)
        .filter { $0.hasSuffix(".lock") }
        .map { String($0.dropLast(5)) }
        .filter { $0 != state.owner && state.isAlive(owner: $0) }
    }

    /// Gives back the leases of results that nobody in this process uses any more.
    ///
    /// Blocks.
    func endUnusedLeases() throws {
        let ended = memory.withLock { $0.takeEndedLeases() }
        if ended.isEmpty { return }
        try database.write("give leases back") { database in
            for record in ended { try database.endLease("record:\(record)", state.owner) }
        }
    }
}
