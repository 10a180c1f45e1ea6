// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// Why a sandbox could not be made or was lost.
///
/// The exit of the process inside is never an error of this type.
package struct SandboxError: Error, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable {
        /// The launcher is missing, or this host cannot run sandboxes.
        case unavailable
        /// The spec asks for something that is not allowed or not possible.
        case invalidSpec
        /// The kernel refused a step of the set-up; the process inside never ran.
        case setupFailed
        /// The launcher died, or said something it should not.
        case launcherLost
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .invalidSpec: .input
        case .unavailable, .setupFailed, .launcherLost: .environment
        }
    }
}
