// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Testing

/// Repositories that are reached by SSH, through the executable, the machine's `ssh` and a real server.
@Suite(
    .enabled(if: SSHServer.isInstalled, "openssh-server is not installed: dev/setup"),
    .enabled(if: geteuid() == 0, "the server logs root in"),
    .serialized,
    .timeLimit(.minutes(3))
)
struct SSHSourceTests {
    /// A server with a repository, and a project that reads it.
    private struct Setting {
        let ssh: SSHServer
        let git: GitServer
        let project: Project
        let remote: String

        init() async throws {
            ssh = try await SSHServer()
            git = try GitServer()
            try await git.makeRepository("r", ["a.txt": "one\n", "sub/b.txt": "two\n"])
            remote = ssh.address(git.workspace.path("work/r"))
            project = try await Project(
                "FROM scratch\nADD \(remote)#main /r/\nADD \(remote)#main:sub /sub/\n",
                files: ["kiln.toml": "version = 1\n"]
            )
        }

        /// A command of a user who knows the server, or of one who does not.
        func kiln(_ arguments: [String], knowsServer: Bool = true) async throws -> CommandResult {
            let home = knowsServer ? ssh.home : "/nonexistent"
            return try await Command(
                "/usr/bin/env",
                ["HOME=\(home)", "KILN_STATE_DIR=\(project.workspace.state)", project.kiln.program] + arguments
            ).result()
        }

        func build(_ extra: String..., knowsServer: Bool = true) async throws -> CommandResult {
            let arguments = ["-o", "type=local,dest=\(project.workspace.path("tree"))"] + extra
            return try await kiln(project.arguments(arguments, progress: "plain"), knowsServer: knowsServer)
        }
    }

    @Test func `a repository is fetched with the key of an agent, which no step sees`() async throws {
        let setting = try await Setting()
        let result = try await setting.build("--ssh", "default=\(setting.ssh.socket)")
        try #require(result.status == 0, "\(result.error)")
        #expect(try setting.project.workspace.read("tree/r/a.txt") == "one\n")
        #expect(setting.project.workspace.names(in: "tree/sub") == ["b.txt"])
    }

    @Test func `a step speaks with the agent through a socket of its own while it runs`() async throws {
        let ssh = try await SSHServer()
        // Nothing but the program and what it loads.
        let libraries = try await Command("/usr/bin/ldd", ["/usr/bin/ssh-add"]).result().outputText
            .split { $0 == " " || $0 == "\n" || $0 == "\t" }.filter { $0.hasPrefix("/") }.map(String.init)
        let project = try await Project(
            """
            FROM busybox
            COPY root /
            RUN --mount=type=ssh,uid=1000,gid=1000,mode=0600 stat -c '%u:%g %a %F' $SSH_AUTH_SOCK > /stat && ssh-add -L > /keys
            RUN --mount=type=ssh,target=/a/socket,mode=0666 su app -c 'SSH_AUTH_SOCK=/a/socket ssh-add -L' > /keys-of-app
            RUN --mount=type=ssh,id=other test ! -e /run -a ! -e /a && echo none > /left

            """
        )
        for path in ["/usr/bin/ssh-add"] + libraries {
            let file = try Data(contentsOf: URL(filePath: path))
            try project.workspace.write("context/root\(path)", Array(file))
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755],
                ofItemAtPath: project.workspace.path("context/root\(path)")
            )
        }
        let tree = project.workspace.path("tree")
        try await project.build("--ssh", "default=\(ssh.socket)", "-o", "type=local,dest=\(tree)")
        let key = try ssh.workspace.read("user-key.pub")
        #expect(try project.workspace.read("tree/stat") == "1000:1000 600 socket\n")
        #expect(try project.workspace.read("tree/keys") == key)
        #expect(try project.workspace.read("tree/keys-of-app") == key)
        #expect(try project.workspace.read("tree/left") == "none\n")
        #expect(project.workspace.names(in: "state/tmp").isEmpty)

        try project.workspace.write("context/Dockerfile", "FROM busybox\nRUN --mount=type=ssh,required=true true\n")
        #expect(try await project.failure().contains("pass --ssh default"))
    }

    @Test func `without an agent, or without knowing the server, nothing is fetched`() async throws {
        let setting = try await Setting()
        let refused = try await setting.build()
        #expect(refused.status == 1)
        #expect(refused.error.contains("Permission denied"), "\(refused.error)")
        #expect(refused.error.contains("with --ssh default"), "\(refused.error)")

        let unknown = try await setting.build("--ssh", "default=\(setting.ssh.socket)", knowsServer: false)
        #expect(unknown.status == 1)
        #expect(unknown.error.contains("add the key of 127.0.0.1 to ~/.ssh/known_hosts"), "\(unknown.error)")

        let file = try setting.project.workspace.write("no-socket", "x")
        let wrong = try await setting.build("--ssh", "default=\(file)")
        #expect(wrong.status == 1)
        #expect(wrong.error.contains("is no socket of an agent"), "\(wrong.error)")
    }

    @Test func `a lock pins it, and update asks the same remote again`() async throws {
        let setting = try await Setting()
        let context = setting.project.workspace.path("context")
        let agent = ["--ssh", "default=\(setting.ssh.socket)"]
        let locked = try await setting.kiln(["lock", context] + agent)
        try #require(locked.status == 0, "\(locked.error)")
        #expect(try setting.project.workspace.read("context/kiln.lock").contains("\"remote\": \"\(setting.remote)\""))
        let second = try await setting.git.commit("r", ["a.txt": "two\n"])
        let pinned = try await setting.build("--locked", "--ssh", "default=\(setting.ssh.socket)")
        #expect(pinned.status == 0, "\(pinned.error)")
        #expect(try setting.project.workspace.read("tree/r/a.txt") == "one\n")
        let updated = try await setting.kiln(["update", "--project", context] + agent)
        #expect(updated.outputText.contains(" → \(second)\n"), "\(updated.error)")
    }
}
