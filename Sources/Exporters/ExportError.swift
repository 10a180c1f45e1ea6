// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
internal import SystemPackage

/// Why a result could not be exported.
package struct ExportError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// There is no exporter of that type.
        case unknownType
        /// An attribute is not known, or its value cannot be understood.
        case invalidAttribute
        /// Attributes, results and destination do not go together.
        case conflict
        /// An image name, config or annotation breaks its rules.
        case invalidImage
        /// The destination cannot be written.
        case unwritable
        /// The disk, a quota or the inode table is full.
        case noSpace
        /// Kiln has promised something it did not do.
        case defect
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// A system call that failed on the destination, as "cannot <doing>: <reason>".
    init(_ doing: String, _ error: SystemCallError) {
        self.init(
            error.isNoSpace ? .noSpace : .unwritable,
            "cannot \(doing): \(error.errno.description.lowercased())",
            cause: error
        )
    }

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .unknownType, .invalidAttribute, .conflict, .invalidImage: .input
        case .unwritable, .noSpace: .environment
        case .defect: .defect
        }
    }
}

/// Runs a function and tells a system call that fails in it as "cannot <doing>: <reason>".
func attempt<Value>(_ doing: @autoclosure () -> String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as SystemCallError {
        throw ExportError(doing(), error)
    }
}
