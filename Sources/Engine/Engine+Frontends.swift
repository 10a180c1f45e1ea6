// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import ProjectFiles

/// What is known of frontends before any is run.
extension Engine {
    /// The versions of the frontends that come with this engine, by name.
    public static var bundledFrontends: [String: String] {
        BundledFrontends.versions.mapValues(\.description)
    }

    /// What this engine offers frontends, by the names of the protocol.
    public static var frontendCapabilities: Set<String> { Set(BuildBridge.offered.map(\.rawValue)) }
}
