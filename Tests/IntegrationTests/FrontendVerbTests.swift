// SPDX-License-Identifier: Apache-2.0

import Foundation
import LinuxSystem
import Testing

/// What `kiln frontend …` prints and writes; a layout in a directory serves as the place of releases.
struct FrontendVerbTests {
    private struct Fixture {
        let kiln: Kiln
        let workspace: Workspace
        var project: String { workspace.path("project") }

        init() async throws {
            kiln = try await Kiln.shared
            workspace = try Workspace()
            try workspace.write("project/README", "a project\n")
            for (version, secrets) in [("1.4.2", "\"npm-token\""), ("1.5.0", "\"npm-token\", \"other\"")] {
                let folder = "package-\(version)"
                try workspace.write(
                    "\(folder)/frontend.toml",
                    """
                    manifest = 1
                    name = "acme/spec"
                    version = "\(version)"
                    license = "Apache-2.0"
                    [protocol]
                    versions = ["1.0"]
                    [entry]
                    argv = ["bin/spec"]
                    [permissions]
                    secrets = [\(secrets)]

                    """
                )
                try workspace.write("\(folder)/bin/spec", "#!/bin/sh\necho \(version)\n", mode: 0o755)
                _ = try await run("pack", workspace.path(folder), "-o", workspace.path("releases"))
            }
        }

        var source: String { "layout:../releases" }

        func result(_ arguments: [String]) async throws -> CommandResult {
            try await kiln.start(
                ["frontend"] + arguments,
                state: workspace.state,
                environment: ["PWD=\(project)", "XDG_CONFIG_HOME=\(workspace.path("config"))"]
            ).result()
        }

        func run(_ arguments: String..., at location: SourceLocation = #_sourceLocation) async throws -> CommandResult {
            let result = try await result(arguments)
            try #require(result.status == 0, "\(arguments): \(result.error)", sourceLocation: location)
            return result
        }

        /// A verb of the project.
        func verb(_ arguments: String..., at location: SourceLocation = #_sourceLocation) async throws -> CommandResult
        {
            let result = try await result(arguments + ["--project", project])
            try #require(result.status == 0, "\(arguments): \(result.error)", sourceLocation: location)
            return result
        }

        func failure(_ arguments: String..., at location: SourceLocation = #_sourceLocation) async throws -> String {
            let result = try await result(arguments + ["--project", project])
            #expect(result.status == 1, "\(arguments): \(result.outputText)", sourceLocation: location)
            return result.error
        }
    }

    @Test func `add writes both files and says what is asked for, and a failed add writes nothing`() async throws {
        let fixture = try await Fixture()
        let added = try await fixture.verb("add", "acme/spec@~1.4", "--source", fixture.source)
        #expect(added.outputText.hasPrefix("kiln.toml: acme/spec ~1.4\nlocked acme/spec 1.4.2 (any) sha256:"))
        #expect(
            added.error == """
                acme/spec asks for secret "npm-token"; to grant it, write in kiln.toml:
                  [grant."acme/spec"]
                  secrets = ["npm-token"]

                """
        )
        let (toml, lock) = (
            try fixture.workspace.read("project/kiln.toml"), try fixture.workspace.read("project/kiln.lock")
        )
        #expect(
            toml == """
                version = 1

                [frontends]
                "acme/spec" = { version = "~1.4", source = "layout:../releases" }

                """
        )
        #expect(lock.contains("\"version\": \"1.4.2\""))
        #expect(try await fixture.failure("add", "acme/spec@^3").contains("cannot find a version for ^3 of acme/spec"))
        #expect(try await fixture.failure("add", "acme/none@^1").contains("say where it is published"))
        #expect(try await fixture.failure("add", "acme/spec@^1").contains("F214"))
        #expect(try fixture.workspace.read("project/kiln.toml") == toml)
        #expect(try fixture.workspace.read("project/kiln.lock") == lock)
        _ = try await fixture.verb("lock", "--check")

        _ = try await fixture.verb("remove", "acme/spec")
        #expect(try fixture.workspace.read("project/kiln.toml") == "version = 1\n\n[frontends]\n")
        #expect(try !fixture.workspace.read("project/kiln.lock").contains("acme"))
        #expect(try await fixture.failure("remove", "acme/spec").contains("does not list it"))
    }

    @Test func `a dry update changes nothing, a wet one the pin, and a check finds what differs`() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.verb("add", "acme/spec@=1.4.2", "--source", fixture.source)
        let toml = try fixture.workspace.read("project/kiln.toml").replacing("=1.4.2", with: "^1.4")
        let grant = "\n[grant.\"acme/spec\"] # as agreed\nsecrets = [\"npm-token\", \"other\"]\n"
        try fixture.workspace.write("project/kiln.toml", toml + grant)
        #expect(
            try await fixture.failure("lock", "--check").contains(
                "kiln.lock does not fit kiln.toml: acme/spec was locked for =1.4.2, kiln.toml says ^1.4. Run: kiln frontend lock"
            )
        )
        let before = try fixture.workspace.read("project/kiln.lock")
        let dry = try await fixture.verb("update", "--dry-run")
        #expect(dry.outputText.hasPrefix("acme/spec 1.4.2 → 1.5.0 sha256:"))
        #expect(dry.error == "acme/spec 1.5.0 newly asks for secret \"other\"\n")
        #expect(try fixture.workspace.read("project/kiln.lock") == before)
        _ = try await fixture.verb("lock")
        #expect(try fixture.workspace.read("project/kiln.lock").contains("\"version\": \"1.4.2\""))
        _ = try await fixture.verb("update", "acme/spec")
        #expect(try fixture.workspace.read("project/kiln.lock").contains("\"version\": \"1.5.0\""))
        #expect(try await fixture.verb("update").outputText == "kiln.lock is up to date\n")
        _ = try await fixture.verb("update", "acme/spec", "--precise", "1.4.2")
        #expect(try fixture.workspace.read("project/kiln.lock").contains("\"version\": \"1.4.2\""))
        #expect(try fixture.workspace.read("project/kiln.toml") == toml + grant)
    }

    @Test func `list, info, why and override tell what a build would run`() async throws {
        let fixture = try await Fixture()
        _ = try await fixture.verb("add", "acme/spec@^1", "--source", fixture.source)
        let locked = try await fixture.verb("list").outputText.split(separator: "\n").map { $0.split(separator: " ") }
        #expect(locked.contains(["acme/spec", "^1", "1.5.0", "locked", "layout:../releases"]))
        #expect(locked.contains { $0.first == "dockerfile" && $0.contains("bundled") })
        _ = try await fixture.verb("install")
        #expect(try await fixture.verb("list").outputText.contains("installed"))
        let information = try await fixture.verb("info", "acme/spec").outputText
        #expect(information.contains("version:      1.5.0\nlicense:      Apache-2.0\nprotocol:     native 1.0\n"))
        #expect(information.contains("permissions:  secret \"npm-token\", secret \"other\"\n"))
        let directory = try await fixture.verb("info", fixture.workspace.path("package-1.5.0")).outputText
        let tree = try #require(directory.split(separator: " ").last { $0.hasPrefix("ft1:") })
        #expect(information.contains(tree.filter { !$0.isNewline }))

        let file = try fixture.workspace.write("project/Buildfile", "# syntax=acme/spec:1\nx\n")
        let why = try await fixture.run("why", file).outputText
        #expect(
            why.contains(
                "\(file):1: directive syntax=acme/spec:1\nkiln.toml:4: acme/spec ^1\nkiln.lock: acme/spec 1.5.0 ft1:"
            )
        )
        _ = try await fixture.verb("override", "acme/spec=../package-1.4.2")
        #expect(try await fixture.run("why", file).outputText.contains("package-1.4.2, an override"))
        #expect(try await fixture.verb("list").outputText.contains("overridden by"))
        #expect(try await fixture.failure("install", "--locked").contains("F210 kiln.local.toml: override acme/spec="))
        _ = try await fixture.verb("override", "--clear")
        #expect(!fixture.workspace.exists("project/kiln.local.toml"))

        #expect(try await fixture.verb("gc", "--keep-duration", "0s").outputText == "Total: 0B\n")
        _ = try await fixture.verb("remove", "acme/spec")
        #expect(try await fixture.verb("gc", "--keep-duration", "0s").outputText.contains("acme/spec 1.5.0 ft1:"))
        #expect(fixture.workspace.names(in: "state/frontends/sha256").isEmpty)
    }

    @Test func `trust goes into the project or the user's configuration, and is asked for in either`() async throws {
        let fixture = try await Fixture()
        let key = fixture.workspace.path("key.pem")
        try await runTool("/usr/bin/openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        let publicKey = fixture.workspace.path("public.pem")
        try await runTool("/usr/bin/openssl", "pkey", "-in", key, "-pubout", "-out", publicKey)
        _ = try await fixture.verb("add", "acme/spec@~1.4", "--source", fixture.source)
        _ = try await fixture.verb("verify", "--deep")
        _ = try await fixture.verb("trust", "add", publicKey, "--user", "--required", "--for", "layout:*")
        #expect(try fixture.workspace.read("config/kiln/config.toml").contains("required = true"))
        #expect(try await fixture.failure("verify", "--deep").contains("requires a signature by"))
        #expect(try await fixture.failure("install").contains("requires a signature by"))
        // The release is what it was; only its signature comes beside it.
        _ = try await fixture.run(
            "publish",
            "layout:\(fixture.workspace.path("releases"))",
            fixture.workspace.path("package-1.4.2"),
            "--sign",
            key
        )
        #expect(try await fixture.verb("verify", "--deep").outputText.contains("signed by "))
        _ = try await fixture.verb("install")
        _ = try await fixture.verb("trust", "add", publicKey)
        #expect(try fixture.workspace.read("project/kiln.toml").contains("[trust.\"*\"]\nkeys = [\"ed25519:"))
    }
}
