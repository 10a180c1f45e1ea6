// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
internal import LinuxSystem

/// What `kiln-sandbox --probe` answers.
struct Probe: Codable, Hashable {
    /// Whether we are in a user namespace ourselves.
    var nested: Bool
    var manyUsers: Bool
    /// Whether the namespaces of a step can be made.
    var namespaces: Bool
    var overlay: Bool
    var userNamespaces: Bool
    var seccomp: Bool

    /// Tries everything out.
    static func run(launcher: LauncherExecutable, scratch: Directory) throws -> Probe {
        let name = "sandbox-probe-\(randomToken(count: 8))"
        try scratch.makeDirectory(name, mode: 0o700)
        defer { try? scratch.removeTree(name: name) }
        let directory = try scratch.directory(name)
        let layers = try ["lower", "upper", "work"].map { name in
            try directory.makeDirectories(name, mode: 0o700).descriptor
        }
        guard let answer = try launcher.answer(to: ["--probe"], descriptors: layers) else {
            throw SandboxError(.unavailable, "the launcher's probe failed")
        }
        return try JSONDecoder().decode(Probe.self, from: Data(answer))
    }
}
