// SPDX-License-Identifier: Apache-2.0

/// A server that speaks the distribution protocol for a registry: the registry itself, or a mirror
/// of it.
struct Endpoint: Hashable, Sendable {
    /// What a connection to a server must prove.
    enum Trust: Sendable {
        /// TLS with a certificate that the system trusts.
        case verified
        /// TLS with any certificate, or plain HTTP where TLS is not spoken.
        case insecure
        /// Plain HTTP: the server is on this machine.
        case loopback
    }

    /// `host` or `host:port` to connect to.
    let authority: String
    /// Path before the repository's name, without slashes at its ends; empty for most.
    let pathPrefix: String
    let trust: Trust

    /// The registry of a host name as references write it.
    init(registry host: String, insecureHosts: Set<String>) {
        self.init(
            authority: host == Self.dockerHub ? "registry-1.docker.io" : host,
            pathPrefix: "",
            insecureHosts: insecureHosts
        )
    }

    /// A mirror written `host[:port][/path]`; a scheme in front is passed over.
    init(mirror text: String, insecureHosts: Set<String>) {
        var rest = text[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
        }
        let parts = rest.split(separator: "/", omittingEmptySubsequences: true)
        self.init(
            authority: parts.first.map(String.init) ?? "",
            pathPrefix: parts.dropFirst().joined(separator: "/"),
            insecureHosts: insecureHosts
        )
    }

    private init(authority: String, pathPrefix: String, insecureHosts: Set<String>) {
        self.authority = authority
        self.pathPrefix = pathPrefix
        trust = Self.trust(authority, insecureHosts: insecureHosts)
    }

    /// What a server must prove, by its name.
    static func trust(_ authority: String, insecureHosts: Set<String>) -> Trust {
        if isLoopback(authority) { return .loopback }
        return insecureHosts.contains(authority) ? .insecure : .verified
    }

    /// The name references use for Docker's registry.
    static let dockerHub = "docker.io"

    /// The name logins are kept under: Docker's registry has an old one of its own.
    var credentialHost: String {
        authority == "registry-1.docker.io" ? Self.dockerHub : authority
    }

    /// The path of a resource of a repository, as `/v2/library/busybox/manifests/latest`.
    func path(_ repository: Repository, _ resource: String) -> String {
        pathPrefix.isEmpty
            ? "/v2/\(repository.path)/\(resource)"
            : "/v2/\(pathPrefix)/\(repository.path)/\(resource)"
    }

    /// The name of a repository in the scope of a token.
    func scopeName(_ repository: Repository) -> String {
        pathPrefix.isEmpty ? repository.path : "\(pathPrefix)/\(repository.path)"
    }

    /// Whether a host, with or without a port, is this machine by its very name: `localhost`,
    /// `127.0.0.0/8`, `::1`.
    static func isLoopback(_ authority: String) -> Bool {
        let name = hostName(authority)
        if name == "localhost" || name == "::1" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    /// A host without its port and without the brackets of an IPv6 address.
    static func hostName(_ authority: String) -> String {
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            return String(authority[authority.index(after: authority.startIndex)..<end])
                .lowercased()
        }
        let colons = authority.utf8.count { $0 == UInt8(ascii: ":") }
        guard colons == 1, let colon = authority.firstIndex(of: ":") else {
            return authority.lowercased()
        }
        return String(authority[..<colon]).lowercased()
    }
}

extension RegistryConfiguration {
    /// The servers to ask for a repository when something is read, in order; the registry itself is
    /// last.
    func pullEndpoints(_ repository: Repository) -> [Endpoint] {
        let mirrors = (mirrors[repository.host] ?? []).map {
            Endpoint(mirror: $0, insecureHosts: insecureHosts)
        }
        return mirrors.filter { !$0.authority.isEmpty } + [pushEndpoint(repository)]
    }

    /// The server that a repository is written to.
    func pushEndpoint(_ repository: Repository, isInsecure: Bool = false) -> Endpoint {
        let also: Set<String> = isInsecure ? [repository.host] : []
        return Endpoint(registry: repository.host, insecureHosts: insecureHosts.union(also))
    }
}
