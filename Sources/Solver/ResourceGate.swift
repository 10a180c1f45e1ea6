// SPDX-License-Identifier: Apache-2.0

internal import DequeModule
internal import Synchronization

/// Bounds how many executions of a kind run at once; who came first goes first.
final class ResourceGate: Sendable {
    private struct Entrance {
        var freeCount: Int
        var queue: Deque<(number: Int, continuation: CheckedContinuation<Void, any Error>)> = []
    }

    private struct State {
        var processor: Entrance
        var network: Entrance
        var lastNumber = 0

        mutating func with<Value>(
            _ needs: ResourceNeeds,
            _ body: (inout Entrance) -> Value
        ) -> Value {
            needs == .network ? body(&network) : body(&processor)
        }
    }

    private let state: Mutex<State>

    init(limits: SolverLimits) {
        state = Mutex(
            State(
                processor: Entrance(freeCount: limits.processorCount),
                network: Entrance(freeCount: limits.networkCount)
            )
        )
    }

    /// Runs a body when there is room for it.
    ///
    /// - Throws: `CancellationError` when the task is cancelled while it waits, and what the body throws.
    func with<Value>(_ needs: ResourceNeeds, _ body: () async throws -> Value) async throws -> Value {
        if needs == .none { return try await body() }
        try await enter(needs)
        defer { leave(needs) }
        return try await body()
    }

    private func enter(_ needs: ResourceNeeds) async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                // A cancellation is seen here, or its handler finds the continuation in the queue.
                let answer: Result<Void, any Error>? = state.withLock { state in
                    state.with(needs) { entrance in
                        if Task.isCancelled { return .failure(CancellationError()) }
                        if entrance.freeCount > 0 {
                            entrance.freeCount -= 1
                            return .success(())
                        }
                        entrance.queue.append((number, continuation))
                        return nil
                    }
                }
                if let answer { continuation.resume(with: answer) }
            }
        } onCancel: {
            let waiting: CheckedContinuation<Void, any Error>? = state.withLock { state in
                state.with(needs) { entrance in
                    entrance.queue.firstIndex { $0.number == number }
                        .map { entrance.queue.remove(at: $0).continuation }
                }
            }
            waiting?.resume(throwing: CancellationError())
        }
    }

    private func leave(_ needs: ResourceNeeds) {
        let next: CheckedContinuation<Void, any Error>? = state.withLock { state in
            state.with(needs) { entrance in
                if let next = entrance.queue.popFirst() { return next.continuation }
                entrance.freeCount += 1
                return nil
            }
        }
        next?.resume()
    }
}
