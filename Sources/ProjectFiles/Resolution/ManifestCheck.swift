// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// What an engine offers frontends; steps 9 of the resolution compares it with a manifest.
package struct EngineOffer: Sendable, Hashable {
    /// `1.0`: the newest minor of each major it speaks.
    package var protocolVersions: [String]
    package var capabilities: Set<String>
    /// Capabilities that it knows and its policy forbids.
    package var disabledCapabilities: Set<String>
    /// What its own policy allows any frontend; `nil` = whatever a project grants.
    package var policy: Grant?

    package init(
        protocolVersions: [String] = ProtocolVersion.spoken.map(\.description),
        capabilities: Set<String>,
        disabledCapabilities: Set<String> = [],
        policy: Grant? = nil
    ) {
        self.protocolVersions = protocolVersions
        self.capabilities = capabilities
        self.disabledCapabilities = disabledCapabilities
        self.policy = policy
    }
}

extension FrontendManifest {
    /// Checks that an engine can run this frontend and that a project lets it.
    ///
    /// - Parameters:
    ///   - name: What the project calls it.
    ///   - previous: The version that was pinned before, where one is updated.
    /// - Throws: `F212`, `F213` or `F214`.
    package func check(
        as name: FrontendName,
        offer: EngineOffer,
        grant: Grant,
        previous: SemanticVersion? = nil
    ) throws(ProjectError) {
        if kind == .native {
            let spoken = protocolVersions.compactMap { ProtocolVersion($0) }
            let engine = offer.protocolVersions.compactMap { ProtocolVersion($0) }
            guard ProtocolVersion.negotiate(offered: engine, known: spoken) != nil else {
                throw ProjectError.protocolVersion(
                    name,
                    version,
                    spoken: spoken.map(\.major),
                    engine: engine.map(\.major)
                )
            }
        }
        for capability in requires where !offer.capabilities.contains(capability) {
            throw ProjectError.capability(
                name,
                version,
                capability,
                isDisabled: offer.disabledCapabilities.contains(capability)
            )
        }
        var missing = permissions.exceeding(grant)
        if let policy = offer.policy {
            missing += permissions.exceeding(policy).filter { !missing.contains($0) }
        }
        guard missing.isEmpty else {
            throw ProjectError.permission(name, version, asked: missing, permissions, previous: previous)
        }
    }
}
