// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// Why a build cannot go on, in words for its user.
///
/// The engine shows the message as it is.
public struct BuildError: Error, Sendable, CustomStringConvertible {
    /// The whole text; may have several lines.
    public let message: String
    /// The request to the engine that failed, when the message tells about one: the engine then keeps its own error.
    let cause: ProtocolFailure?

    /// An error in the build file or the options.
    public init(_ message: String) {
        self.message = message
        cause = nil
    }

    /// An error around a failed request: says where in the build file it happened, and keeps what
    /// happened.
    ///
    /// - `cause`: What a call of ``FrontendSession`` threw.
    public init(_ message: String, because cause: any Error) {
        self.message = message
        self.cause = (cause as? ProtocolFailure) ?? (cause as? BuildError)?.cause
    }

    /// The message.
    public var description: String { message }

    var failure: ProtocolFailure {
        guard let cause else { return ProtocolFailure(.buildFile, message) }
        return ProtocolFailure(cause.kind, message, data: cause.data)
    }
}
