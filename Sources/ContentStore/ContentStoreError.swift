// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// Why the store could not do what it was asked.
package struct ContentStoreError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// The bytes do not hash to the digest that was announced.
        case digestMismatch
        /// The bytes are more or fewer than was announced.
        case sizeMismatch
        /// The store has no such blob.
        case notFound
        /// A blob in the store no longer hashes to its name; it was moved to quarantine.
        case corrupt
        /// More bytes than the caller allowed.
        case tooLarge
        /// The disk, a quota or the inode table is full.
        case noSpace
        /// The state directory cannot be used.
        case unusable
        /// A system call failed for another reason.
        case failed
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// A system call that failed while `doing` something to the store, as "cannot <doing>: <reason>".
    init(_ doing: String, _ error: SystemCallError) {
        self.init(
            error.isNoSpace ? .noSpace : .failed,
            "cannot \(doing): \(error)",
            cause: error
        )
    }

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .digestMismatch, .sizeMismatch, .tooLarge: .input
        case .notFound, .corrupt, .noSpace, .unusable, .failed: .environment
        }
    }
}

/// Runs a function and tells a system call that fails in it as "cannot <doing>: <reason>".
func attempt<Value>(_ doing: @autoclosure () -> String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as SystemCallError {
        throw ContentStoreError(doing(), error)
    }
}
