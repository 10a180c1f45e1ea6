// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Sandbox

/// What ended a session, before the end of its process is known.
struct SessionFailure: Error, Sendable {
    let code: FrontendHostError.Code
    /// What the frontend did, to follow its name: "wrote text to stdout, which carries the protocol: …".
    let text: String

    init(_ code: FrontendHostError.Code, _ text: String) {
        self.code = code
        self.text = text
    }

    /// A broken rule of the protocol.
    init(_ violation: ProtocolViolation) {
        switch violation.code {
        case .text:
            // A NUL is where a frame begins again.
            let text = violation.sample.prefix { $0 != 0 }.prefix(400)
            self.init(
                .textOnStandardOutput,
                """
                wrote text to stdout, which carries the protocol: "\(printable(text))"; \
                print to stderr, or redirect stdout at start-up as the SDKs do
                """
            )
        case .gatewayProtocol:
            self.init(
                .gatewayProtocol,
                "speaks BuildKit's gateway protocol (HTTP/2 on stdio), not Kiln's frontend protocol"
            )
        case .oversize: self.init(.oversize, violation.message)
        case .frameOrder, .truncated:
            self.init(.frameOrder, "broke the framing of its messages: \(violation.message)")
        case .malformedJSON, .malformedMessage:
            self.init(.malformedMessage, "sent a message that cannot be read: \(violation.message)")
        case .unknownIdentifier: self.init(.identifier, violation.message)
        case .malformedResult:
            self.init(.malformedResult, "gave a wrong answer: \(violation.message)")
        }
    }

    /// A process that ended, or let go of its stdout, without a result.
    ///
    /// - `wasKilled`: Whether the host ended it because it closed its stdout and stayed.
    static func exit(_ result: SandboxResult, wasKilled: Bool) -> SessionFailure {
        if let reason = result.executionFailure {
            let remedy = reason.hasSuffix("ermission denied") ? "; make the file executable with chmod +x" : ""
            return SessionFailure(.notStarted, "cannot be run: \(reason)\(remedy)")
        }
        if result.isOutOfMemory {
            return SessionFailure(
                .outOfMemory,
                "was killed because it used more memory than it may"
            )
        }
        if wasKilled {
            return SessionFailure(.exited, "closed its stdout before returning a result")
        }
        if let signal = result.signal {
            return SessionFailure(
                .exited,
                "was ended by signal \(signal)\(signalName(signal)) before returning a result"
            )
        }
        return SessionFailure(
            .exited,
            "exited with status \(result.exitCode) before returning a result"
        )
    }
}

/// The name of a signal in brackets; empty for the rare ones.
func signalName(_ signal: Int32) -> String {
    let names: [Int32: String] = [
        1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT",
        7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM",
        25: "SIGXFSZ", 31: "SIGSYS",
    ]
    return names[signal].map { " (\($0))" } ?? ""
}
