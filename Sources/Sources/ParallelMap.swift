// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc
internal import Synchronization

/// Processors of the machine, at least one.
private let coreCount = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

/// Runs a blocking function for each index below `count` on all cores and gives the results in
/// order of index.
///
/// The calling thread takes part, so this never waits for a thread of a pool, and may be nested.
/// After a failure no further index is begun.
///
/// - Parameters:
///   - count: How many indices there are.
///   - grain: How many neighbouring indices a thread takes at once.
///   - body: Gives the result of one index; called from several threads.
/// - Returns: One result an index.
/// - Throws: The error of the lowest index among those that failed.
func parallelMap<Value: Sendable>(
    count: Int,
    grain: Int = 1,
    _ body: @Sendable (Int) throws -> Value
) throws -> [Value] {
    if count <= grain || coreCount == 1 { return try (0..<max(0, count)).map(body) }
    let work = ParallelWork<Value>(count: count, grain: max(1, grain))
    DispatchQueue.concurrentPerform(iterations: min(coreCount, work.partCount)) { _ in
        work.run(body)
    }
    return try work.finish()
}

/// What the threads of one ``parallelMap(count:grain:_:)`` share.
private final class ParallelWork<Value: Sendable>: Sendable {
    private struct State {
        var parts: [(first: Int, values: [Value])] = []
        var failure: (index: Int, error: any Error)?
    }

    private let count: Int
    private let grain: Int
    private let next = Atomic<Int>(0)
    private let hasFailed = Atomic<Bool>(false)
    private let state = Mutex(State())

    init(count: Int, grain: Int) {
        self.count = count
        self.grain = grain
    }

    var partCount: Int { (count + grain - 1) / grain }

    func run(_ body: (Int) throws -> Value) {
        var own: [(first: Int, values: [Value])] = []
        while !hasFailed.load(ordering: .relaxed) {
            let first = next.wrappingAdd(grain, ordering: .relaxed).oldValue
            if first >= count { break }
            var values: [Value] = []
            values.reserveCapacity(grain)
            for index in first..<min(count, first + grain) {
                do {
                    values.append(try body(index))
                } catch {
                    fail(index, error)
                    return
                }
            }
            own.append((first, values))
        }
        state.withLock { $0.parts += own }
    }

    private func fail(_ index: Int, _ error: any Error) {
        state.withLock { state in
            if (state.failure?.index ?? Int.max) > index { state.failure = (index, error) }
        }
        hasFailed.store(true, ordering: .relaxed)
    }

    func finish() throws -> [Value] {
        let (parts, failure) = state.withLock { ($0.parts, $0.failure) }
        if let failure { throw failure.error }
        var all: [Value] = []
        all.reserveCapacity(count)
        for part in parts.sorted(by: { $0.first < $1.first }) { all += part.values }
        return all
    }
}
