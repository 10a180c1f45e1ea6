// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
package import LinuxSystem

/// Why a frontend could not be used or did not bring a result.
package struct FrontendHostError: Error, CustomStringConvertible, FaultClassified {
    /// What happened.
    ///
    /// The raw value is the number in the text, `F104`, and never changes its meaning.
    package enum Code: Int, Sendable, Hashable, CaseIterable {
        /// It wrote to stdout what is no frame.
        case textOnStandardOutput = 101
        case noHandshake = 102
        case silent = 103
        /// It exited, crashed or closed its stdout without a result.
        case exited = 104
        case oversize = 105
        /// It does not read what it is sent.
        case slowReader = 106
        case malformedMessage = 107
        case malformedResult = 108
        /// An answer nobody asked for, or a number used twice.
        case identifier = 109
        /// It speaks BuildKit's gateway protocol.
        case gatewayProtocol = 110
        case incompatible = 111
        /// A frame on a stream nobody announced, or a message cut short.
        case frameOrder = 112
        case deadline = 113
        case outOfMemory = 114
        /// The sandbox or the program could not be started.
        case notStarted = 115
        /// It answered `build` with an error: what it says about the build file.
        case buildFailed = 116
        /// The build was given up.
        case cancelled = 117
        /// A directive or option that names a frontend cannot be read.
        case badReference = 201
        /// A frontend that this project does not have.
        case unknownFrontend = 202
    }

    package let code: Code
    /// The whole text, several lines; for ``Code/buildFailed`` exactly what the frontend said.
    package let message: String
    package let cause: (any Error)?
    package let fault: Fault
    /// What kind of error the frontend answered its work with; set for ``Code/buildFailed`` alone.
    package let kind: ProtocolFailure.Kind?

    package init(
        _ code: Code,
        _ message: String,
        fault: Fault,
        cause: (any Error)? = nil,
        kind: ProtocolFailure.Kind? = nil
    ) {
        self.code = code
        self.message = message
        self.fault = fault
        self.cause = cause
        self.kind = kind
    }

    package var description: String { message }
}
