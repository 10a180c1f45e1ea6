// SPDX-License-Identifier: Apache-2.0

public import OCI

/// A definition, or a request to build one, that was refused.
///
/// It is always the input that is wrong.
public struct LLBError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Code: Hashable, Sendable {
        /// Bytes that are no protobuf or JSON of the expected form.
        case unreadable
        /// A definition that means nothing: a missing input, an unknown operation, an index out of range.
        case malformed
        /// A capability that this engine does not offer.
        case unsupportedCapability
        /// More operations, bytes or levels than are allowed.
        case tooLarge
        /// A graph that was built with wrong parts, such as an invalid image name.
        case invalidGraph
    }

    /// What was wrong.
    public let code: Code
    /// One sentence, lower case, without a full stop.
    public let message: String
    /// The operation it is about, when there is one.
    public let operation: Digest?

    /// An error with its sentence.
    public init(_ code: Code, _ message: String, operation: Digest? = nil) {
        self.code = code
        self.message = message
        self.operation = operation
    }

    /// The sentence.
    public var description: String { message }
}
