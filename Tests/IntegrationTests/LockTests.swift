// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import OCI
import RegistryTestSupport
import Testing

/// `kiln lock`, `kiln update` and builds that hold to the lock.
@Suite(.enabled(if: RegistryProcess.isInstalled, "docker-registry is not installed"))
struct LockTests {
    /// A registry with an image under a tag that moves, and a project that builds from it.
    private struct Setting {
        let scratch: Scratch
        let registry: RegistryProcess
        let project: Project
        let image: String

        init() async throws {
            scratch = try Scratch()
            registry = try await RegistryProcess(scratch)
            image = "\(registry.host)/team/tool:1"
            try await Setting.publish("first", as: image)
            project = try await Project("FROM \(image)\nRUN cp /word /copy\n", files: ["kiln.toml": "version = 1\n"])
        }

        static func publish(_ word: String, as image: String) async throws {
            let maker = try await Project("FROM busybox\nRUN echo \(word) >/word\n")
            try await maker.build("-t", image, "--push")
        }

        func publish(_ word: String) async throws { try await Setting.publish(word, as: image) }

        var lock: String { get throws { try project.workspace.read("context/kiln.lock") } }

        func kiln(_ arguments: String..., environment: [String] = []) async throws -> CommandResult {
            try await project.kiln.start(arguments, state: project.workspace.state, environment: environment).result()
        }

        var context: String { project.workspace.path("context") }
        var output: String { "type=local,dest=\(project.workspace.path("tree"))" }

        func copy() throws -> String { try project.workspace.read("tree/copy") }
    }

    @Test func `a pinned tag stays what it was until it is updated`() async throws {
        let setting = try await Setting()
        defer { withExtendedLifetime(setting) {} }
        let locked = try await setting.kiln("lock", setting.context)
        try #require(locked.status == 0, "\(locked.error)")
        #expect(locked.outputText.hasPrefix("locked \(setting.image) (linux/"))
        let first = try setting.lock
        let object = try JSONValue(parsing: first)
        let entry = object["sources"]?["docker-image://\(setting.image)"]
        #expect(entry?["digest"]?.text?.hasPrefix("sha256:") == true)

        try await setting.publish("second")
        try await setting.project.build("--locked", "-o", setting.output)
        #expect(try setting.copy() == "first\n")
        // A pin counts without --locked as well, and however hard the registry is asked.
        try await setting.project.build("--pull", "-o", setting.output)
        #expect(try setting.copy() == "first\n")
        #expect(try await setting.kiln("lock", setting.context).outputText == "kiln.lock is complete\n")
        #expect(try await setting.kiln("lock", "--check", setting.context).status == 0)
        #expect(try setting.lock == first)

        let dry = try await setting.kiln("update", "--dry-run", "--project", setting.context)
        #expect(dry.outputText.hasPrefix("\(setting.image) sha256:"), "\(dry.error)")
        #expect(try setting.lock == first)
        let updated = try await setting.kiln(
            "update",
            "\(setting.registry.host)/team/tool",
            "--project",
            setting.context
        )
        #expect(updated.outputText.contains(" → sha256:"), "\(updated.error)")
        #expect(try setting.lock != first)
        try await setting.project.build("--locked", "-o", setting.output)
        #expect(try setting.copy() == "second\n")
        let again = try await setting.kiln("update", "--project", setting.context)
        #expect(again.outputText == "kiln.lock is up to date\n")
    }

    @Test func `a locked build with a warm store needs no network at all`() async throws {
        let setting = try await Setting()
        defer { withExtendedLifetime(setting) {} }
        #expect(try await setting.kiln("lock", setting.context).status == 0)
        try await setting.project.build("--locked", "-o", setting.output)
        setting.registry.kill()
        // A network namespace of its own, where not even the loopback device is up.
        let command = try Command(
            "/usr/bin/unshare",
            ["--net", setting.project.kiln.program]
                + setting.project.arguments(["--locked", "--no-cache", "-o", setting.output]),
            environment: ["KILN_STATE_DIR=\(setting.project.workspace.state)"]
        )
        let result = try await command.result()
        #expect(result.status == 0, "\(result.error)")
        #expect(try setting.copy() == "first\n")
    }

    @Test func `what is not pinned fails a locked build, and names the way out`() async throws {
        let setting = try await Setting()
        defer { withExtendedLifetime(setting) {} }
        let message = try await setting.project.failure("--locked", "-o", setting.output)
        #expect(
            message.contains(
                "F217 kiln.lock: kiln.lock has no entry for \(setting.image), and --locked is set. Run: kiln lock"
            )
                || message.contains(
                    "F217 kiln.lock has no entry for \(setting.image), and --locked is set. Run: kiln lock"
                )
        )
        let check = try await setting.kiln("lock", "--check", setting.context)
        #expect(check.status == 1)
        #expect(check.error.contains("F217"))
        #expect(!setting.project.workspace.exists("context/kiln.lock"))

        #expect(try await setting.kiln("lock", setting.context).status == 0)
        try setting.project.workspace.write("context/Dockerfile", "FROM \(setting.registry.host)/team/other:2\n")
        // In CI a lock that stands is held to.
        let inCI = try await setting.project.start("-o", setting.output, environment: ["CI=true"]).result()
        #expect(inCI.status == 1)
        #expect(inCI.error.contains("F217"))
    }

    @Test func `a platform that is not pinned fails a locked build`() async throws {
        let setting = try await Setting()
        defer { withExtendedLifetime(setting) {} }
        #expect(try await setting.kiln("lock", setting.context).status == 0)
        let other = try setting.lock.contains("linux/amd64") ? "linux/arm64" : "linux/amd64"
        let message = try await setting.project.failure("--locked", "--platform", other)
        #expect(message.contains("F217"))
        #expect(message.contains("no \(other) entry for \(setting.image)"))
    }

    @Test func `several build files share a lock, and prune drops what none of them uses`() async throws {
        let setting = try await Setting()
        defer { withExtendedLifetime(setting) {} }
        let second = "\(setting.registry.host)/team/second:1"
        try await Setting.publish("x", as: second)
        let file = try setting.project.workspace.write("context/Second", "FROM \(second)\n")
        #expect(try await setting.kiln("lock", setting.context).status == 0)
        #expect(try await setting.kiln("lock", "-f", file, setting.context).status == 0)
        #expect(try setting.lock.contains(setting.image))
        #expect(try setting.lock.contains(second))
        let pruned = try await setting.kiln("lock", "--prune", "-f", file, setting.context)
        #expect(pruned.outputText.hasPrefix("unlocked \(setting.image) "))
        #expect(try !setting.lock.contains(setting.image))
    }

    @Test func `a project file that is wrong is named with line and column`() async throws {
        let setting = try await Setting()
        defer { withExtendedLifetime(setting) {} }
        try setting.project.workspace.write("context/kiln.toml", "version = 1\n[polcy]\n")
        let message = try await setting.project.failure()
        #expect(message.contains("kiln.toml:2:2: unknown key \"polcy\"; did you mean \"policy\"?"))
    }
}
