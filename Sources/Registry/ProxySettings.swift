// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

/// A server that connections are made through.
struct ProxyServer: Hashable, Sendable {
    enum Kind: Sendable {
        /// Plain HTTP to the proxy; TLS connections are tunnelled through it.
        case http
        case socks5
    }

    var kind: Kind
    var host: String
    var port: Int
    /// User and password, `user:password`.
    var login: String?

    /// Reads `[http://|socks5://][user:password@]host[:port]`; anything else is `nil`.
    init?(_ text: String) {
        let full = text.contains("://") ? text : "http://\(text)"
        guard let url = URL(string: full), let host = url.host(percentEncoded: false), !host.isEmpty
        else { return nil }
        switch url.scheme?.lowercased() {
        case "http": (kind, port) = (.http, url.port ?? 80)
        case "socks5", "socks5h": (kind, port) = (.socks5, url.port ?? 1080)
        default: return nil
        }
        self.host = host
        if let user = url.user(percentEncoded: false) {
            login = "\(user):\(url.password(percentEncoded: false) ?? "")"
        }
    }
}

/// Which proxy leads to which server, as the environment of a process tells it: `HTTPS_PROXY`,
/// `HTTP_PROXY` and `NO_PROXY`, in capitals or not.
///
/// Servers on this machine are always spoken to directly. `NO_PROXY` is a list of domains (with all
/// below them), `.domains` (only what is below them), addresses, IPv4 networks such as
/// `10.0.0.0/8`, each with a port perhaps, or `*`.
package struct ProxySettings: Sendable {
    private var secure: String?
    private var plain: String?
    private var exceptions: [Substring] = []

    /// No proxies.
    package init() {}

    /// Reads the variables of an environment; empty ones count as unset.
    package init(environment: [String: String]) {
        func variable(_ name: String) -> String? {
            [name, name.lowercased()].compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        secure = variable("HTTPS_PROXY")
        plain = variable("HTTP_PROXY")
        exceptions = (variable("NO_PROXY") ?? "").lowercased()
            .split { $0 == "," || $0 == " " }
    }

    /// The proxy for an address; `nil` means directly.
    ///
    /// - Throws: `unavailable` when the proxy in charge cannot be used.
    func proxy(for url: URL) throws -> ProxyServer? {
        let isSecure = url.scheme?.lowercased() == "https"
        guard let text = isSecure ? secure : plain,
            let host = url.host(percentEncoded: false)?.lowercased(),
            !Endpoint.isLoopback(hostText(url)),
            !exempts(host, port: url.port ?? (isSecure ? 443 : 80))
        else { return nil }
        guard let proxy = ProxyServer(text) else {
            throw RegistryError(
                .unavailable,
                "the proxy of \(isSecure ? "HTTPS_PROXY" : "HTTP_PROXY") cannot be used; "
                    + "expected http://host:port or socks5://host:port"
            )
        }
        return proxy
    }

    private func exempts(_ host: String, port: Int) -> Bool {
        exceptions.contains { exception in
            if exception == "*" { return true }
            var name = exception
            if let colon = name.lastIndex(of: ":"),
                let wanted = Int(name[name.index(after: colon)...]),
                !name[..<colon].contains(":") || name.hasPrefix("[")
            {
                guard wanted == port else { return false }
                name = name[..<colon]
            }
            if name.hasPrefix("["), name.hasSuffix("]") { name = name.dropFirst().dropLast() }
            if let network = IPv4Network(name), let address = IPv4Network(host[...]) {
                return network.contains(address)
            }
            if name.hasPrefix("*.") { name = name.dropFirst() }
            if name.hasPrefix(".") { return host.hasSuffix(name) }
            return host == name || host.hasSuffix(".\(name)")
        }
    }
}

/// An IPv4 network, `10.0.0.0/8`; a bare address is a network of one.
private struct IPv4Network {
    private let bits: UInt32
    private let mask: UInt32

    init?(_ text: Substring) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        let octets = parts[0].split(separator: ".", omittingEmptySubsequences: false)
            .map { UInt8($0) }
        guard parts.count <= 2, octets.count == 4, !octets.contains(nil) else { return nil }
        let length = parts.count == 2 ? Int(parts[1]) : 32
        guard let length, (0...32).contains(length) else { return nil }
        bits = octets.compactMap { $0 }.reduce(0) { $0 << 8 | UInt32($1) }
        mask = length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length)
    }

    func contains(_ address: IPv4Network) -> Bool { address.bits & mask == bits & mask }
}
