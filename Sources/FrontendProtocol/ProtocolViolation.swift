// SPDX-License-Identifier: Apache-2.0

/// A rule of the protocol that the peer broke so that the session cannot go on.
package struct ProtocolViolation: Error, Sendable, Hashable, CustomStringConvertible {
    /// Which rule.
    package enum Code: Sendable, Hashable {
        /// A frame began with a byte other than 0: text went where frames belong.
        case text
        /// The bytes are the preface of HTTP/2: a BuildKit gateway frontend.
        case gatewayProtocol
        /// A frame, message or blob is longer than its limit.
        case oversize
        /// A frame came on a stream nobody announced, or out of its order.
        case frameOrder
        /// A message is not the JSON the protocol allows.
        case malformedJSON
        /// JSON, but no request, notification or answer.
        case malformedMessage
        /// A request id that is in use, or an answer to a request nobody made.
        case unknownIdentifier
        /// An answer without a member it must have.
        case malformedResult
        /// The bytes end inside a frame, or between a message and its blobs.
        case truncated
    }

    package let code: Code
    /// A sentence with what was seen and what is allowed, lower case, no full stop.
    package let message: String
    /// For ``Code/text`` and ``Code/gatewayProtocol``: the first bytes that are no frame.
    package let sample: [UInt8]

    package init(_ code: Code, _ message: String, sample: [UInt8] = []) {
        self.code = code
        self.message = message
        self.sample = sample
    }

    package var description: String { message }
}
