// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// Why an exchange with a registry failed.
///
/// The message is a whole sentence: what was to be done with which image, what the registry
/// answered, and what its reader can do about it. It never holds a password, a token or the query
/// of a URL.
package struct RegistryError: Error, CustomStringConvertible, Sendable {
    package enum Code: Sendable, Hashable {
        /// The repository, tag or blob is not there, or this login may not see it: registries do
        /// not tell which.
        case notFound
        /// The registry wants a login, or refuses the one it got.
        case unauthorized
        /// The registry understood the request and said no.
        case refused
        /// No connection, a lost connection, or an error of the server that outlasted all retries.
        case unavailable
        /// The registry was silent for too long, or too slow.
        case timedOut
        /// A manifest, config or answer is larger than the limit its message names.
        case tooLarge
        /// The bytes do not hash to the digest they were asked by.
        case digestMismatch
        /// The bytes are more or fewer than their descriptor announced.
        case sizeMismatch
        /// The answer breaks the distribution protocol.
        case badResponse
        /// The login configuration cannot be read, or a credential helper failed.
        case credentials
        /// The client was shut down.
        case closed
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?
    /// The status of the answer that ended the exchange, where there was one.
    package let status: Int?
    /// Whether the same request may succeed a little later.
    package let isTransient: Bool
    /// How long the server asked us to wait.
    let retryAfter: Duration?

    package init(
        _ code: Code,
        _ message: String,
        status: Int? = nil,
        cause: (any Error)? = nil,
        isTransient: Bool = false,
        retryAfter: Duration? = nil
    ) {
        self.code = code
        self.message = message
        self.status = status
        self.cause = cause
        self.isTransient = isTransient
        self.retryAfter = retryAfter
    }

    package var description: String { message }

    /// The same error, told as the reason why a larger undertaking failed, as
    /// "pull docker.io/library/busybox:latest".
    func failing(_ undertaking: String) -> RegistryError {
        RegistryError(
            code,
            "cannot \(undertaking): \(message)",
            status: status,
            cause: cause,
            isTransient: isTransient,
            retryAfter: retryAfter
        )
    }
}

extension RegistryError: FaultClassified {
    package var fault: Fault {
        switch code {
        case .notFound, .unauthorized, .refused: .input
        case .unavailable, .timedOut, .tooLarge, .digestMismatch, .sizeMismatch, .badResponse,
            .credentials:
            .environment
        case .closed: .defect
        }
    }
}
