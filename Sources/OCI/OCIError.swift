// SPDX-License-Identifier: Apache-2.0

/// A value of the OCI world that could not be read.
///
/// It is always the input that is wrong, never the machine.
public struct OCIError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What kind of value was refused.
    public enum Code: Hashable, Sendable {
        case invalidReference, invalidPlatform, invalidJSON, invalidTimestamp, invalidManifest
        case invalidImageConfig
    }

    /// What kind of value was refused.
    public let code: Code
    /// One sentence, lower case, without a full stop.
    public let message: String

    /// An error with its sentence.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The sentence.
    public var description: String { message }
}
