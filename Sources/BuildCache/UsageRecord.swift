// SPDX-License-Identifier: Apache-2.0

/// Something beside the cache that is kept in the same state directory, and counted and collected by the same policies.
///
/// Both calls block.
package protocol UsageNeighbour: Sendable {
    /// Everything it keeps, under ids that nothing else has.
    func records() throws -> [UsageRecord]

    /// Removes what one of its records is about.
    ///
    /// - Returns: `false` when it stays because somebody uses it after all.
    func remove(_ record: UsageRecord) throws -> Bool
}

/// One thing that is kept on disk: a layer, a blob, the directory of a cache mount, or what a neighbour has.
package struct UsageRecord: Sendable, Hashable {
    /// The layer's id, `sha256:…` of a blob, `mount-<name>` of a cache mount.
    package var id: String
    package var kind: RecordKind
    package var description: String
    /// Bytes on disk.
    package var size: Int64
    /// Milliseconds since 1970.
    package var created: Int64
    /// Milliseconds since 1970; `nil` when it was not used since it was made.
    package var lastUsed: Int64?
    package var usageCount: Int
    /// Whether a living process uses it.
    package var isInUse: Bool
    /// Whether a stored image stands on it too.
    package var isShared: Bool
    package var isMutable: Bool
    /// Ids of the records it stands on: they stay as long as it does.
    package var parents: [String]

    package init(
        id: String,
        kind: RecordKind = .regular,
        description: String = "",
        size: Int64,
        created: Int64,
        lastUsed: Int64? = nil,
        usageCount: Int = 0,
        isInUse: Bool = false,
        isShared: Bool = false,
        isMutable: Bool = false,
        parents: [String] = []
    ) {
        self.id = id
        self.kind = kind
        self.description = description
        self.size = size
        self.created = created
        self.lastUsed = lastUsed
        self.usageCount = usageCount
        self.isInUse = isInUse
        self.isShared = isShared
        self.isMutable = isMutable
        self.parents = parents
    }
}
