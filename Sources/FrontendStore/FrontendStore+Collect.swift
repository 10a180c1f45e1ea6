// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import ProjectFiles

/// Letting trees go.
extension FrontendStore {
    /// Removes a tree.
    ///
    /// - Returns: `false` when the store does not have it.
    /// - Throws: `inUse` when a build runs it.
    @discardableResult
    package func remove(_ tree: TreeDigest) throws -> Bool {
        guard let name = Self.name(of: tree), try stands(name) else { return false }
        let lease = try attempt("remove frontend \(tree)") { try openLease(name) }
        guard try attempt("remove frontend \(tree)", { try lease.lock(exclusive: true, wait: false) }) else {
            throw FrontendStoreError(.inUse, "cannot remove the frontend \(tree): a build runs it")
        }
        defer { lease.unlock() }
        guard try stands(name) else { return false }
        try removeLocked(name)
        return true
    }

    /// Whether a build of any process holds a tree at this moment.
    package func isInUse(_ tree: TreeDigest) throws -> Bool {
        guard let name = Self.name(of: tree) else { return false }
        return try attempt("look at frontend \(tree)") {
            let lease = try openLease(name)
            defer { lease.unlock() }
            return try !lease.lock(exclusive: true, wait: false)
        }
    }

    /// Removes the trees that nobody used for a while.
    ///
    /// - Parameters:
    ///   - age: A tree stays when it was used within this time.
    ///   - kept: Trees that stay whatever their age.
    /// - Returns: What was removed; what a build runs is passed over.
    package func collect(unusedFor age: Duration, keeping kept: Set<TreeDigest>) throws -> [StoredFrontend] {
        try sweep()
        let limit = Self.now.seconds - age.components.seconds
        var removed: [StoredFrontend] = []
        for stored in try list() where !kept.contains(stored.tree) && stored.lastUsed.seconds <= limit {
            do {
                if try remove(stored.tree) { removed.append(stored) }
            } catch let error as FrontendStoreError {
                if error.code != .inUse { throw error }
            }
        }
        return removed
    }
}
