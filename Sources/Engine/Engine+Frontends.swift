// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// What is known of frontends before any is run.
extension Engine {
    /// The versions of the frontends that come with this engine, by name.
    public static var bundledFrontends: [String: String] {
        ["dockerfile": "1.20.0", "llb": "1.0.0", "yaml": "1.0.0"]
    }

    /// What this engine offers frontends, by the names of the protocol.
    public static var frontendCapabilities: Set<String> {
        let offered: [EngineCapability] = [
            .solve, .evaluate, .definitionJSON, .readFile, .resolveImage, .diagnostic, .progress,
        ]
        return Set(offered.map(\.rawValue))
    }
}
