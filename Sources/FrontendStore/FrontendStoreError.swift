// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// Why a frontend could not be packed, published, fetched or stored.
///
/// What has an `F2…` code is told by `ProjectError` instead: it belongs to the choice of a frontend.
package struct FrontendStoreError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// A place that is none, such as `ftp://…`.
        case badOrigin
        /// Files that no package may have: links out of it, devices, names that are one on other file systems.
        case badPackage
        /// A release that lacks what makes it one, or contradicts itself.
        case badRelease
        /// A key or signature that cannot be read, or that does not verify.
        case badSignature
        /// A signature is required, and there is none by a trusted key.
        case untrusted
        /// The place has no such release or file.
        case notFound
        /// What is to be made stands already, with other content.
        case conflict
        /// More, or larger, than a named limit.
        case tooLarge
        /// A stored tree is not what its name says.
        case damaged
        /// Somebody uses it.
        case inUse
        /// The machine could not do it.
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

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .badOrigin, .badPackage, .badRelease, .badSignature, .untrusted, .notFound, .conflict, .tooLarge: .input
        case .damaged, .inUse, .failed: .environment
        }
    }
}

/// Runs a function and tells a system call that fails in it as "cannot <doing>: <reason>".
func attempt<Value>(_ doing: @autoclosure () -> String, _ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as SystemCallError {
        throw FrontendStoreError(.failed, "cannot \(doing()): \(error)", cause: error)
    }
}
