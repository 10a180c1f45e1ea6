// SPDX-License-Identifier: Apache-2.0

/// A value with a fixed form in messages.
///
/// What it writes it also reads: `Self(members: MemberReader(value.members, path: "…"))` equals the value.
package protocol WireRepresentable: Sendable, Hashable {
    /// Reads the members, ignoring those it does not know.
    init(members: MemberReader) throws(MemberError)
    /// The members to write.
    var members: WireObject { get }
}

/// The params of a method that is answered.
package protocol WireRequest: WireRepresentable {
    /// The form of a successful answer.
    associatedtype Answer: WireRepresentable
    static var method: Method { get }
}

/// The params of a method that is not answered.
package protocol WireNotification: WireRepresentable {
    static var method: Method { get }
}

extension WireRequest {
    /// Reads the `result` of an answer to this request.
    ///
    /// - Throws: `malformedResult`, which ends the session: a wrong answer must never pass for success.
    package static func answer(_ result: WireObject) throws(ProtocolViolation) -> Answer {
        do {
            return try Answer(members: MemberReader(result, path: "result"))
        } catch {
            let text =
                error.problem == nil && error.path == "result"
                ? "result of \"\(method.rawValue)\" lacks \"\(error.member)\"\(error.remedy)"
                : "result of \"\(method.rawValue)\" is malformed: \(error)"
            throw ProtocolViolation(.malformedResult, text)
        }
    }
}

extension WireRepresentable {
    /// Reads the `params` of a request or notification.
    package init(params: WireObject) throws(ProtocolFailure) {
        do {
            try self.init(members: MemberReader(params, path: "params"))
        } catch {
            throw ProtocolFailure(.invalidParams, error.description)
        }
    }
}

/// The messages of the protocol, version 1.0.
///
/// `Protocol/SPEC.md` says what they mean.
public enum Wire {
    /// An answer that says nothing but "done".
    package struct Done: WireRepresentable {
        package init() {}
        package init(members: MemberReader) throws(MemberError) {}
        package var members: WireObject { [:] }
    }
}
