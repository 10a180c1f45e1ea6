// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Work that several tasks may want and that runs once.
///
/// The first call starts it, later calls wait for the same run; its value is kept. A failure reaches all who wait, and
/// the next call tries again. A waiter that is cancelled leaves at once; when the last one leaves, the work is
/// cancelled.
final class SharedWork<Value: Sendable>: Sendable {
    private enum Phase {
        case idle
        case running(Task<Void, Never>, waiters: [Int: CheckedContinuation<Value, any Error>])
        case done(Value)
    }

    private struct State {
        var phase = Phase.idle
        /// Tells a run from an earlier one that was cancelled and ends late.
        var run = 0
        var nextWaiter = 0
        var abandoned: Set<Int> = []
    }

    private let state = Mutex(State())
    private let body: @Sendable () async throws -> Value

    init(_ body: @escaping @Sendable () async throws -> Value) { self.body = body }

    /// Work that is done already.
    init(done value: Value) {
        body = { value }
        state.withLock { $0.phase = .done(value) }
    }

    /// The value, once the work is done.
    var finished: Value? {
        state.withLock { if case .done(let value) = $0.phase { value } else { nil } }
    }

    /// Waits for the work, starting it where needed.
    func value() async throws -> Value {
        if let value = finished { return value }
        let waiter = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        defer { _ = state.withLock { $0.abandoned.remove(waiter) } }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { join(waiter, $0) }
        } onCancel: {
            leave(waiter)
        }
    }

    private func join(_ waiter: Int, _ continuation: CheckedContinuation<Value, any Error>) {
        let answer: Result<Value, any Error>? = state.withLock { state in
            if state.abandoned.remove(waiter) != nil { return .failure(CancellationError()) }
            switch state.phase {
            case .done(let value): return .success(value)
            case .running(let task, var waiters):
                waiters[waiter] = continuation
                state.phase = .running(task, waiters: waiters)
            case .idle:
                state.run += 1
                let run = state.run
                let task = Task.detached { [self] in
                    let result: Result<Value, any Error>
                    do {
                        result = .success(try await body())
                    } catch {
                        result = .failure(error)
                    }
                    finish(run, result)
                }
                state.phase = .running(task, waiters: [waiter: continuation])
            }
            return nil
        }
        if let answer { continuation.resume(with: answer) }
    }

    private func leave(_ waiter: Int) {
        let (continuation, orphan) = state.withLock {
            state -> (CheckedContinuation<Value, any Error>?, Task<Void, Never>?) in
            guard case .running(let task, var waiters) = state.phase,
                let continuation = waiters.removeValue(forKey: waiter)
            else {
                // Cancelled before it joined, or after it was answered: the first is told when it joins.
                state.abandoned.insert(waiter)
                return (nil, nil)
            }
            state.phase = waiters.isEmpty ? .idle : .running(task, waiters: waiters)
            return (continuation, waiters.isEmpty ? task : nil)
        }
        orphan?.cancel()
        continuation?.resume(throwing: CancellationError())
    }

    private func finish(_ run: Int, _ result: Result<Value, any Error>) {
        let waiters = state.withLock { state -> [CheckedContinuation<Value, any Error>] in
            guard state.run == run, case .running(_, let waiters) = state.phase else { return [] }
            state.phase = (try? result.get()).map(Phase.done) ?? .idle
            return Array(waiters.values)
        }
        for waiter in waiters { waiter.resume(with: result) }
    }
}
