// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import RegistryTestSupport
import SystemPackage
import Testing

/// Frontends as projects pin them, through the executable and a real registry.
@Suite(
    .enabled(if: RegistryProcess.isInstalled, "docker-registry is not installed"),
    .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "python3 is not installed")
)
struct FrontendPinTests {
    /// A registry with two versions of a frontend that write different files.
    private struct Fixture {
        let kiln: Kiln
        let scratch: Scratch
        let registry: RegistryProcess
        let workspace: Workspace
        /// The registry's storage and this fixture's state directory.
        var state: String { workspace.state }
        var source: String { "oci://\(registry.host)/acme/greet" }

        init() async throws {
            kiln = try await Kiln.shared
            scratch = try Scratch()
            registry = try await RegistryProcess(scratch)
            workspace = try Workspace()
            for version in ["1.0.0", "2.0.0"] {
                try writePackage("package-\(version)", version)
                try await run("frontend", "publish", source, workspace.path("package-\(version)"))
            }
        }

        func writePackage(_ folder: String, _ version: String) throws {
            try workspace.write(
                "\(folder)/frontend.toml",
                """
                manifest = 1
                name = "acme/greet"
                version = "\(version)"
                [protocol]
                versions = ["1.0"]
                requires = ["solve", "solve.json"]
                [entry]
                argv = ["/usr/bin/python3", "frontend.py"]
                runtime = "host"

                """
            )
            try workspace.write("\(folder)/frontend.py", Self.program.replacing("VERSION", with: version))
        }

        /// A project that lists the frontend, with a build file that asks for it.
        func project(_ name: String, _ constraint: String, tag: String = "") async throws -> String {
            let grant = "version = 1\n[grant.\"acme/greet\"]\nhost-runtime = true\n"
            try workspace.write("\(name)/kiln.toml", grant)
            try workspace.write("\(name)/Dockerfile", "# syntax=acme/greet\(tag)\nhello\n")
            try await run(
                "frontend",
                "add",
                "acme/greet@\(constraint)",
                "--source",
                source,
                "--project",
                workspace.path(name)
            )
            return workspace.path(name)
        }

        @discardableResult
        func run(
            _ arguments: String...,
            state: String? = nil,
            at location: SourceLocation = #_sourceLocation
        ) async throws -> CommandResult {
            let result = try await kiln.start(arguments, state: state ?? self.state).result()
            try #require(
                result.status == 0,
                "kiln \(arguments.joined(separator: " ")): \(result.error)",
                sourceLocation: location
            )
            return result
        }

        /// What a build of a project wrote.
        func build(
            _ project: String,
            _ extra: String...,
            state: String? = nil,
            at location: SourceLocation = #_sourceLocation
        ) async throws -> String {
            let output = "out-\(randomToken(count: 8))"
            let result = try await kiln.start(
                buildArguments(project, output) + extra,
                state: state ?? self.state
            ).result()
            try #require(result.status == 0, "\(result.error)", sourceLocation: location)
            return try workspace.read("\(output)/greeting")
        }

        func buildArguments(_ project: String, _ output: String) -> [String] {
            ["build", "--progress", "plain", "-o", "type=local,dest=\(workspace.path(output))", project]
        }

        /// What a build that must fail said.
        func failure(
            _ project: String,
            _ extra: String...,
            state: String? = nil,
            status: Int32 = 1,
            at location: SourceLocation = #_sourceLocation
        ) async throws -> String {
            let output = "out-\(randomToken(count: 8))"
            let result = try await kiln.start(
                buildArguments(project, output) + extra,
                state: state ?? self.state
            ).result()
            #expect(result.status == status, "\(result.error)", sourceLocation: location)
            #expect(!workspace.exists(output), sourceLocation: location)
            return result.error
        }

        /// A whole frontend without any library.
        private static let program = """
            import json, struct, sys
            stdin, stdout = sys.stdin.buffer, sys.stdout.buffer
            sys.stdout = sys.stderr

            def receive():
                length, stream = struct.unpack(">II", stdin.read(8))
                return stdin.read(length)

            def send(message):
                text = json.dumps(message).encode()
                stdout.write(struct.pack(">II", len(text), 0) + text)
                stdout.flush()

            def message():
                text = json.loads(receive())
                size = text.get("params", {}).get("buildFile", {}).get("content", {}).get("size", 0)
                blob = b""
                while len(blob) < size:
                    blob += receive()
                return text

            hello = message()
            send({"jsonrpc": "2.0", "id": hello["id"], "result": {
                "protocol": "1.0", "frontend": {"name": "acme/greet", "version": "VERSION"}}})
            build = message()
            send({"jsonrpc": "2.0", "id": 1, "method": "solve", "params": {"definition": {"json": {"def": {
                "file": {"file": {"actions": [{"input": "-1", "output": "0", "secondaryInput": "-1", "mkfile": {
                    "path": "/greeting", "mode": 420, "data": "VkVSU0lPTg==", "timestamp": "-1"}}]}},
                "out": {"inputs": [{"digest": "file"}]}}}}}})
            answer = message()
            send({"jsonrpc": "2.0", "id": build["id"], "result": {"refs": [
                {"id": build["params"].get("platform", "linux/amd64"), "ref": answer["result"]["ref"]}]}})
            stdin.read()

            """
            .replacing(
                "\"data\": \"VkVSU0lPTg==\"",
                with: "\"data\": __import__('base64').b64encode(b'VERSION').decode()"
            )
    }

    @Test func `two projects that pin different versions build at the same time, and a moved pin moves the frontend`()
        async throws
    {
        let fixture = try await Fixture()
        let one = try await fixture.project("one", "^1")
        let two = try await fixture.project("two", "^2", tag: ":2")
        async let first = fixture.build(one)
        async let second = fixture.build(two)
        async let third = fixture.build(one, "--locked")
        let outputs = try await [first, second, third]
        #expect(outputs == ["1.0.0", "2.0.0", "1.0.0"])
        let stored = try await fixture.run("frontend", "list", "--store").outputText
        #expect(stored.contains("1.0.0") && stored.contains("2.0.0"))

        // A build file that asks for another version than is pinned is refused, and pins nothing.
        try fixture.workspace.write("one/Dockerfile", "# syntax=acme/greet:2\nhello\n")
        let message = try await fixture.failure(one)
        #expect(
            message.contains(
                "F206 Dockerfile:1 asks for acme/greet:2 (>=2.0.0 <3.0.0); this project pins 1.0.0 (kiln.toml: ^1). Change one of them."
            ),
            "\(message)"
        )
        try await fixture.run("frontend", "add", "acme/greet@^2", "--project", one)
        #expect(try await fixture.build(one) == "2.0.0")
        try await fixture.run("frontend", "add", "acme/greet@^1", "--project", two)
        try fixture.workspace.write("two/Dockerfile", "# syntax=acme/greet\nhello\n")
        #expect(try await fixture.build(two) == "1.0.0")
    }

    @Test func `a project builds offline, without any network, from a bundle, and from its vendor directory`()
        async throws
    {
        let fixture = try await Fixture()
        let project = try await fixture.project("project", "^1")
        let bundle = fixture.workspace.path("frontends.tar")
        try await fixture.run("frontend", "bundle", bundle, "--project", project)
        fixture.registry.kill()

        let fresh = fixture.workspace.path("from-bundle")
        let message = try await fixture.failure(project, "--offline", state: fresh)
        #expect(message.contains("F209") && message.contains("is not in vendor/ or the store and --offline is set"))
        try await fixture.run(
            "frontend",
            "install",
            "--locked",
            "--offline",
            "--from",
            "bundle:\(bundle)",
            "--project",
            project,
            state: fresh
        )
        #expect(try await fixture.build(project, "--offline", "--locked", state: fresh) == "1.0.0")
        // In a network namespace of its own there is nothing to be reached, not even this machine.
        let arguments = fixture.buildArguments(project, "unshared") + ["--offline", "--locked"]
        let unshared = try await Command(
            "/usr/bin/unshare",
            ["-n", fixture.kiln.program] + arguments,
            environment: ["KILN_STATE_DIR=\(fresh)"]
        ).result()
        #expect(unshared.status == 0, "\(unshared.error)")
        #expect(try fixture.workspace.read("unshared/greeting") == "1.0.0")

        try await fixture.run("frontend", "vendor", "--offline", "--project", project, state: fresh)
        #expect(fixture.workspace.exists("project/vendor/frontends/acme/greet/1.0.0/any/frontend.py"))
        let vendored = fixture.workspace.path("from-vendor")
        #expect(try await fixture.build(project, "--offline", "--locked", state: vendored) == "1.0.0")
        try fixture.workspace.write("project/vendor/frontends/acme/greet/1.0.0/any/frontend.py", "print('evil')\n")
        let refusal = try await fixture.failure(project, "--offline", state: fixture.workspace.path("from-changed"))
        #expect(refusal.contains("F211") && refusal.contains("Nothing was run."), "\(refusal)")
    }

    @Test func `changed content of the store or the registry is refused and not run`() async throws {
        let fixture = try await Fixture()
        let project = try await fixture.project("project", "^1")
        #expect(try await fixture.build(project) == "1.0.0")
        let trees = "state/frontends/sha256/"
        let tree = try #require(fixture.workspace.names(in: trees).first)
        let file = FilePath(fixture.workspace.path(trees + tree))
        let marker = fixture.workspace.path("marker")
        try Directory(host: file).setMode(name: "frontend.py", 0o644)
        try fixture.workspace.write(trees + tree + "/frontend.py", "open('\(marker)', 'w')\n")
        let message = try await fixture.failure(project)
        #expect(
            message.contains("F211 kiln.lock: acme/greet 1.0.0: content from \(file) has digest ft1:"),
            "\(message)"
        )
        #expect(message.contains("Nothing was run.") && !fixture.workspace.exists("marker"))
        let verified = try await fixture.kiln.run("frontend", "verify", "--project", project, state: fixture.state)
        #expect(verified.status == 1 && verified.error.contains("F211"))

        // In the registry: the layers' bytes change under their names.
        let storage = fixture.scratch.path + "/registry-\(fixture.registry.port)"
        var changedCount = 0
        for name in try FileManager.default.subpathsOfDirectory(atPath: storage) where name.hasSuffix("/data") {
            let url = URL(filePath: storage + "/" + name)
            var bytes = try Data(contentsOf: url)
            guard bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) else { continue }
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: url)
            changedCount += 1
        }
        #expect(changedCount == 2)
        let fresh = fixture.workspace.path("fresh")
        let refusal = try await fixture.failure(project, state: fresh)
        #expect(refusal.contains("F211") && refusal.contains("Nothing was run."), "\(refusal)")
        #expect(fixture.workspace.names(in: "fresh/frontends/sha256").isEmpty)
    }

    @Test func `each way in which project, lock and build file disagree has its code`() async throws {
        let fixture = try await Fixture()
        let project = try await fixture.project("project", "^1")
        func expect(
            _ code: String,
            _ extra: String...,
            at location: SourceLocation = #_sourceLocation
        ) async throws {
            let result = try await fixture.kiln.start(
                fixture.buildArguments(project, "never") + extra,
                state: fixture.state
            ).result()
            #expect(
                result.status == 1 && result.error.contains(code + " "),
                "\(result.error)",
                sourceLocation: location
            )
        }
        try fixture.workspace.write("project/Dockerfile", "# syntax=acme/Greet:1\n")
        try await expect("F201")
        try fixture.workspace.write("project/Dockerfile", "# syntax=acme/other:1\n")
        try await expect("F202")
        try fixture.workspace.write("project/Dockerfile", "# syntax=docker/dockerfile:99\n")
        try await expect("F204")
        try fixture.workspace.write(
            "project/Dockerfile",
            "# syntax=acme/greet@sha256:\(String(repeating: "0", count: 64))\n"
        )
        try await expect("F207")
        try fixture.workspace.write("project/Dockerfile", "# syntax=acme/greet\n")
        let override = "acme/greet=\(fixture.workspace.path("package-1.0.0"))"
        try await expect("F210", "--locked", "--frontend-override", override)
        let text = try fixture.workspace.read("project/kiln.toml")
        try fixture.workspace.write(
            "project/kiln.toml",
            text.replacing("host-runtime = true", with: "host-runtime = false")
        )
        try await expect("F214")
        try fixture.workspace.write("project/kiln.toml", text.replacing("\"^1\"", with: "\"^2\""))
        try await expect("F205")
        let lock = try fixture.workspace.read("project/kiln.lock")
        try fixture.workspace.write("project/kiln.toml", text)
        try fixture.workspace.write("project/kiln.lock", lock.replacing("\"any\": ", with: "\"linux/riscv64\": "))
        try await expect("F208")
        try FileManager.default.removeItem(atPath: fixture.workspace.path("project/kiln.lock"))
        try await expect("F203")
        #expect(!fixture.workspace.exists("never"))
    }

    @Test func `without a kiln.toml a name that says its registry is run with nothing granted, and its pin is told`()
        async throws
    {
        let fixture = try await Fixture()
        // The bundled frontend of specs, published by somebody as a package of their own.
        let program = fixture.kiln.directory.appending("kiln-frontend-yaml").string
        try fixture.workspace.write(
            "spec/frontend.toml",
            """
            manifest = 1
            name = "yaml"
            version = "1.0.0"
            [protocol]
            versions = ["1.0"]
            [entry]
            argv = ["bin/spec"]

            """
        )
        try fixture.workspace.write("spec/bin/README", "the program\n")
        try FileManager.default.copyItem(atPath: program, toPath: fixture.workspace.path("spec/bin/spec"))
        let host = fixture.registry.host
        try await fixture.run("frontend", "publish", "oci://\(host)/team/spec", fixture.workspace.path("spec"))
        let project = fixture.workspace.path("loose")
        try fixture.workspace.write("loose/Dockerfile", "# syntax=\(host)/team/spec:1\nno: such key\n")
        // It runs, and says what it thinks of the file.
        let message = try await fixture.failure(project)
        #expect(message.contains("kiln frontend add yaml@1.0.0 --source oci://\(host)/team/spec"), "\(message)")
        #expect(message.contains("fetched frontend yaml 1.0.0") && message.contains("Dockerfile:2"), "\(message)")
        // One that asks for something gets nothing.
        try fixture.workspace.write("loose/Dockerfile", "# syntax=\(host)/acme/greet:1\nhello\n")
        #expect(try await fixture.failure(project).contains("F214"))
        for arguments in [["--offline"], ["--locked"]] {
            let result = try await fixture.kiln.start(
                fixture.buildArguments(project, "never") + arguments,
                state: fixture.workspace.path("fresh")
            ).result()
            #expect(result.status == 1 && !fixture.workspace.exists("never"), "\(result.error)")
        }
        try fixture.workspace.write("loose/Dockerfile", "# syntax=acme/greet:1\nhello\n")
        #expect(try await fixture.failure(project).contains("F202"))
    }

    @Test func `where a project says ask, a terminal is asked, and only a yes adds the frontend`() async throws {
        let fixture = try await Fixture()
        let name = "\(fixture.registry.host)/acme/greet"
        let text = """
            version = 1
            [policy]
            unlisted = "ask"
            [grant."\(name)"]
            host-runtime = true

            """
        try fixture.workspace.write("asking/kiln.toml", text)
        try fixture.workspace.write("asking/Dockerfile", "# syntax=\(name):1\nhello\n")
        let project = fixture.workspace.path("asking")
        func build(answering answer: String) async throws -> CommandResult {
            let words = [fixture.kiln.program] + fixture.buildArguments(project, "out")
            // The pipe's end closes the terminal: the answer lies there long before it is asked for.
            let command = "echo \(answer) | script -qec '\(words.joined(separator: " "))' /dev/null"
            return try await Command("/bin/sh", ["-c", command], environment: ["KILN_STATE_DIR=\(fixture.state)"])
                .result()
        }
        // Without a terminal there is nobody to ask.
        #expect(try await fixture.failure(project).contains("F202 Dockerfile:1"))
        let refused = try await build(answering: "n")
        #expect(refused.status == 1 && refused.outputText.contains("F202 Dockerfile:1"), "\(refused.outputText)")
        #expect(refused.outputText.contains("acme/greet 1.0.0, sha256:"), "\(refused.outputText)")
        #expect(try fixture.workspace.read("asking/kiln.toml") == text)
        #expect(!fixture.workspace.exists("asking/kiln.lock") && !fixture.workspace.exists("out"))

        let agreed = try await build(answering: "y")
        #expect(agreed.status == 0, "\(agreed.outputText)")
        #expect(try fixture.workspace.read("out/greeting") == "1.0.0")
        // From then on it is the project's, and nobody is asked any more.
        #expect(try fixture.workspace.read("asking/kiln.lock").contains(name))
        #expect(try await fixture.build(project, "--locked") == "1.0.0")
    }

    @Test func `an install that is killed leaves nothing half done, and the next one is whole`() async throws {
        let fixture = try await Fixture()
        let size = 12 << 20
        try fixture.writePackage("big", "3.0.0")
        try fixture.workspace.write(
            "big/data",
            (0..<size).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
        )
        try await fixture.run("frontend", "publish", fixture.source, fixture.workspace.path("big"))
        let project = try await fixture.project("project", "^3")
        for delay in [60, 120, 180, 240, 300, 400] {
            let state = fixture.workspace.path("state-\(delay)")
            let arguments = ["frontend", "install", "--project", project]
            let command = try fixture.kiln.start(arguments, state: state)
            try await Task.sleep(for: .milliseconds(delay))
            command.signal(9)
            _ = try await command.result()
            let trees = "state-\(delay)/frontends/sha256"
            // What is there under a digest's name is whole; anything else goes with the next run.
            try await fixture.run("frontend", "install", "--project", project, state: state)
            #expect(fixture.workspace.names(in: trees).allSatisfy { $0.utf8.count == 64 }, "after \(delay) ms")
            #expect(fixture.workspace.names(in: trees).count == 1)
            try await fixture.run("frontend", "verify", "--project", project, state: state)
        }
    }
}
