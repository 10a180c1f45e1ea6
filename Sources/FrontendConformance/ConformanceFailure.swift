// SPDX-License-Identifier: Apache-2.0

/// What a frontend did that the protocol forbids, with the rule that says so.
package struct ConformanceFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure; a number never changes its meaning.
    ///
    /// C101 to C115 are what an engine ends a session for, as F101 to F115.
    package enum Code: String, Sendable, Hashable, CaseIterable {
        /// It wrote to stdout what is no frame.
        case textOnOutput = "C101"
        /// It did not answer `initialize` in time.
        case noHandshake = "C102"
        /// It did not answer in time although the engine owed it nothing.
        case silent = "C103"
        /// It exited, crashed or closed its stdout before its answer.
        case exited = "C104"
        /// A frame, message or blob above the session's limit.
        case oversize = "C105"
        /// It does not read its stdin.
        case slowReader = "C106"
        /// A message that cannot be read.
        case malformedMessage = "C107"
        /// A result that lacks a member or has a wrong one.
        case malformedResult = "C108"
        /// An answer nobody asked for, or a request's number used twice.
        case identifier = "C109"
        /// It speaks BuildKit's gateway protocol.
        case gatewayProtocol = "C110"
        /// It chose a version that it may not choose, or did not refuse where there is none.
        case version = "C111"
        /// Frames out of order, or cut short.
        case frameOrder = "C112"
        /// It used more memory than it may.
        case outOfMemory = "C114"
        /// It cannot be started.
        case notStarted = "C115"

        /// It said something before it was asked.
        case tooEarly = "C120"
        /// It goes on after its stdin has ended.
        case staysAfterEnd = "C121"
        /// It answered one request twice.
        case answeredTwice = "C122"
        /// It has more requests open than the session allows.
        case tooManyRequests = "C123"
        /// It refused, or did not refuse, a request in the way the protocol wants.
        case wrongRefusal = "C124"
        /// It answered as if a request had succeeded that failed.
        case swallowedFailure = "C125"
        /// Its result names a ref that it does not hold.
        case unknownRef = "C126"
        /// The LLB it asks to be solved makes no sense.
        case badDefinition = "C127"
        /// It refused a build file that its author says is right.
        case refusedBuildFile = "C128"
        /// It accepted a build file that its author says is wrong.
        case acceptedBuildFile = "C129"
        /// What may not matter changed the result.
        case differs = "C130"
        /// The same build gave two results.
        case nondeterministic = "C131"
        /// The result is not the one its author expects.
        case unexpectedResult = "C132"
        /// A failure without words.
        case wordless = "C133"
        /// It says it is another frontend than its package says.
        case otherIdentity = "C134"
    }

    package let code: Code
    /// The id of the rule of `Protocol/SPEC.md` that was broken.
    package let rule: String
    /// What the frontend did, to follow "the frontend": `wrote text to stdout: "…"`.
    package let deed: String
    /// The last lines it wrote to stderr.
    package var standardError: [String] = []

    package init(_ code: Code, _ rule: String, _ deed: String) {
        self.code = code
        self.rule = rule
        self.deed = deed
    }

    /// One sentence: the deed, then what the rule demands; or what to do, where no rule is broken.
    package var description: String {
        if code == .unexpectedResult {
            return "\(code.rawValue) the frontend \(deed); if that is meant, --update writes the new result"
        }
        let demand = ProtocolRule.text(rule).map { "\(rule): \($0)" } ?? rule
        return "\(code.rawValue) the frontend \(deed); \(demand)"
    }
}

/// Bytes or text of a stranger for a message: control characters made visible, cut to a length.
func shown(_ bytes: some Sequence<UInt8>, limit: Int = 200) -> String {
    var text = ""
    for scalar in String(decoding: Array(bytes.prefix(limit)), as: UTF8.self).unicodeScalars {
        switch scalar {
        case "\n": text += "\\n"
        case _ where scalar.properties.generalCategory == .control || scalar.value == 0xFFFD:
            text += "\\u{" + String(scalar.value, radix: 16) + "}"
        default: text.unicodeScalars.append(scalar)
        }
    }
    return text
}
