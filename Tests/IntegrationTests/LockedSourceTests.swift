// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import RegistryTestSupport
import Synchronization
import Testing

/// Repositories and files of the web as `kiln.lock` pins them, through the executable and real servers on loopback.
@Suite(.serialized, .timeLimit(.minutes(4)))
struct LockedSourceTests {
    /// A file of the web that changes, and a project that reads it.
    private final class Setting: Sendable {
        let project: Project
        let server: ScriptedServer
        private let content: Content

        private final class Content: Sendable {
            let text = Mutex("one\n")
        }

        /// - Parameter buildFile: With `SERVER` in the place of the server.
        init(_ buildFile: String, project text: String = "version = 1\n", delay: UInt32 = 0) async throws {
            let content = Content()
            server = try ScriptedServer { request in
                if request.path.hasPrefix("/gone") { return ScriptedServer.Reply(status: 404) }
                return ScriptedServer.Reply(body: Array(content.text.withLock { $0 }.utf8), delay: delay)
            }
            self.content = content
            project = try await Project(
                buildFile.replacing("SERVER", with: server.host),
                files: ["kiln.toml": text]
            )
        }

        func serve(_ text: String) { content.text.withLock { $0 = text } }

        var context: String { project.workspace.path("context") }

        func kiln(_ arguments: String..., state: String? = nil) async throws -> CommandResult {
            try await project.kiln.start(arguments, state: state ?? project.workspace.state).result()
        }

        /// What a build with further arguments wrote to a file.
        func build(_ file: String, _ extra: String...) async throws -> String {
            let output = ["-o", "type=local,dest=\(project.workspace.path("tree"))"]
            let result = try await project.kiln.start(
                project.arguments(output + extra),
                state: project.workspace.state
            ).result()
            let report = try BuildReport(result.error)
            try #require(result.status == 0, "\(report.message)")
            return try project.workspace.read("tree/" + file)
        }

        /// The same in a network namespace of its own, where not even the loopback device is up.
        func buildAlone(_ file: String, _ extra: String...) async throws -> String {
            let output = ["-o", "type=local,dest=\(project.workspace.path("alone"))"]
            let result = try await Command(
                "/usr/bin/unshare",
                ["--net", project.kiln.program] + project.arguments(output + extra),
                environment: ["KILN_STATE_DIR=\(project.workspace.state)"]
            ).result()
            let report = try BuildReport(result.error)
            try #require(result.status == 0, "\(report.message)")
            return try project.workspace.read("alone/" + file)
        }
    }

    @Test func `a pinned file of the web stays what it was until it is updated, and needs no network`() async throws {
        let setting = try await Setting("FROM scratch\nADD http://SERVER/f /f\n")
        let address = "http://\(setting.server.host)/f"
        let locked = try await setting.kiln("lock", setting.context)
        try #require(locked.status == 0, "\(locked.error)")
        #expect(locked.outputText == "locked \(address) \(Digest.of("one\n"))\n")
        #expect(try await setting.build("f", "--locked") == "one\n")

        setting.serve("two\n")
        #expect(try await setting.build("f", "--locked") == "one\n")
        // A pin counts without --locked too.
        #expect(try await setting.build("f") == "one\n")
        #expect(try await setting.buildAlone("f", "--locked", "--offline") == "one\n")
        #expect(try await setting.buildAlone("f", "--locked", "--offline", "--no-cache") == "one\n")

        // Where the content is not there any more, what the server has now is no substitute.
        let elsewhere = try await setting.kiln(
            "build",
            "--progress",
            "plain",
            "--locked",
            setting.context,
            state: setting.project.workspace.path("other-state")
        )
        #expect(elsewhere.status == 1)
        #expect(
            elsewhere.error.contains(
                """
                F218 kiln.lock: \(address) is \(Digest.of("two\n")), kiln.lock says \(Digest.of("one\n")). \
                Run: kiln update \(address)
                """
            ),
            "\(elsewhere.error)"
        )

        let dry = try await setting.kiln("update", "--dry-run", address, "--project", setting.context)
        #expect(dry.outputText == "\(address) \(Digest.of("one\n")) → \(Digest.of("two\n"))\n", "\(dry.error)")
        #expect(try await setting.build("f", "--locked") == "one\n")
        #expect(try await setting.kiln("update", address, "--project", setting.context).status == 0)
        #expect(try await setting.build("f", "--locked") == "two\n")
        #expect(try await setting.kiln("lock", "--check", setting.context).status == 0)
    }

    @Test func `a pinned branch stays where it was until it is updated, and needs no network`() async throws {
        let git = try GitServer()
        let first = try await git.makeRepository("r", ["a.txt": "one\n"])
        let setting = try await Setting("FROM scratch\nADD \(git.address("r"))#main /r/\n")
        let key = git.address("r").replacing("http://", with: "git://") + "#main"
        let locked = try await setting.kiln("lock", setting.context)
        try #require(locked.status == 0, "\(locked.error)")
        #expect(locked.outputText == "locked \(key) \(first)\n")
        #expect(try await setting.build("r/a.txt", "--locked") == "one\n")

        let second = try await git.commit("r", ["a.txt": "two\n"])
        #expect(try await setting.build("r/a.txt", "--locked") == "one\n")
        #expect(try await setting.build("r/a.txt", "--locked", "--no-cache") == "one\n")
        #expect(try await setting.buildAlone("r/a.txt", "--locked", "--offline") == "one\n")
        // Elsewhere the very commit is fetched, wherever the branch is now.
        let fresh = setting.project.workspace.path("fresh")
        let elsewhere = try await setting.kiln(
            "build",
            "--progress",
            "plain",
            "--locked",
            "-o",
            fresh,
            setting.context,
            state: setting.project.workspace.path("other-state")
        )
        #expect(elsewhere.status == 0, "\(elsewhere.error)")
        #expect(try setting.project.workspace.read("fresh/r/a.txt") == "one\n")

        let updated = try await setting.kiln("update", key, "--project", setting.context)
        #expect(updated.outputText == "\(key) \(first) → \(second)\n", "\(updated.error)")
        #expect(try await setting.build("r/a.txt", "--locked") == "two\n")
        let again = try await setting.kiln("update", "--project", setting.context)
        #expect(again.outputText == "kiln.lock is up to date\n", "\(again.error)")
    }

    @Test func `a source that is not pinned is refused by --locked, without asking for it`() async throws {
        let setting = try await Setting("FROM scratch\nADD http://SERVER/f /f\n")
        let message = try await setting.project.failure("--locked")
        #expect(message.contains("F217"), "\(message)")
        #expect(message.contains("no entry for http://\(setting.server.host)/f"), "\(message)")
        #expect(setting.server.requests.isEmpty)
    }

    // MARK: The lock itself

    @Test func `locks that are made at once lose nothing of each other`() async throws {
        let setting = try await Setting("FROM scratch\nADD http://SERVER/first /f\n", delay: 300)
        let names = ["second", "third", "fourth"]
        for name in names {
            try setting.project.workspace.write(
                "context/" + name,
                "FROM scratch\nADD http://\(setting.server.host)/\(name) /f\n"
            )
        }
        let files = ["Dockerfile"] + names
        let commands = try files.map { file in
            try setting.project.kiln.start(
                ["lock", "-f", "\(setting.context)/\(file)", setting.context],
                state: setting.project.workspace.path("state-\(file)")
            )
        }
        for command in commands {
            let result = try await command.result()
            #expect(result.status == 0, "\(result.error)")
        }
        let lock = try JSONValue(parsing: setting.project.workspace.read("context/kiln.lock"))
        #expect(lock["sources"]?.members.count == files.count)
        for name in ["first"] + names {
            #expect(lock["sources"]?["http://\(setting.server.host)/\(name)"] != nil, "\(name)")
        }
    }

    @Test func `a check tells everything that is missing, each with its place`() async throws {
        let setting = try await Setting(
            "FROM scratch\nADD http://SERVER/a /a\n\nADD http://SERVER/b /b\n",
            project: """
                version = 1
                [frontends]
                "acme/one" = { version = "^1", source = "layout:../nowhere" }
                "acme/two" = { version = "^1", source = "layout:../nowhere" }

                """
        )
        let check = try await setting.kiln("lock", "--check", setting.context)
        #expect(check.status == 1)
        #expect(
            check.error == """
                kiln: kiln.toml:3: acme/one is not locked
                kiln: kiln.toml:4: acme/two is not locked
                kiln: F217 Dockerfile:2: kiln.lock has no entry for http://\(setting.server.host)/a, \
                and --locked is set. Run: kiln lock
                kiln: F217 Dockerfile:4: kiln.lock has no entry for http://\(setting.server.host)/b, \
                and --locked is set. Run: kiln lock
                kiln.lock does not fit these builds. Run: kiln lock

                """
        )
        #expect(!setting.project.workspace.exists("context/kiln.lock"))
    }

    @Test func `a check tells what was locked and is not used, where it is asked to`() async throws {
        let setting = try await Setting("FROM scratch\nADD http://SERVER/a /a\nADD http://SERVER/b /b\n")
        #expect(try await setting.kiln("lock", setting.context).status == 0)
        #expect(try await setting.kiln("lock", "--check", "--prune", setting.context).status == 0)
        try setting.project.workspace.write(
            "context/Dockerfile",
            "FROM scratch\nADD http://\(setting.server.host)/a /a\n"
        )
        #expect(try await setting.kiln("lock", "--check", setting.context).status == 0)
        let check = try await setting.kiln("lock", "--check", "--prune", setting.context)
        #expect(check.status == 1)
        #expect(
            check.error.contains(
                "kiln: kiln.lock: http://\(setting.server.host)/b is pinned, and none of these builds uses it\n"
            ),
            "\(check.error)"
        )
    }

    @Test func `a check that finds nothing wrong but cannot tell everything fails as what kept it`() async throws {
        let setting = try await Setting("FROM nonsense FROM\n")
        let check = try await setting.kiln("lock", "--check", setting.context)
        #expect(check.status == 1)
        #expect(check.error.contains("Dockerfile:1"), "\(check.error)")
        #expect(!check.error.contains("does not fit"), "\(check.error)")
    }
}
