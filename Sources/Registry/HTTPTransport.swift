// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import FoundationEssentials
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import Synchronization

/// One request, before it is known which redirections it will take.
struct HTTPRequest: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// A stretch of an open blob; it can be sent any number of times.
        case file(FileStretch)
    }

    var method: HTTPMethod
    var url: URL
    var headers: HTTPHeaders = [:]
    var body: Body = .none
    /// A server whose certificate is not checked for this request, besides those of the
    /// configuration; others it redirects to are checked.
    var insecureOrigin: URL?
}

/// Sends requests one by one: connections, TLS, redirections and time limits, but neither retries
/// nor logins.
///
/// Threads and connections are made at the first request, so a build that never dials pays nothing.
final class HTTPTransport: Sendable {
    private enum State {
        /// Clients by the proxy they go through; `nil` is the one that goes directly.
        case open([ProxyServer?: HTTPClient])
        case closed
    }

    private let state = Mutex(State.open([:]))
    private let timeouts: RegistryTimeouts
    private let insecureHosts: Set<String>
    private let proxies: ProxySettings
    private let userAgent: String

    init(configuration: RegistryConfiguration) {
        timeouts = configuration.timeouts
        insecureHosts = configuration.insecureHosts
        proxies = configuration.proxies
        userAgent = configuration.userAgent
    }

    deinit {
        // A client must not go without its shutdown; these go by themselves, later.
        guard case .open(let clients) = state.withLock({ $0 }) else { return }
        for client in clients.values { client.shutdown { _ in } }
    }

    /// Ends all connections; requests that run fail.
    ///
    /// Afterwards nothing can be sent.
    func shutdown() async {
        let last = state.withLock { state in
            defer { state = .closed }
            return state
        }
        guard case .open(let clients) = last else { return }
        for client in clients.values { try? await client.shutdown() }
    }

    /// Sends a request, follows redirections, and gives the head of the answer with its body still
    /// to be read.
    ///
    /// The `Authorization` header stays behind when a redirection leads to another scheme, host or
    /// port. Bodies are only sent again on 307 and 308.
    ///
    /// - Throws: `RegistryError`, its message a bare reason; `CancellationError`.
    func send(_ original: HTTPRequest) async throws -> HTTPClientResponse {
        var request = original
        for _ in 0...RegistryLimit.redirectCount {
            let response = try await exchange(request)
            guard let next = try redirection(of: request, by: response) else { return response }
            request = next
        }
        throw RegistryError(
            .badResponse,
            "\(hostText(original.url)) redirected more than \(RegistryLimit.redirectCount) times"
        )
    }

    /// Reads a body to its end.
    ///
    /// - Throws: `tooLarge` beyond `byteLimit`; `timedOut`; `unavailable` when the connection is
    ///   lost.
    func collect(
        _ response: HTTPClientResponse,
        byteLimit: Int,
        from url: URL
    ) async throws -> [UInt8] {
        try await withTimeLimit(timeouts.document, of: url) {
            do {
                var bytes: [UInt8] = []
                for try await chunk in response.body {
                    if bytes.count + chunk.readableBytes > byteLimit {
                        throw RegistryError(
                            .tooLarge,
                            "\(hostText(url)) answered with more than the \(byteLimit) bytes allowed here"
                        )
                    }
                    bytes.append(contentsOf: chunk.readableBytesView)
                }
                return bytes
            } catch {
                throw translated(error, url: url)
            }
        }
    }

    private func exchange(_ request: HTTPRequest) async throws -> HTTPClientResponse {
        var outgoing = HTTPClientRequest(url: request.url.absoluteString)
        outgoing.method = request.method
        outgoing.headers = request.headers
        if outgoing.headers["User-Agent"].isEmpty { outgoing.headers.add(name: "User-Agent", value: userAgent) }
        // Compressed transfer would hide the length, and ranges would mean something else.
        outgoing.headers.replaceOrAdd(name: "Accept-Encoding", value: "identity")
        if !isVerified(request.url, request) {
            var configuration = TLSConfiguration.makeClientConfiguration()
            configuration.certificateVerification = .none
            outgoing.tlsConfiguration = configuration
        }
        // The head of the answer comes when the body was sent: only short ones have a time limit.
        var limit: TimeAmount? = TimeAmount(timeouts.answer)
        switch request.body {
        case .none: break
        case .bytes(let bytes): outgoing.body = .bytes(ByteBuffer(bytes: bytes))
        case .file(let stretch):
            outgoing.body = .stream(stretch, length: .known(stretch.byteCount))
            limit = nil
        }
        do {
            return try await client(for: request.url).execute(
                outgoing,
                deadline: limit.map { .now() + $0 } ?? .distantFuture
            )
        } catch {
            throw translated(error, url: request.url)
        }
    }

    private func redirection(
        of request: HTTPRequest,
        by response: HTTPClientResponse
    ) throws -> HTTPRequest? {
        let status = response.status.code
        let isSafe = request.method == .GET || request.method == .HEAD
        guard [301, 302, 303, 307, 308].contains(status), isSafe || status == 307 || status == 308
        else {
            return nil
        }
        guard let location = response.headers.first(name: "Location"),
            let target = address(location, relativeTo: request.url)
        else {
            throw RegistryError(
                .badResponse,
                "\(hostText(request.url)) redirected to an address that cannot be read"
            )
        }
        if request.url.scheme == "https", target.scheme == "http", isVerified(target, request) {
            throw RegistryError(
                .badResponse,
                "\(hostText(request.url)) redirected from https to plain http at \(hostText(target)), which is not followed"
            )
        }
        var next = request
        next.url = target
        if !sameOrigin(request.url, target) { next.headers.remove(name: "Authorization") }
        return next
    }

    /// Whether a server must prove who it is.
    private func isVerified(_ url: URL, _ request: HTTPRequest) -> Bool {
        if let origin = request.insecureOrigin, sameOrigin(url, origin) { return false }
        return trust(url) == .verified
    }

    /// What the configuration demands of a server.
    func trust(_ url: URL) -> Endpoint.Trust {
        Endpoint.trust(hostText(url), insecureHosts: insecureHosts)
    }

    private func client(for url: URL) throws -> HTTPClient {
        let proxy = try proxies.proxy(for: url)
        return try state.withLock { state in
            guard case .open(var clients) = state else {
                throw RegistryError(.closed, "the registry client was shut down")
            }
            if let client = clients[proxy] { return client }
            let client = HTTPClient(
                eventLoopGroupProvider: .singleton,
                configuration: clientConfiguration(proxy)
            )
            clients[proxy] = client
            state = .open(clients)
            return client
        }
    }

    private func clientConfiguration(_ proxy: ProxyServer?) -> HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration()
        configuration.proxy = proxy.map { proxy in
            switch proxy.kind {
            case .socks5: .socksServer(host: proxy.host, port: proxy.port)
            case .http:
                .server(
                    host: proxy.host,
                    port: proxy.port,
                    authorization: proxy.login.map {
                        .basic(credentials: Data($0.utf8).base64EncodedString())
                    }
                )
            }
        }
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(
            connect: TimeAmount(timeouts.connect),
            read: TimeAmount(timeouts.idle),
            write: TimeAmount(timeouts.idle)
        )
        // Big blobs flow faster over connections of their own than over the windows of one shared
        // HTTP/2 connection.
        configuration.httpVersion = .http1Only
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 32
        // Retries are counted and spaced in one place, RetryPolicy.
        configuration.connectionPool.retryConnectionEstablishment = false
        return configuration
    }
}

extension TimeAmount {
    /// The same length of time, at most 290 years of it.
    init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self = .nanoseconds(
            Int64(clamping: seconds).multipliedSaturating(by: 1_000_000_000) + attoseconds
                / 1_000_000_000
        )
    }
}

extension Int64 {
    fileprivate func multipliedSaturating(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? .max / 2 : product
    }
}

// MARK: Time limits

/// Runs an operation and cancels it when it takes longer than a limit.
///
/// - Throws: `timedOut` past the limit.
func withTimeLimit<Value: Sendable>(
    _ limit: Duration,
    of url: URL,
    _ operation: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await Task.sleep(for: limit)
            return nil
        }
        defer { group.cancelAll() }
        guard let value = try await group.next().flatMap({ $0 }) else {
            throw RegistryError(
                .timedOut,
                "\(hostText(url)) did not finish its answer within \(limit)",
                isTransient: true
            )
        }
        return value
    }
}
