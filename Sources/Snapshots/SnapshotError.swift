// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
internal import SystemPackage

/// Why a file tree could not be read, written or stored.
package struct SnapshotError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// There is no such path in the tree, or no such layer on disk.
        case notFound
        /// A path that must be a directory is something else.
        case notDirectory
        /// A path that must not be a directory is one.
        case isDirectory
        /// Something else stands at the path.
        case exists
        /// Symlinks lead in a circle, or through more than ``TreePath/symbolicLinkLimit`` of them.
        case tooManyLinks
        /// A path, pattern, mode or option cannot be understood.
        case invalid
        /// An archive breaks the rules of its format or one of our limits.
        case badArchive
        /// The bytes are not those their digest promised.
        case digestMismatch
        /// More bytes or entries than allowed.
        case tooLarge
        /// The disk, a quota or the inode table is full.
        case noSpace
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

    /// A system call that failed, as "cannot <doing>: <reason>".
    init(_ doing: String, _ error: SystemCallError) {
        self.init(
            error.isNoSpace ? .noSpace : .failed,
            "cannot \(doing): \(error.errno.description.lowercased())",
            cause: error
        )
    }

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .notFound, .notDirectory, .isDirectory, .exists, .tooManyLinks, .invalid, .badArchive, .digestMismatch,
            .tooLarge:
            .input
        case .noSpace, .failed: .environment
        }
    }
}

/// Runs a function and tells a system call that fails in it as "cannot <doing>: <reason>".
func attempt<Value>(_ doing: @autoclosure () -> String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as SystemCallError {
        throw SnapshotError(doing(), error)
    }
}
