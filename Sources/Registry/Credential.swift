// SPDX-License-Identifier: Apache-2.0

/// A login at a registry.
package enum Credential: Sendable, Hashable {
    case password(user: String, password: String)
    /// A token that is exchanged for access tokens at the registry's token server.
    case identityToken(String)
    /// A token that is shown to the registry as it is.
    case accessToken(String)
}

/// Where logins come from: the login file of this machine's user, or the client of a build.
package protocol CredentialSource: Sendable {
    /// Finds the login for a registry.
    ///
    /// - Parameter host: The registry as references name it, `docker.io` or `host:port`.
    /// - Returns: The login; `nil` means anonymous.
    /// - Throws: `RegistryError` with code `credentials` when the login cannot be told. It is never
    ///   taken for "none".
    func credential(forRegistry host: String) async throws -> Credential?
}

/// No logins at all.
package struct NoCredentials: CredentialSource {
    package init() {}
    package func credential(forRegistry host: String) async throws -> Credential? { nil }
}

/// Logins that are known beforehand, by registry host.
package struct FixedCredentials: CredentialSource {
    private let byHost: [String: Credential]

    package init(_ byHost: [String: Credential]) { self.byHost = byHost }

    package func credential(forRegistry host: String) async throws -> Credential? { byHost[host] }
}
