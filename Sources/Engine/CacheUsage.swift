// SPDX-License-Identifier: Apache-2.0

public import OCI

/// One thing the cache keeps on disk.
public struct CacheRecordInfo: Sendable {
    /// Names it in this cache.
    public var id: String
    /// `regular`, `source.local`, `exec.cachemount`, `frontend`, `internal`, …, as BuildKit names them;
    /// `frontend.result` is what a frontend made and need not make again.
    public var type: String
    /// What it is, in a line.
    public var description: String
    /// Bytes on disk.
    public var size: Int64
    /// When it was made.
    public var created: Timestamp
    /// When a build last used it; `nil` for never.
    public var lastUsed: Timestamp?
    /// How many builds used it.
    public var usageCount: Int
    /// Whether a running build holds it.
    public var inUse: Bool
    /// Whether an image stands on it too.
    public var shared: Bool
    /// Whether it changes, as a cache mount does.
    public var mutable: Bool
    /// Records it stands on.
    public var parents: [String]

    /// Takes the parts as they are.
    public init(id: String, type: String, description: String, size: Int64, created: Timestamp) {
        self.id = id
        self.type = type
        self.description = description
        self.size = size
        self.created = created
        usageCount = 0
        inUse = false
        shared = false
        mutable = false
        parents = []
    }
}

/// Everything the cache keeps.
public struct CacheUsage: Sendable {
    /// Every record.
    public var records: [CacheRecordInfo]
    /// Bytes on disk of all records together.
    public var totalSize: Int64

    /// Takes the parts as they are.
    public init(records: [CacheRecordInfo], totalSize: Int64) {
        self.records = records
        self.totalSize = totalSize
    }
}

/// What may be removed from the cache, by BuildKit's policy fields.
///
/// All sizes zero means everything that matches.
public struct PruneRequest: Sendable {
    /// Also internal and frontend records, and those an image shares.
    public var all = false
    /// containerd filters; a record goes when one of them matches.
    ///
    /// Empty matches everything.
    public var filters: [String] = []
    /// Records used within this many seconds stay.
    public var keepSeconds: Int64 = 0
    /// Bytes that are never collected.
    public var reservedSpace: Int64 = 0
    /// Bytes the cache may take at most.
    public var maxUsedSpace: Int64 = 0
    /// Bytes of the disk that shall be free.
    public var minFreeSpace: Int64 = 0

    /// Takes the parts as they are.
    public init() {}
}
