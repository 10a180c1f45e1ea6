// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
internal import SystemPackage

/// A source that could not be read.
package struct SourcesError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// The directory, file or remote does not exist.
        case notFound
        /// The path is no directory.
        case notDirectory
        /// The client may not read it.
        case denied
        /// It kept changing while it was read.
        case changing
        /// A name or value cannot be carried in a build.
        case invalid
        /// The bytes are not those that were announced.
        case digestMismatch
        /// The remote answered with a failure, or not at all.
        case unavailable
        /// Kiln does not read this kind of source.
        case unsupported
        /// The machine failed.
        case system
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
        case .notFound, .notDirectory, .denied, .changing, .invalid, .digestMismatch, .unsupported:
            .input
        case .unavailable, .system: .environment
        }
    }
}

extension SourcesError {
    /// Puts a failed system call into the words of this module.
    ///
    /// - Parameters:
    ///   - error: What the system said.
    ///   - verb: What was to be done, as an infinitive phrase.
    ///   - object: What it was to be done to, as its user knows it.
    init(_ error: SystemCallError, verb: String, object: String) {
        let code: Code =
            switch error.errno {
            case .noSuchFileOrDirectory: .notFound
            case .notDirectory: .notDirectory
            case .permissionDenied, .notPermitted: .denied
            default: .system
            }
        self.init(
            code,
            "cannot \(verb) \(object): \(error.errno.description.lowercased())",
            cause: error
        )
    }
}

extension SystemCallError {
    /// Whether a name that was seen before is gone, or something else stands there now: a symlink
    /// where a directory or file was, a file where a link was.
    var isGone: Bool {
        switch errno {
        case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels, .invalidArgument:
            true
        default: false
        }
    }
}
