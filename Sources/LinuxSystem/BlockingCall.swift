// SPDX-License-Identifier: Apache-2.0

internal import Dispatch

/// Threads for calls that may block: disk, processes, locks.
///
/// The concurrency pool has one thread a core, so a blocking call there can stop every task. Dispatch grows this queue
/// by threads of its own (at most 64) and lets them go when they idle.
private let blockingQueue = DispatchQueue(label: "kiln.blocking", attributes: .concurrent)

/// Runs a blocking function on a thread of its own and waits for it without holding a thread of the concurrency pool.
///
/// The function runs to its end even when the waiting task is cancelled: it must look at nothing but its arguments and
/// end by itself.
package func blocking<Value: Sendable>(
    _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
        blockingQueue.async { continuation.resume(with: Result(catching: body)) }
    }
}
