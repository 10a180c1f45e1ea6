// SPDX-License-Identifier: Apache-2.0

package import OCI
internal import Synchronization

/// How far the transfer of one blob or manifest has come.
package struct TransferProgress: Sendable, Hashable {
    package enum Stage: Sendable, Hashable {
        case downloading, uploading
        /// It is where it should be; ``current`` equals ``total``.
        case done
        /// It was there already, and nothing was sent.
        case alreadyThere
    }

    package let digest: Digest
    package let stage: Stage
    /// Bytes so far.
    ///
    /// Falls back when a transfer has to begin anew.
    package let current: Int64
    /// Bytes in all.
    package let total: Int64

    package init(digest: Digest, stage: Stage, current: Int64, total: Int64) {
        self.digest = digest
        self.stage = stage
        self.current = current
        self.total = total
    }
}

/// Is told about progress, from any thread, often; it must return at once.
package typealias ProgressHandler = @Sendable (TransferProgress) -> Void

/// Downloads that run, so that a blob wanted by many at once is fetched once.
///
/// The work is cancelled when its last waiter leaves.
final class SharedTransfers: Sendable {
    private struct Waiter {
        let continuation: CheckedContinuation<Void, any Error>
        let progress: ProgressHandler?
    }

    private struct Transfer {
        let number: Int
        var task: Task<Void, Never>?
        var waiters: [Int: Waiter] = [:]
    }

    private struct State {
        var nextNumber = 0
        var transfers: [Digest: Transfer] = [:]
        /// Waiters that were cancelled before they could wait.
        var cancelled: Set<Int> = []
    }

    private let state = Mutex(State())

    /// Waits for the transfer of a digest, and starts it when none runs.
    ///
    /// The work does the transfer, in a task of its own, and calls its argument with the progress.
    /// The answer tells whether this call's own work ran, and not that of an earlier caller, and
    /// how it failed. Only a cancellation of the caller is thrown.
    @discardableResult
    func join(
        _ digest: Digest,
        progress: ProgressHandler?,
        _ work: @escaping @Sendable (@escaping ProgressHandler) async throws -> Void
    ) async throws -> (led: Bool, failure: (any Error)?) {
        let waiter = newNumber()
        let led = Mutex(false)
        do {
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    enter(
                        digest,
                        waiter,
                        Waiter(continuation: continuation, progress: progress),
                        work,
                        led
                    )
                }
            } onCancel: {
                leave(digest, waiter)
            }
            state.withLock { _ = $0.cancelled.remove(waiter) }
            return (led.withLock { $0 }, nil)
        } catch {
            state.withLock { _ = $0.cancelled.remove(waiter) }
            if error is CancellationError, Task.isCancelled { throw error }
            return (led.withLock { $0 }, error)
        }
    }

    private func newNumber() -> Int {
        state.withLock { state in
            state.nextNumber += 1
            return state.nextNumber
        }
    }

    private func enter(
        _ digest: Digest,
        _ number: Int,
        _ waiter: Waiter,
        _ work: @escaping @Sendable (@escaping ProgressHandler) async throws -> Void,
        _ led: borrowing Mutex<Bool>
    ) {
        let transferNumber = newNumber()
        let action = state.withLock { state -> (cancelled: Bool, starts: Bool) in
            if state.cancelled.remove(number) != nil { return (true, false) }
            if state.transfers[digest] != nil {
                state.transfers[digest]?.waiters[number] = waiter
                return (false, false)
            }
            state.transfers[digest] = Transfer(number: transferNumber, waiters: [number: waiter])
            return (false, true)
        }
        if action.cancelled { waiter.continuation.resume(throwing: CancellationError()) }
        guard action.starts else { return }
        led.withLock { $0 = true }
        let task = Task { [self] in
            let result: Result<Void, any Error>
            do {
                try await work { [self] in report($0, digest, transferNumber) }
                result = .success(())
            } catch {
                result = .failure(error)
            }
            finish(digest, transferNumber, result)
        }
        let isGone = state.withLock { state in
            guard state.transfers[digest]?.number == transferNumber else { return true }
            state.transfers[digest]?.task = task
            return false
        }
        // Either it is finished, or its last waiter left before the task was known.
        if isGone { task.cancel() }
    }

    private func report(_ progress: TransferProgress, _ digest: Digest, _ number: Int) {
        let handlers = state.withLock { state in
            guard let transfer = state.transfers[digest], transfer.number == number else {
                return [ProgressHandler]()
            }
            return transfer.waiters.values.compactMap(\.progress)
        }
        for handler in handlers { handler(progress) }
    }

    private func finish(_ digest: Digest, _ number: Int, _ result: Result<Void, any Error>) {
        let waiters = state.withLock { state -> [Waiter] in
            guard let transfer = state.transfers[digest], transfer.number == number else {
                return []
            }
            state.transfers[digest] = nil
            return Array(transfer.waiters.values)
        }
        for waiter in waiters { waiter.continuation.resume(with: result) }
    }

    private func leave(_ digest: Digest, _ number: Int) {
        let (waiter, abandoned) = state.withLock { state -> (Waiter?, Task<Void, Never>?) in
            guard let waiter = state.transfers[digest]?.waiters.removeValue(forKey: number) else {
                state.cancelled.insert(number)
                return (nil, nil)
            }
            guard let transfer = state.transfers[digest], transfer.waiters.isEmpty else {
                return (waiter, nil)
            }
            state.transfers[digest] = nil
            return (waiter, transfer.task)
        }
        abandoned?.cancel()
        waiter?.continuation.resume(throwing: CancellationError())
    }
}
