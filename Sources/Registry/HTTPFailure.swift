// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import FoundationEssentials
internal import LinuxSystem
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import OCI
internal import SystemPackage

/// Tells what the HTTP client threw as a `RegistryError` whose message is a bare reason; errors of
/// our own and cancellation pass through.
func translated(_ error: any Error, url: URL) -> any Error {
    let host = hostText(url)
    switch error {
    case is RegistryError, is CancellationError, is SystemCallError: return error
    case let error as HTTPClientError: return translated(error, host)
    case let error as NIOConnectionError: return translated(error, host)
    case let error as ChannelError:
        if case .connectTimeout = error { return silence(host, error) }
        return lost(host, error)
    case let error as IOError:
        let neverStood: Set<Errno> = [
            .connectionRefused, .noRouteToHost, .networkUnreachable, .hostIsDown,
        ]
        let verb =
            neverStood.contains(Errno(rawValue: error.errnoCode))
            ? "cannot connect to" : "lost the connection to"
        return RegistryError(
            .unavailable,
            "\(verb) \(host): \(reason(of: error))",
            cause: error,
            isTransient: true
        )
    case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError:
        return RegistryError(
            .unavailable,
            "\(host) cannot be reached by TLS: \(singleLine("\(error)")); if it speaks plain HTTP or its certificate is "
                + "not trusted here, list it as an insecure registry",
            cause: error
        )
    case is HTTPParserError: return lost(host, error)
    default:
        return RegistryError(
            .unavailable,
            "the request to \(host) failed: \(singleLine("\(error)"))",
            cause: error,
            isTransient: true
        )
    }
}

private func translated(_ error: HTTPClientError, _ host: String) -> any Error {
    switch error {
    case .cancelled: CancellationError()
    case .alreadyShutdown: RegistryError(.closed, "the registry client was shut down")
    case .readTimeout, .writeTimeout, .connectTimeout, .tlsHandshakeTimeout, .deadlineExceeded,
        .getConnectionFromPoolTimeout:
        silence(host, error)
    case .remoteConnectionClosed, .uncleanShutdown, .requestStreamCancelled, .bodyLengthMismatch:
        lost(host, error)
    case .invalidURL, .emptyHost, .emptyScheme:
        RegistryError(.badResponse, "the address of \(host) is invalid", cause: error)
    default:
        RegistryError(
            .unavailable,
            "the request to \(host) failed: \(error.shortDescription.lowercased())",
            cause: error
        )
    }
}

private func translated(_ error: NIOConnectionError, _ host: String) -> RegistryError {
    if let attempt = error.connectionErrors.first {
        if let timeout = attempt.error as? ChannelError, case .connectTimeout = timeout {
            return silence(host, error)
        }
        let why = (attempt.error as? IOError).map(reason(of:)) ?? singleLine("\(attempt.error)")
        return RegistryError(
            .unavailable,
            "cannot connect to \(host): \(why)",
            cause: error,
            isTransient: true
        )
    }
    return RegistryError(
        .unavailable,
        "cannot connect to \(host): its name has no address; check its spelling and this machine's network",
        cause: error
    )
}

private func reason(of error: IOError) -> String {
    // The name of the call that failed, which the error shows too, says nothing to a user.
    Errno(rawValue: error.errnoCode).description.lowercased()
}

private func silence(_ host: String, _ error: any Error) -> RegistryError {
    RegistryError(.timedOut, "\(host) was silent for too long", cause: error, isTransient: true)
}

private func lost(_ host: String, _ error: any Error) -> RegistryError {
    RegistryError(
        .unavailable,
        "the connection to \(host) was lost in the middle of an answer",
        cause: error,
        isTransient: true
    )
}

// MARK: Answers that are errors

/// Tells an answer that is no success as an error whose message is a bare reason.
///
/// The beginning of its body is looked through for the JSON of the distribution protocol; `login`
/// is the host to log in to, where a login could help.
func failure(
    status: Int,
    headers: HTTPHeaders,
    body: [UInt8],
    url: URL,
    login: String?
) -> RegistryError {
    let said = explanation(body).map { " (\($0))" } ?? ""
    let answer = "\(hostText(url)) answered \(status)\(said)"
    let remedy = login.map { "; log in with `docker login \($0)`" } ?? ""
    switch status {
    case 401:
        return RegistryError(.unauthorized, "\(answer)\(remedy)", status: status)
    case 403:
        return RegistryError(
            .unauthorized,
            "\(answer): this login has no access\(remedy)",
            status: status
        )
    case 404:
        return RegistryError(
            .notFound,
            "\(answer): it does not exist, or this login has no access\(remedy)",
            status: status
        )
    case 408, 425, 429, 500, 502, 503, 504:
        return RegistryError(
            .unavailable,
            answer,
            status: status,
            isTransient: true,
            retryAfter: headers.first(name: "Retry-After").flatMap { Int64($0) }
                .map { .seconds(min(max($0, 0), 3600)) }
        )
    case 500...:
        return RegistryError(.unavailable, answer, status: status)
    default:
        return RegistryError(.refused, answer, status: status)
    }
}

/// The first error of a distribution answer, `CODE: message`, or `nil` when the body says nothing
/// readable.
private func explanation(_ body: [UInt8]) -> String? {
    guard let document = try? JSONValue(parsing: body) else { return nil }
    guard let error = document["errors"]?.elements?.first else {
        // Token servers answer with `details` or with OAuth's members.
        let text =
            document["details"]?.text ?? document["error_description"]?.text
            ?? document["error"]?.text
        return text.map { singleLine($0) }
    }
    let words = [error["code"]?.text, error["message"]?.text].compactMap { $0 }.filter {
        !$0.isEmpty
    }
    return words.isEmpty ? nil : singleLine(words.joined(separator: ": "))
}
