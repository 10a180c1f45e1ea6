// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials

/// How registries are reached: what a user or operator can set, with the defaults of Kiln.
package struct RegistryConfiguration: Sendable {
    /// Hosts (`name` or `name:port`) whose certificate is not checked, and that may be spoken to in
    /// plain HTTP when they offer no TLS.
    ///
    /// Loopback hosts are always spoken to in plain HTTP and need not be listed.
    package var insecureHosts: Set<String> = []
    /// For a registry host, the mirrors that are asked before it when something is pulled, each
    /// written `host[:port][/path]`.
    ///
    /// A mirror that fails in any way is passed over. Never used for a push.
    package var mirrors: [String: [String]] = [:]
    /// Where logins come from; those of `docker login` by this process's user, unless told
    /// otherwise.
    package var credentials: any CredentialSource = DockerLogins.ofThisProcess
    /// Which proxies lead to registries; those of this process's environment, unless told
    /// otherwise.
    package var proxies = ProxySettings(environment: ProcessInfo.processInfo.environment)
    /// When to give a request another try.
    package var retries = RetryPolicy()
    /// How long to wait for the other side.
    package var timeouts = RegistryTimeouts()
    /// How many blobs are transferred at the same time, over all registries.
    package var transferCountMax = 6
    /// Blobs longer than this are uploaded in parts that can be resumed one by one, in bytes.
    package var uploadPartByteCount: Int64 = 64 << 20
    /// What the client calls itself.
    package var userAgent = "kiln"

    package init() {}
}

/// How long to wait for a registry before a try counts as failed.
package struct RegistryTimeouts: Sendable {
    /// To reach the host, TLS included.
    package var connect: Duration = .seconds(15)
    /// From a request to the head of its answer.
    package var answer: Duration = .seconds(120)
    /// Silence in the middle of a body, or while the registry stores what it was sent.
    package var idle: Duration = .seconds(120)
    /// From a request to the last byte of a manifest, config or token.
    package var document: Duration = .seconds(120)
    /// A blob that brings fewer than ``stallByteCount`` bytes in this time has stalled.
    package var stall: Duration = .seconds(60)
    package var stallByteCount = 16 << 10

    package init() {}
}

/// Largest sizes that are accepted from a registry; beyond them lies only abuse.
package enum RegistryLimit {
    /// An image manifest or index, in bytes; what registries themselves enforce.
    package static let manifestByteCount = 4 << 20
    /// An image config, in bytes.
    package static let configByteCount = 8 << 20
    /// The answer of a token server, in bytes.
    static let tokenByteCount = 1 << 20
    /// One page of the tags of a repository, in bytes.
    static let tagPageByteCount = 8 << 20
    /// The explanation that comes with an error, in bytes.
    static let errorByteCount = 64 << 10
    /// Redirections of one request.
    static let redirectCount = 10
    /// Manifests of one index that is pushed.
    static let indexManifestCount = 1_000
    /// Indexes within indexes.
    static let indexDepth = 4
}
