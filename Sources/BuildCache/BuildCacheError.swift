// SPDX-License-Identifier: Apache-2.0

internal import GRDB
package import LinuxSystem

/// Why the build cache could not do what it was asked.
package struct BuildCacheError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// The database was written by a later version of Kiln.
        case newerDatabase
        /// The record, or a layer it names, is gone.
        case lost
        /// Other processes kept the database busy for longer than ``CacheDatabase/busySeconds``.
        case busy
        /// The disk is full.
        case noSpace
        /// A filter of a prune or usage request makes no sense.
        case invalidFilter
        /// The database failed for another reason.
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

    /// An error of the database while `doing` something, as "cannot <doing>: <reason>".
    init(_ doing: String, _ error: any Error) {
        let database = error as? DatabaseError
        let code: Code =
            switch database?.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED: .busy
            case .SQLITE_FULL: .noSpace
            default: .failed
            }
        let remedy =
            switch code {
            case .busy: "; another process works on kiln.db, try again"
            case .noSpace: "; free some space on the disk of the state directory"
            default: ""
            }
        let reason = database.map { $0.message ?? $0.resultCode.description } ?? "\(error)"
        self.init(code, "cannot \(doing): \(reason)\(remedy)", cause: error)
    }

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .invalidFilter: .input
        case .newerDatabase, .lost, .busy, .noSpace, .failed: .environment
        }
    }
}

/// Runs a function and tells what fails in it as "cannot <doing>: <reason>".
func attempt<Value>(_ doing: @autoclosure () -> String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as BuildCacheError {
        throw error
    } catch {
        throw BuildCacheError(doing(), error)
    }
}
