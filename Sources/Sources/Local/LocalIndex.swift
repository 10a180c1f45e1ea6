// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI

/// What earlier scans learned about the files of one directory: the digest of each, and by which
/// facts to know it again.
///
/// A file is the one of the record when device, inode, size, mtime and ctime are equal. The kernel
/// sets ctime at each change of bytes, mode or attributes and no call can set it back, so a record
/// outlives renames of parents but no change. Paths are not kept: they play no part in the
/// question.
///
/// The file is a cache of work, never a truth: it is replaced by rename, ends in a checksum, and is
/// ignored when it does not hold.
struct LocalIndex: Sendable {
    /// What is known about one file.
    struct Record: Sendable {
        var device: UInt64
        var inode: UInt64
        var size: UInt64
        var modified: FileStatus.Time
        var changed: FileStatus.Time
        var digest: Digest
        /// Whether the file has attributes that a build carries, so that a scan asks for them only
        /// then.
        var hasAttributes: Bool
        /// Day since 1970 when a scan last met the file; records that nobody met for long are
        /// dropped.
        var lastSeenDay: UInt32
    }

    /// Days a record is kept though no scan meets its file.
    static let keptDays: UInt32 = 30
    /// Most records of an index; those met longest ago go first.
    static let recordLimit = 4_000_000

    /// Sorted by inode, then device.
    private(set) var records: [Record]

    /// - Parameter records: Sorted by inode, then device.
    init(records: [Record] = []) { self.records = records }

    /// The position of the record that describes exactly this file, or `nil`.
    func find(_ status: FileStatus) -> Int? {
        var low = 0
        var high = records.count
        while low < high {
            let middle = (low + high) / 2
            let record = records[middle]
            if (record.inode, record.device) < (status.inode, status.device) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < records.count else { return nil }
        let record = records[low]
        let isSame =
            record.inode == status.inode && record.device == status.device
            && record.size == status.size
            && record.modified == status.modified && record.changed == status.changed
        return isSame ? low : nil
    }

    /// Takes in what a scan learned.
    ///
    /// - Parameters:
    ///   - learned: Records of files that were hashed.
    ///   - met: Positions of records whose files the scan met unchanged.
    ///   - today: Days since 1970.
    /// - Returns: Whether anything changed that is worth writing.
    mutating func merge(learned: [Record], met: [Int], today: UInt32) -> Bool {
        var isStale = !learned.isEmpty
        for position in met where records[position].lastSeenDay != today {
            records[position].lastSeenDay = today
            isStale = true
        }
        if !isStale { return false }
        var added = learned.sorted { ($0.inode, $0.device) < ($1.inode, $1.device) }[...]
        var merged: [Record] = []
        merged.reserveCapacity(records.count + added.count)
        for old in records {
            while let new = added.first, (new.inode, new.device) < (old.inode, old.device) {
                merged.append(new)
                added.removeFirst()
            }
            if let new = added.first, new.inode == old.inode, new.device == old.device { continue }
            if old.lastSeenDay &+ Self.keptDays >= today { merged.append(old) }
        }
        merged += added
        // Two names of one inode are hashed twice in one scan at most: keep one record.
        var unique: [Record] = []
        unique.reserveCapacity(merged.count)
        for record in merged {
            if let last = unique.last, last.inode == record.inode, last.device == record.device {
                unique[unique.count - 1] = record
            } else {
                unique.append(record)
            }
        }
        if unique.count > Self.recordLimit {
            let days = unique.map(\.lastSeenDay).sorted(by: >)
            let oldest = days[Self.recordLimit - 1]
            unique.removeAll { $0.lastSeenDay < oldest }
            unique = Array(unique.prefix(Self.recordLimit))
        }
        records = unique
        return true
    }
}
