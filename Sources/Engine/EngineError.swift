// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
package import FrontendProtocol
package import LinuxSystem

/// Why the engine refused or failed a build.
public struct EngineError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable, Hashable {
        /// A definition or an operation in it is malformed.
        case invalidDefinition
        /// An option of the request is wrong.
        case invalidRequest
        /// A file or directory the request names does not exist.
        case missingFile
        /// The build needs something its caller did not grant.
        case notEntitled
        /// A step ended with a status that is no success.
        case stepFailed
        /// The engine does not offer what was asked for.
        case unsupported
        /// The machine could not do it.
        case environment
    }

    /// What kind of failure it is.
    public let code: Code
    /// The sentence for the user.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The sentence for the user.
    public var description: String { message }

    var isMissingFile: Bool { code == .missingFile }
}

extension EngineError: FaultClassified {
    package var fault: Fault {
        switch code {
        case .environment: .environment
        case .invalidDefinition, .invalidRequest, .missingFile, .notEntitled, .stepFailed, .unsupported: .input
        }
    }
}

extension EngineError: ProtocolKindClassified {
    /// What the one who builds did not allow is `denied`, as what the project did not grant.
    package var protocolKind: ProtocolFailure.Kind? { code == .notEntitled ? .denied : nil }
}
