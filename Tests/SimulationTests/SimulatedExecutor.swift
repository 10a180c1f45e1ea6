// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Runs tasks one piece at a time, in an order that a seed decides.
///
/// Each stretch of a task between two suspensions is one job here, so every interleaving that a pool of threads could
/// show can come up, and comes up again with the same seed.
final class SimulatedExecutor: TaskExecutor {
    private let jobs = Mutex<[UnownedJob]>([])

    func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        jobs.withLock { $0.append(unowned) }
    }

    /// Runs one waiting job.
    ///
    /// - Returns: `false` when none waits.
    func runOne(_ random: inout SeededGenerator) -> Bool {
        let count = jobs.withLock { $0.count }
        if count == 0 { return false }
        let index = Int.random(in: 0..<count, using: &random)
        let job = jobs.withLock { jobs in
            jobs.swapAt(index, jobs.count - 1)
            return jobs.removeLast()
        }
        unsafe job.runSynchronously(on: asUnownedTaskExecutor())
        return true
    }
}

/// SplitMix64: small, and the same on every machine.
struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return Self.mix(state)
    }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
