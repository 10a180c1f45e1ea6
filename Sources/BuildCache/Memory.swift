// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import Snapshots
internal import Solver

/// What the cache knows beyond the database: results that are not durable yet, and leases.
struct Memory {
    struct Slot: Hashable {
        let key: Digest
        let output: Int
    }

    /// A result on its way into the database.
    struct Record {
        let id: Int64
        let slot: Slot
        let tree: FileTree
        let vertex: Digest
        let name: String
        let kind: RecordKind
        let description: String
        let created: Int64
    }

    /// What the world outside said, and when, in milliseconds since 1970.
    typealias Answer = (answer: [UInt8], asked: Int64)

    /// Changes that one transaction will make.
    struct Batch {
        var primaries: [Digest] = []
        var aliases: [(derivation: KeyDerivation, target: Digest)] = []
        var records: [Record] = []
        var drops: [Int64] = []
        var answers: [String: Answer] = [:]

        var isEmpty: Bool {
            primaries.isEmpty && aliases.isEmpty && records.isEmpty && drops.isEmpty
                && answers.isEmpty
        }
    }

    /// A node of a stack by what it is.
    struct StackStep: Hashable {
        let below: Int64
        let layer: LayerID
    }

    private struct Lease {
        weak var top: Layer?
    }

    // MARK: Not durable yet

    /// Keys that lead elsewhere than the database says.
    var primaries: [Digest: Digest] = [:]
    var records: [Slot: Record] = [:]
    /// Records that could not be loaded; their rows go with the next commit.
    var dropped: Set<Int64> = []
    var answers: [String: Answer] = [:]
    /// Primary keys of results in `batch` or in the commit that runs.
    var unsavedKeys: Set<Digest> = []
    /// Keys other processes must wait for until they are saved.
    var keptLocks: [Digest] = []
    var batch = Batch()

    // MARK: Committing

    var isCommitting = false
    var isTimerSet = false
    /// An error of a commit that nobody was told yet.
    var failure: (any Error)?
    var waiting: [CheckedContinuation<Void, Never>] = []

    // MARK: Durable

    /// Layers that have a row and are synced.
    var durableLayers: Set<LayerID> = []
    /// Nodes of stacks that were seen; another process may have removed them since.
    var stackNodes: [StackStep: Int64] = [:]
    /// Leases on records, as long as their top layer is in use here.
    private var leases: [Int64: Lease] = [:]

    func primary(of key: Digest) -> Digest? {
        // A forced run makes a primary key lead to another one; what led to it follows.
        guard var last = primaries[key] else { return nil }
        for _ in 0..<8 {
            guard let next = primaries[last], next != last else { break }
            last = next
        }
        return last
    }

    mutating func lease(_ record: Int64, _ tree: FileTree) {
        if let top = tree.layers.last { leases[record] = Lease(top: top) }
    }

    /// The leases of records that nobody uses here any more, which are forgotten.
    mutating func takeEndedLeases() -> [Int64] {
        let ended = leases.filter { $0.value.top == nil }.map(\.key)
        for record in ended { leases[record] = nil }
        return ended
    }

    /// Forgets what a commit made durable.
    ///
    /// - Returns: Keys whose locks can go.
    mutating func settle(_ batch: Batch) -> [Digest] {
        for record in batch.records where records[record.slot]?.id == record.id {
            records[record.slot] = nil
        }
        for (derivation, target) in batch.aliases where primaries[derivation.key.digest] == target {
            primaries[derivation.key.digest] = nil
        }
        for key in batch.primaries {
            if primaries[key] == key { primaries[key] = nil }
            unsavedKeys.remove(key)
        }
        // The same key may have been saved again meanwhile.
        unsavedKeys.formUnion(self.batch.primaries)
        dropped.subtract(batch.drops)
        for (question, answer) in batch.answers where answers[question]?.asked == answer.asked {
            answers[question] = nil
        }
        let released = keptLocks.filter { !unsavedKeys.contains($0) }
        keptLocks.removeAll { !unsavedKeys.contains($0) }
        return released
    }
}
