// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import RegistryTestSupport
import Testing

/// Debian's `sshd` on loopback, with one user key that an agent holds, and a home directory that knows the server.
final class SSHServer: Sendable {
    static let isInstalled = ["/usr/sbin/sshd", "/usr/bin/ssh-agent", "/usr/bin/ssh-add", "/usr/bin/ssh-keygen"]
        .allSatisfy { FileManager.default.isExecutableFile(atPath: $0) }

    let workspace: Workspace
    let port: UInt16
    private let daemon: Command
    private let agent: Command

    /// The agent's socket.
    var socket: String { workspace.path("agent") }
    /// A home directory with the server's key in `.ssh/known_hosts`.
    var home: String { workspace.path("home") }

    init() async throws {
        workspace = try Workspace()
        port = try Self.freePort()
        for name in ["host-key", "user-key"] {
            try await runTool("/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", workspace.path(name))
        }
        let host = try workspace.read("host-key.pub").split(separator: " ").prefix(2).joined(separator: " ")
        try workspace.write("home/.ssh/known_hosts", "[127.0.0.1]:\(port) \(host)\n")
        try workspace.write("authorized", workspace.read("user-key.pub"))
        try workspace.write(
            "config",
            """
            Port \(port)
            ListenAddress 127.0.0.1
            HostKey \(workspace.path("host-key"))
            AuthorizedKeysFile \(workspace.path("authorized"))
            StrictModes no
            UsePAM no
            PasswordAuthentication no
            KbdInteractiveAuthentication no
            PermitRootLogin yes
            AcceptEnv GIT_PROTOCOL
            PidFile none

            """
        )
        // Where sshd puts the part of itself that has no rights.
        try FileManager.default.createDirectory(atPath: "/run/sshd", withIntermediateDirectories: true)
        daemon = try Command("/usr/sbin/sshd", ["-D", "-e", "-f", workspace.path("config")])
        agent = try Command("/usr/bin/ssh-agent", ["-D", "-a", workspace.path("agent")])
        try await daemon.waitForError("Server listening")
        for _ in 0..<100 where !workspace.exists("agent") { try await Task.sleep(for: .milliseconds(20)) }
        let added = try await Command(
            "/usr/bin/ssh-add",
            ["-q", workspace.path("user-key")],
            environment: ["SSH_AUTH_SOCK=\(workspace.path("agent"))"]
        ).result()
        guard added.status == 0 else { throw TestFailure("ssh-add: \(added.error)") }
    }

    /// The address of a directory of this machine.
    func address(_ path: String) -> String { "ssh://root@127.0.0.1:\(port)\(path)" }

    private static func freePort() throws -> UInt16 {
        try ScriptedServer { _ in ScriptedServer.Reply(status: 404) }.port
    }
}
