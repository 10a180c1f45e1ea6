// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import FoundationEssentials
internal import NIOHTTP1
internal import Synchronization

/// A request to a registry, before login and address.
struct RegistryCall: Sendable {
    enum Target: Sendable {
        /// Path and query on the endpoint.
        case path(String)
        /// A whole address the registry gave, as that of an upload. A login only goes to the
        /// endpoint itself.
        case address(URL)
    }

    var method: HTTPMethod
    var target: Target
    var scopes: [Authorizer.Scope]
    var headers: HTTPHeaders = [:]
    var body: HTTPRequest.Body = .none
    /// Statuses that are no failure.
    var accepted: Set<Int> = [200]
}

/// Talks to registries: adds logins, finds out the scheme, tells failures as errors, tries again.
final class RegistrySession: Sendable {
    let transport: HTTPTransport
    private let authorizer: Authorizer
    private let retries: RetryPolicy
    /// Schemes of insecure hosts, once they were tried.
    private let schemes = Mutex<[String: String]>([:])

    init(configuration: RegistryConfiguration) {
        transport = HTTPTransport(configuration: configuration)
        authorizer = Authorizer(transport: transport, source: configuration.credentials)
        retries = configuration.retries
    }

    /// An answer whose body is still to be read.
    struct Answer: Sendable {
        let response: HTTPClientResponse
        /// The address that was asked first; redirections do not show.
        let url: URL

        var status: Int { Int(response.status.code) }

        func header(_ name: String) -> String? { response.headers.first(name: name) }
    }

    /// Makes a call, once more where a login is wanted, and again where a failure is transient.
    ///
    /// - Throws: `RegistryError`, its message a bare reason.
    func perform(_ call: RegistryCall, at endpoint: Endpoint) async throws -> Answer {
        try await retrying { [self] in try await performOnce(call, at: endpoint) }
    }

    /// Makes a call and reads the whole body; a body that breaks off is asked for again.
    func document(
        _ call: RegistryCall,
        at endpoint: Endpoint,
        byteLimit: Int
    ) async throws -> (answer: Answer, body: [UInt8]) {
        try await retrying { [self] in
            let answer = try await performOnce(call, at: endpoint)
            let body = try await transport.collect(
                answer.response,
                byteLimit: byteLimit,
                from: answer.url
            )
            return (answer, body)
        }
    }

    /// Runs an operation until it succeeds, fails for good, or has failed too often.
    func retrying<Value>(_ operation: () async throws -> Value) async throws -> Value {
        var failureCount = 0
        while true {
            do {
                return try await operation()
            } catch let error as RegistryError where error.isTransient {
                failureCount += 1
                try await pause(after: error, failureCount: failureCount)
            }
        }
    }

    /// Waits before the next try, or throws the error when there is none.
    func pause(after error: RegistryError, failureCount: Int) async throws {
        guard failureCount < retries.attemptCountMax else {
            throw RegistryError(
                error.code,
                error.message + (failureCount > 1 ? " (tried \(failureCount) times)" : ""),
                status: error.status,
                cause: error.cause
            )
        }
        try await Task.sleep(
            for: retries.delay(afterFailures: failureCount, askedFor: error.retryAfter)
        )
    }

    /// Makes a call without another try after failures; a 401 is still answered with a login.
    func performOnce(_ call: RegistryCall, at endpoint: Endpoint) async throws -> Answer {
        let base = try await base(of: endpoint)
        let url: URL
        switch call.target {
        case .address(let address): url = address
        case .path(let path):
            guard let joined = URL(string: path, relativeTo: base)?.absoluteURL else {
                throw RegistryError(
                    .badResponse,
                    "the address \(endpoint.authority)\(path) is invalid"
                )
            }
            url = joined
        }
        let showsLogin = sameOrigin(url, base)
        var authorization =
            showsLogin ? try await authorizer.header(for: endpoint, scopes: call.scopes) : nil
        var triesLeft = 2
        while true {
            var request = HTTPRequest(
                method: call.method,
                url: url,
                headers: call.headers,
                body: call.body,
                insecureOrigin: endpoint.trust == .insecure ? base : nil
            )
            if let authorization {
                request.headers.replaceOrAdd(name: "Authorization", value: authorization)
            }
            let response = try await transport.send(request)
            let status = Int(response.status.code)
            if call.accepted.contains(status) { return Answer(response: response, url: url) }
            triesLeft -= 1
            if status == 401, showsLogin, triesLeft > 0,
                let better = try await authorizer.header(
                    answering: response.headers,
                    from: endpoint,
                    scopes: call.scopes,
                    rejected: authorization
                )
            {
                authorization = better
                continue
            }
            throw await refusal(response, url, endpoint)
        }
    }

    private func refusal(
        _ response: HTTPClientResponse,
        _ url: URL,
        _ endpoint: Endpoint
    ) async -> RegistryError {
        let body = try? await transport.collect(
            response,
            byteLimit: RegistryLimit.errorByteCount,
            from: url
        )
        return failure(
            status: Int(response.status.code),
            headers: response.headers,
            body: body ?? [],
            url: url,
            login: authorizer.hasCredential(endpoint) ? nil : endpoint.credentialHost
        )
    }

    /// The root address of a server.
    ///
    /// An insecure host is asked once whether it speaks TLS.
    private func base(of endpoint: Endpoint) async throws -> URL {
        let scheme: String
        switch endpoint.trust {
        case .verified: scheme = "https"
        case .loopback: scheme = "http"
        case .insecure:
            if let known = schemes.withLock({ $0[endpoint.authority] }) {
                scheme = known
            } else {
                scheme = await speaksTLS(endpoint) ? "https" : "http"
                schemes.withLock { $0[endpoint.authority] = scheme }
            }
        }
        guard let url = URL(string: "\(scheme)://\(endpoint.authority)/"),
            url.host(percentEncoded: true) != nil
        else {
            throw RegistryError(
                .notFound,
                "\"\(endpoint.authority)\" is no host that can be reached"
            )
        }
        return url
    }

    private func speaksTLS(_ endpoint: Endpoint) async -> Bool {
        guard let url = URL(string: "https://\(endpoint.authority)/v2/") else { return false }
        let response = try? await transport.send(
            HTTPRequest(method: .GET, url: url, insecureOrigin: url)
        )
        return response != nil
    }
}
