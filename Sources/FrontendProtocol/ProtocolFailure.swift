// SPDX-License-Identifier: Apache-2.0

/// An answer that says a request failed.
///
/// The session goes on.
public struct ProtocolFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure, for code to act on.
    ///
    /// Written as `error.data.kind`.
    public enum Kind: Sendable, Hashable {
        /// The sides have no protocol version in common.
        case incompatible
        /// The method, capability or form is not offered by this engine.
        case unsupported
        /// A member is missing or has the wrong form.
        case invalidParams
        /// The named file, ref, image or commit does not exist.
        case notFound
        /// The request, or its answer, exceeds a limit of the session.
        case limit
        /// More requests are unanswered than `limits.inFlight` allows.
        case tooManyRequests
        /// The asking side gave the request up.
        case cancelled
        /// The request ran longer than its time.
        case timeout
        /// The LLB definition is wrong.
        case badDefinition
        /// The build file or an option is wrong; what a frontend answers to `build`.
        case buildFile
        /// A step, source or other operation of the build failed.
        case operation
        /// Policy forbids it.
        case denied
        /// Network, disk or registry failed; trying again may help.
        case unavailable
        /// The answering side itself is wrong.
        case internalError
        /// A kind this version does not know.
        case unrecognized(String)
    }

    /// What kind of failure it is.
    public var kind: Kind
    /// For people; what a frontend answers to `build` is shown as it is, and may have several lines.
    public var message: String
    /// More members of `error.data`, such as `supported` for ``Kind/incompatible``.
    public var data: WireObject

    /// Takes kind, message and further members of `error.data`.
    public init(_ kind: Kind, _ message: String, data: WireObject = [:]) {
        self.kind = kind
        self.message = message
        self.data = data
    }

    /// Short for a failure by a limit.
    public static func limit(_ message: String) -> ProtocolFailure { .init(.limit, message) }

    /// The message.
    public var description: String { message }
}

extension ProtocolFailure.Kind {
    /// The kinds of this version.
    private static let known: [ProtocolFailure.Kind] = [
        .incompatible, .unsupported, .invalidParams, .notFound, .limit, .tooManyRequests,
        .cancelled,
        .timeout, .badDefinition, .buildFile, .operation, .denied, .unavailable, .internalError,
    ]

    /// The kind of a name; one that is not known is kept.
    public init(name: String) {
        self = Self.known.first { $0.name == name } ?? .unrecognized(name)
    }

    /// The name in messages.
    public var name: String {
        switch self {
        case .incompatible: "incompatible"
        case .unsupported: "unsupported"
        case .invalidParams: "invalidParams"
        case .notFound: "notFound"
        case .limit: "limit"
        case .tooManyRequests: "tooManyRequests"
        case .cancelled: "cancelled"
        case .timeout: "timeout"
        case .badDefinition: "badDefinition"
        case .buildFile: "buildFile"
        case .operation: "operation"
        case .denied: "denied"
        case .unavailable: "unavailable"
        case .internalError: "internal"
        case .unrecognized(let name): name
        }
    }
}

extension ProtocolFailure {
    /// Failures of JSON-RPC itself have its codes; all others share one, and `data.kind` tells them apart.
    private static let sharedCode: Int64 = -32000

    /// The value of an answer's `error` member.
    package var members: WireObject {
        let code: Int64 =
            switch kind {
            case .invalidParams: -32602
            case .internalError: -32603
            case .unsupported: -32601
            default: Self.sharedCode
            }
        var data = self.data
        data["kind"] = .string(kind.name)
        return ["code": .integer(code), "message": .string(message), "data": .object(data)]
    }

    /// Reads the value of an answer's `error` member.
    ///
    /// `data` may be left out, as by general JSON-RPC libraries: the code decides the kind then.
    package init(members: MemberReader) throws(MemberError) {
        let code = try members.integer("code")
        message = try members.string("message")
        data = try members.optionalObject("data")?.object ?? [:]
        if case .string(let name)? = data["kind"] {
            kind = Kind(name: name)
        } else {
            switch code {
            case -32602: kind = .invalidParams
            case -32601: kind = .unsupported
            case -32700, -32600, -32603: kind = .internalError
            default: kind = .unrecognized("")
            }
        }
        data["kind"] = nil
    }
}
