// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// Why an archive could not be read or written.
package struct ArchiveError: Error, Sendable, CustomStringConvertible, FaultClassified {
    package enum Code: Sendable, Hashable {
        /// The bytes are no archive, end early, or hold something that makes no sense.
        case malformed
        /// The archive is larger than a named limit.
        case tooLarge
        /// A compression or format that is not offered.
        case unsupported
        /// The compressor or the archive library failed for no fault of the bytes.
        case failed
    }

    package let code: Code
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }

    package var fault: Fault {
        switch code {
        case .malformed, .tooLarge, .unsupported: .input
        case .failed: .environment
        }
    }
}
