// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import LinuxSystem
internal import Synchronization

/// The bytes on their way to a frontend, and the loop that writes them.
///
/// Adding never blocks, so reading from the frontend never waits for writing to it. Large answers reserve room before
/// their bytes are even read, so what waits here stays near ``byteLimit``.
final class OutgoingQueue: Sendable {
    /// How many bytes may wait.
    static let byteLimit = 64 << 20

    private struct State {
        var pieces: [[UInt8]] = []
        var queuedBytes = 0
        var reservedBytes = 0
        var waiters: [Waiter] = []
        /// When the write that is going on began.
        var writingSince: ContinuousClock.Instant?
        /// Nothing more is taken; what is queued is still written, unless the peer is gone.
        var isClosed = false
        var isPeerGone = false
    }

    private struct Waiter {
        let byteCount: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private let state = Mutex(State())
    private let available = DispatchSemaphore(value: 0)

    /// Adds the pieces of one message.
    ///
    /// - Returns: `false` when too much waits: the peer does not read, and nothing was added.
    func add(_ pieces: [[UInt8]]) -> Bool {
        let byteCount = pieces.reduce(0) { $0 + $1.count }
        let isAdded = state.withLock { state in
            if state.isClosed || state.isPeerGone { return true }
            // One message may exceed the limit when it is alone: limits of the session bound it.
            if state.queuedBytes > 0, state.queuedBytes + byteCount > 2 * Self.byteLimit {
                return false
            }
            state.pieces.append(contentsOf: pieces)
            state.queuedBytes += byteCount
            return true
        }
        available.signal()
        return isAdded
    }

    /// Waits until an answer of so many bytes has room.
    ///
    /// Balance it with ``unreserve(_:)`` once the answer is added.
    func reserve(_ byteCount: Int) async {
        await withCheckedContinuation { continuation in
            let isGranted = state.withLock { state in
                if hasRoom(state, for: byteCount), state.waiters.isEmpty {
                    state.reservedBytes += byteCount
                    return true
                }
                state.waiters.append(Waiter(byteCount: byteCount, continuation: continuation))
                return false
            }
            if isGranted { continuation.resume() }
        }
    }

    /// Ends a reservation.
    func unreserve(_ byteCount: Int) {
        wake { $0.reservedBytes -= byteCount }
    }

    /// Takes nothing more; the loop ends when all is written.
    func close() {
        wake { $0.isClosed = true }
        available.signal()
    }

    /// For how long the write that is going on has not got on.
    func blockedDuration(at now: ContinuousClock.Instant) -> Duration {
        state.withLock { $0.writingSince }.map { now - $0 } ?? .zero
    }

    /// Writes until the queue is closed and empty, or the peer is gone.
    ///
    /// Runs on a thread of its own.
    ///
    /// - `willWrite`: Gets each piece before it is written.
    /// - `progress`: Called after each piece.
    func run(to descriptor: Descriptor, willWrite: ([UInt8]) -> Void, progress: () -> Void) {
        while true {
            available.wait()
            let (pieces, isOver) = state.withLock { state in
                let pieces = state.pieces
                state.pieces = []
                return (pieces, state.isClosed)
            }
            for piece in pieces {
                state.withLock { $0.writingSince = .now }
                willWrite(piece)
                let isWritten = (try? descriptor.write(piece)) != nil
                wake { state in
                    state.writingSince = nil
                    state.queuedBytes -= piece.count
                    if !isWritten {
                        state.isPeerGone = true
                        state.pieces = []
                        state.queuedBytes = 0
                    }
                }
                // What a dead peer does not read is no error here: its end is seen by who reads from it.
                guard isWritten else { return }
                progress()
            }
            if isOver { return }
        }
    }

    private func hasRoom(_ state: State, for byteCount: Int) -> Bool {
        let used = state.queuedBytes + state.reservedBytes
        return used == 0 || used + byteCount <= Self.byteLimit || state.isClosed || state.isPeerGone
    }

    /// Changes the state and lets in whoever now has room, in order.
    private func wake(_ change: (inout State) -> Void) {
        let woken = state.withLock { state in
            change(&state)
            var woken: [CheckedContinuation<Void, Never>] = []
            while let first = state.waiters.first, hasRoom(state, for: first.byteCount) {
                state.reservedBytes += first.byteCount
                woken.append(state.waiters.removeFirst().continuation)
            }
            return woken
        }
        for continuation in woken { continuation.resume() }
    }
}
