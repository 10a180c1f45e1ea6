// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Tells blocking code that the task which waits for it was cancelled.
///
/// Once set it stays set.
package final class CancellationFlag: Sendable {
    private let isSet = Atomic<Bool>(false)

    package init() {}

    package func set() { isSet.store(true, ordering: .relaxed) }

    /// Throws `CancellationError` once the task was cancelled; cheap enough for each file and each
    /// megabyte.
    package func check() throws {
        if isSet.load(ordering: .relaxed) { throw CancellationError() }
    }
}

/// Runs a blocking function that looks at a flag, and sets the flag when the waiting task is
/// cancelled.
package func cancellableBlocking<Value: Sendable>(
    _ body: @escaping @Sendable (CancellationFlag) throws -> Value
) async throws -> Value {
    let flag = CancellationFlag()
    return try await withTaskCancellationHandler {
        try await blocking { try body(flag) }
    } onCancel: {
        flag.set()
    }
}
