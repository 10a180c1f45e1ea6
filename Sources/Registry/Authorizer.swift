// SPDX-License-Identifier: Apache-2.0

internal import AsyncHTTPClient
internal import FoundationEssentials
internal import NIOHTTP1
internal import OCI
internal import Synchronization

/// Answers the challenges of registries: looks up logins, gets access tokens, and remembers both
/// while they hold.
///
/// A login is shown to the server it belongs to and to the token server that one names, and to
/// nobody else.
final class Authorizer: Sendable {
    /// What a request is going to do, in the terms of a token: `repository:library/busybox:pull`.
    typealias Scope = String

    private struct Realm: Hashable {
        let address: URL
        let service: String?
    }

    private enum Method: Hashable {
        case basic
        case bearer(Realm)
    }

    private struct TokenKey: Hashable {
        let authority: String
        let scopes: [Scope]
    }

    private struct Token {
        let header: String
        let expiry: ContinuousClock.Instant
    }

    private struct State {
        /// How each server wants to be shown logins, once it said so.
        var methods: [String: Method] = [:]
        var tokens: [TokenKey: Token] = [:]
        var credentials: [String: Credential?] = [:]
        /// Questions that are being asked, so that many requests at once ask once.
        var pending: [TokenKey: Task<Token, any Error>] = [:]
    }

    /// Tokens are not used in their last seconds, so that none expires on its way.
    private static let expiryMargin: Duration = .seconds(10)
    /// How long a token holds whose server does not say.
    ///
    /// Source: distribution-spec, token authentication.
    private static let defaultLifetime: Duration = .seconds(60)
    private static let lifetimeMax: Int64 = 24 * 3600
    private static let clientID = "kiln"

    private let transport: HTTPTransport
    private let source: any CredentialSource
    private let state = Mutex(State())

    init(transport: HTTPTransport, source: any CredentialSource) {
        self.transport = transport
        self.source = source
    }

    /// The header to send along, as far as it is known how the server wants it; `nil` before its
    /// first challenge.
    func header(for endpoint: Endpoint, scopes: [Scope]) async throws -> String? {
        switch state.withLock({ $0.methods[endpoint.authority] }) {
        case nil: nil
        case .basic: try await basicHeader(endpoint)
        case .bearer(let realm): try await tokenHeader(endpoint, scopes, realm)
        }
    }

    /// The header that answers a 401; `nil` when there is nothing better to show than `rejected`,
    /// the header that was refused.
    func header(
        answering headers: HTTPHeaders,
        from endpoint: Endpoint,
        scopes: [Scope],
        rejected: String?
    ) async throws -> String? {
        let challenges = AuthenticationChallenge.parse(headers["WWW-Authenticate"])
        let header: String?
        if let bearer = challenges.first(where: { $0.scheme == "bearer" }) {
            let realm = try realm(of: bearer, endpoint)
            state.withLock { state in
                state.methods[endpoint.authority] = .bearer(realm)
                let key = TokenKey(authority: endpoint.authority, scopes: scopes)
                if state.tokens[key]?.header == rejected { state.tokens[key] = nil }
            }
            header = try await tokenHeader(endpoint, scopes, realm)
        } else if challenges.contains(where: { $0.scheme == "basic" }) {
            if rejected != nil { forgetCredential(endpoint) }
            header = try await basicHeader(endpoint)
            if header != nil {
                state.withLock { $0.methods[endpoint.authority] = .basic }
            }
        } else {
            header = nil
        }
        return header == rejected ? nil : header
    }

    /// Whether a login for the server is known; tells "log in" from "this login may not".
    func hasCredential(_ endpoint: Endpoint) -> Bool {
        state.withLock { $0.credentials[endpoint.authority] ?? nil } != nil
    }

    // MARK: Logins

    private func credential(_ endpoint: Endpoint) async throws -> Credential? {
        if let known = state.withLock({ $0.credentials[endpoint.authority] }) { return known }
        let found = try await source.credential(forRegistry: endpoint.credentialHost)
        state.withLock { $0.credentials[endpoint.authority] = .some(found) }
        return found
    }

    /// Has a login that was refused looked up again: the user may have logged in anew since.
    private func forgetCredential(_ endpoint: Endpoint) {
        state.withLock { $0.credentials[endpoint.authority] = nil }
    }

    private func basicHeader(_ endpoint: Endpoint) async throws -> String? {
        switch try await credential(endpoint) {
        case .password(let user, let password): Self.basic(user, password)
        case .accessToken(let token): "Bearer \(token)"
        case .identityToken, nil: nil
        }
    }

    private static func basic(_ user: String, _ password: String) -> String {
        "Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }

    // MARK: Tokens

    private func realm(of challenge: AuthenticationChallenge, _ endpoint: Endpoint) throws -> Realm {
        guard let text = challenge.parameters["realm"], let url = URL(string: text),
            let scheme = url.scheme?.lowercased(), scheme == "https" || scheme == "http",
            url.host(percentEncoded: true)?.isEmpty == false
        else {
            throw RegistryError(
                .badResponse,
                "\(endpoint.authority) asks for a token but names no token server"
            )
        }
        guard scheme == "https" || mayBePlain(url, endpoint) else {
            throw RegistryError(
                .badResponse,
                "\(endpoint.authority) names a token server without TLS, \(hostText(url)), which gets no login"
            )
        }
        return Realm(address: url, service: challenge.parameters["service"])
    }

    /// Whether a token server may be spoken to without TLS: it is on this machine, is listed as
    /// insecure, or is the very host of an insecure registry.
    private func mayBePlain(_ url: URL, _ endpoint: Endpoint) -> Bool {
        if transport.trust(url) != .verified { return true }
        return endpoint.trust == .insecure
            && Endpoint.hostName(hostText(url)) == Endpoint.hostName(endpoint.authority)
    }

    private func tokenHeader(
        _ endpoint: Endpoint,
        _ scopes: [Scope],
        _ realm: Realm
    ) async throws -> String {
        let key = TokenKey(authority: endpoint.authority, scopes: scopes)
        let task = state.withLock { state -> Task<Token, any Error> in
            if let token = state.tokens[key], token.expiry > .now { return Task { token } }
            if let pending = state.pending[key] { return pending }
            let task = Task { [self] in
                defer { self.state.withLock { $0.pending[key] = nil } }
                let token = try await requestToken(endpoint, scopes, realm)
                self.state.withLock { $0.tokens[key] = token }
                return token
            }
            state.pending[key] = task
            return task
        }
        return try await task.value.header
    }

    private func requestToken(
        _ endpoint: Endpoint,
        _ scopes: [Scope],
        _ realm: Realm
    ) async throws -> Token {
        let login = try await credential(endpoint)
        if case .accessToken(let token) = login {
            return Token(header: "Bearer \(token)", expiry: .now + Self.defaultLifetime)
        }
        let request = try tokenRequest(endpoint, scopes, realm, login)
        let response = try await transport.send(request)
        let status = Int(response.status.code)
        guard status == 200 else {
            if status == 401 { forgetCredential(endpoint) }
            let body = try? await transport.collect(
                response,
                byteLimit: RegistryLimit.errorByteCount,
                from: request.url
            )
            throw failure(
                status: status,
                headers: response.headers,
                body: body ?? [],
                url: request.url,
                login: endpoint.credentialHost
            )
        }
        let body = try await transport.collect(
            response,
            byteLimit: RegistryLimit.tokenByteCount,
            from: request.url
        )
        guard let document = try? JSONValue(parsing: body),
            let token = [document["token"]?.text, document["access_token"]?.text]
                .compactMap({ $0 }).first(where: { !$0.isEmpty }),
            token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
        else {
            throw RegistryError(
                .badResponse,
                "\(hostText(request.url)) answered without a usable token"
            )
        }
        let named = document["expires_in"]?.integer.map {
            Duration.seconds(min(max($0, 0), Self.lifetimeMax))
        }
        let lifetime = max(named ?? Self.defaultLifetime, Self.expiryMargin * 2)
        return Token(header: "Bearer \(token)", expiry: .now + lifetime - Self.expiryMargin)
    }

    private func tokenRequest(
        _ endpoint: Endpoint,
        _ scopes: [Scope],
        _ realm: Realm,
        _ login: Credential?
    ) throws -> HTTPRequest {
        var fields: [(name: String, value: String)] = []
        if let service = realm.service { fields.append(("service", service)) }
        if case .identityToken(let secret) = login {
            fields += [
                ("client_id", Self.clientID), ("grant_type", "refresh_token"),
                ("refresh_token", secret),
                ("scope", scopes.joined(separator: " ")),
            ]
            return HTTPRequest(
                method: .POST,
                url: realm.address,
                headers: ["Content-Type": "application/x-www-form-urlencoded"],
                body: .bytes(Array(Self.form(fields).utf8))
            )
        }
        fields += scopes.map { ("scope", $0) }
        var headers = HTTPHeaders()
        if case .password(let user, let password) = login {
            fields.append(("account", user))
            headers.add(name: "Authorization", value: Self.basic(user, password))
        }
        let address = realm.address.absoluteString
        let separator = realm.address.query == nil ? "?" : "&"
        guard let url = URL(string: address + separator + Self.form(fields)) else {
            throw RegistryError(
                .badResponse,
                "\(endpoint.authority) names a token server that cannot be addressed"
            )
        }
        return HTTPRequest(method: .GET, url: url, headers: headers)
    }

    private static func form(_ fields: [(name: String, value: String)]) -> String {
        fields.map { "\($0.name)=\(percentEncoded($0.value))" }.joined(separator: "&")
    }
}
