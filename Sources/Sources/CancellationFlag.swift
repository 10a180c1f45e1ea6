// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import Synchronization

/// Tells blocking code that the task which waits for it was cancelled.
///
/// Once set it stays set.
final class CancellationFlag: Sendable {
    private let isSet = Atomic<Bool>(false)

    func set() { isSet.store(true, ordering: .relaxed) }

    /// Throws `CancellationError` once the task was cancelled; cheap enough for each file and each megabyte.
    func check() throws {
        if isSet.load(ordering: .relaxed) { throw CancellationError() }
    }
}

/// Runs a blocking function that looks at a flag, and sets the flag when the waiting task is cancelled.
func cancellableBlocking<Value: Sendable>(
    _ body: @escaping @Sendable (CancellationFlag) throws -> Value
) async throws -> Value {
    let flag = CancellationFlag()
    return try await withTaskCancellationHandler {
        try await blocking { try body(flag) }
    } onCancel: {
        flag.set()
    }
}
