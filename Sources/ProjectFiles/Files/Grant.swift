// SPDX-License-Identifier: Apache-2.0

/// What a frontend may do beyond reading its inputs and solving: what a package asks for, or what a project allows.
package struct Grant: Sendable, Hashable {
    /// Names of secrets it may mount into steps; it never sees their values.
    package var secrets: [String]
    /// Entitlements its steps may use: `network.host`, `security.insecure`, `device`.
    package var entitlements: [String]
    /// Frontends it may call.
    package var frontends: [String]
    /// Whether its own process gets a network.
    package var network: Bool
    /// Whether it may run containers through `exec/*`.
    package var exec: Bool
    /// Whether its process sees the machine's own `/usr`, as scripts need it.
    package var hostRuntime: Bool

    package init(
        secrets: [String] = [],
        entitlements: [String] = [],
        frontends: [String] = [],
        network: Bool = false,
        exec: Bool = false,
        hostRuntime: Bool = false
    ) {
        self.secrets = secrets
        self.entitlements = entitlements
        self.frontends = frontends
        self.network = network
        self.exec = exec
        self.hostRuntime = hostRuntime
    }

    package static let nothing = Grant()

    /// The lines of `kiln.toml` that grant all of this, beginning with the table's: what stands there now is replaced by
    /// them.
    package func lines(granting name: FrontendName) -> [String] {
        var lines = ["[grant.\"\(name)\"]"]
        func list(_ key: String, _ values: [String]) {
            let words = values.sorted().map { "\"\(shown($0))\"" }
            if !words.isEmpty { lines.append("\(key) = [\(words.joined(separator: ", "))]") }
        }
        list("secrets", secrets)
        list("entitlements", entitlements)
        list("frontends", frontends)
        if network { lines.append("network = true") }
        if exec { lines.append("exec = true") }
        if hostRuntime { lines.append("host-runtime = true") }
        return lines
    }

    /// What is asked for here and not allowed there, as words of a message, in a fixed order: `network`,
    /// `secret "npm-token"`.
    package func exceeding(_ allowed: Grant) -> [String] {
        var words: [String] = []
        if network, !allowed.network { words.append("network") }
        if exec, !allowed.exec { words.append("exec") }
        if hostRuntime, !allowed.hostRuntime { words.append("host-runtime") }
        for (kind, asked, granted) in [
            ("secret", secrets, allowed.secrets),
            ("entitlement", entitlements, allowed.entitlements),
            ("frontend", frontends, allowed.frontends),
        ] {
            let granted = Set(granted)
            words += Set(asked).subtracting(granted).sorted().map { "\(kind) \"\(shown($0))\"" }
        }
        return words
    }
}

extension ConfigReader {
    /// Reads the keys of `[permissions]` or `[grant."name"]`.
    mutating func grant() throws(ProjectError) -> Grant {
        Grant(
            secrets: try strings("secrets") ?? [],
            entitlements: try strings("entitlements") ?? [],
            frontends: try strings("frontends") ?? [],
            network: try boolean("network") ?? false,
            exec: try boolean("exec") ?? false
        )
    }
}
