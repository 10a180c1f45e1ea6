// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import OCI
import RegistryTestSupport
import SystemPackage
import Testing

/// What the state directory keeps of frontends: their trees, their results, and which were seen to be deterministic.
///
/// Shown by one of the engine's own frontends, published by somebody as a package of their own.
@Suite(.enabled(if: geteuid() == 0, "building needs root"), .serialized, .timeLimit(.minutes(6)))
struct FrontendStorageTests {
    /// A project that pins the package.
    private struct Setting {
        let kiln: Kiln
        let workspace: Workspace

        init() async throws {
            kiln = try await Kiln.shared
            workspace = try Workspace()
            try workspace.write(
                "package/frontend.toml",
                """
                manifest = 1
                name = "llb"
                version = "1.0.0"
                [protocol]
                versions = ["1.0"]
                [entry]
                argv = ["bin/llb"]
                [cache]
                deterministic = true

                """
            )
            try workspace.write("package/tests/one.json", Self.graph(file: "x"))
            try workspace.write("package/bin/README", "the program\n")
            try FileManager.default.copyItem(
                atPath: kiln.directory.appending("kiln-frontend-llb").string,
                toPath: workspace.path("package/bin/llb")
            )
            try await run("frontend", "publish", "layout:\(workspace.path("releases"))", workspace.path("package"))
            try workspace.write("project/kiln.toml", "version = 1\n")
            try await run(
                "frontend",
                "add",
                "acme/llb@^1",
                "--package",
                "llb",
                "--source",
                "layout:../releases",
                "--project",
                workspace.path("project")
            )
            try workspace.write("project/Buildfile", "# syntax=acme/llb\n" + Self.graph(file: "x"))
        }

        static func graph(file: String) -> String {
            let content = #"{"path":"/\#(file)","mode":420,"data":"eAo=","timestamp":-1}"#
            let action = #"{"input":-1,"secondaryInput":-1,"output":0,"mkfile":\#(content)}"#
            return #"{"def":{"f":{"file":{"actions":[\#(action)]}},"o":{"inputs":[{"digest":"f"}]}}}"# + "\n"
        }

        @discardableResult
        func run(_ arguments: String..., at location: SourceLocation = #_sourceLocation) async throws -> CommandResult {
            let result = try await kiln.start(arguments, state: workspace.state).result()
            try #require(
                result.status == 0,
                "kiln \(arguments.joined(separator: " ")): \(result.outputText)\(result.error)",
                sourceLocation: location
            )
            return result
        }

        func tryBuild(_ extra: String...) async throws -> CommandResult {
            let arguments = [
                "build", "--progress", "plain", "--locked", "-f", workspace.path("project/Buildfile"), "-o",
                workspace.path("out"), workspace.path("project"),
            ]
            return try await kiln.start(arguments + extra, state: workspace.state).result()
        }

        func build(at location: SourceLocation = #_sourceLocation) async throws {
            let result = try await tryBuild()
            try #require(result.status == 0, "\(result.error)", sourceLocation: location)
        }

        /// What `kiln du` lists of a kind.
        func kept(_ type: String) async throws -> [JSONValue] {
            try await run("du", "--json").outputText.split(separator: "\n")
                .compactMap { try? JSONValue(parsing: String($0)) }
                .filter { $0["Type"]?.text == type }
        }
    }

    @Test func `P-REUSE-01: a result is used again only of a tree that was seen to be deterministic`() async throws {
        let setting = try await Setting()
        try await setting.build()
        // It says so of itself, which is not enough.
        #expect(try await setting.kept("frontend.result").isEmpty)
        // A part of the test is not enough either.
        let project = setting.workspace.path("project")
        try await setting.run("frontend", "test", "acme/llb", "--suite", "determinism", "--project", project)
        try await setting.build()
        #expect(try await setting.kept("frontend.result").isEmpty)

        try await setting.run("frontend", "test", "acme/llb", "--project", project)
        try await setting.build()
        #expect(try await setting.kept("frontend.result").count == 1)
        try await setting.build()
        #expect(try await setting.kept("frontend.result").count == 1)
        #expect(setting.workspace.names(in: "state/frontends/passed").count == 1)

        // What its author tests before publishing is the same tree.
        try FileManager.default.removeItem(atPath: setting.workspace.path("state/frontends/passed"))
        try await setting.run("frontend", "test", setting.workspace.path("package"))
        #expect(setting.workspace.names(in: "state/frontends/passed").count == 1)
    }

    @Test func `P-PERM-01: a result that is used again has no more rights than the frontend`() async throws {
        let setting = try await Setting()
        try await setting.run("frontend", "install", "--project", setting.workspace.path("project"))
        try await setting.run("frontend", "test", "acme/llb", "--project", setting.workspace.path("project"))
        let server = try ScriptedServer { _ in ScriptedServer.Reply(body: Array("body".utf8)) }
        let source = #"{"source":{"identifier":"http://\#(server.host)/f"}}"#
        let graph = #"{"def":{"f":\#(source),"o":{"inputs":[{"digest":"f"}]}}}"#
        try setting.workspace.write("project/Buildfile", "# syntax=acme/llb\n" + graph)
        try await setting.run(
            "lock",
            "-f",
            setting.workspace.path("project/Buildfile"),
            setting.workspace.path("project")
        )
        try await setting.build()
        #expect(try await setting.kept("frontend.result").count == 1)
        let count = server.requests.count
        // The same graph of the same record, in a build that was given a login for the server.
        let secret = try setting.workspace.write("secret", "correct horse battery staple")
        let result = try await setting.tryBuild("--secret", "id=HTTP_AUTH_TOKEN_127.0.0.1,src=\(secret)")
        #expect(result.status == 1)
        #expect(result.error.contains("F214 acme/llb uses the secret \"HTTP_AUTH_TOKEN_127.0.0.1\""), "\(result.error)")
        #expect(server.requests.count == count)
    }

    @Test func `du shows trees and results of frontends as what they are, and prune collects them by its policies`()
        async throws
    {
        let setting = try await Setting()
        try await setting.run("frontend", "install", "--project", setting.workspace.path("project"))
        try await setting.run("frontend", "test", "acme/llb", "--project", setting.workspace.path("project"))
        for file in ["x", "y"] {
            try setting.workspace.write("project/Buildfile", "# syntax=acme/llb\n" + Setting.graph(file: file))
            try await setting.build()
        }
        let trees = try await setting.kept("frontend")
        #expect(trees.count == 1)
        #expect(trees.first?["ID"]?.text?.hasPrefix("ft1:") == true)
        #expect(trees.first?["Description"]?.text == "frontend llb 1.0.0")
        #expect(trees.first?["Size"]?.integer ?? 0 > 1 << 20)
        #expect(trees.first?["InUse"] == .bool(false))
        let results = try await setting.kept("frontend.result")
        #expect(results.count == 2)
        #expect(results.allSatisfy { $0["Description"]?.text == "result of the frontend llb 1.0.0" })

        try await setting.run("prune", "--keep-duration", "1h")
        #expect(try await setting.kept("frontend.result").count == 2)
        let id = try #require(results.first?["ID"]?.text)
        try await setting.run("prune", "--filter", "id==\"\(id)\"")
        #expect(try await setting.kept("frontend.result").count == 1)
        try await setting.run("prune", "--filter", "type==frontend")
        #expect(try await setting.kept("frontend").count == 1)
        try await setting.run("prune")
        #expect(try await setting.kept("frontend.result").isEmpty)
        // A frontend goes only where everything does, and is fetched again from where it was.
        #expect(try await setting.kept("frontend").count == 1)
        try await setting.run("prune", "--all")
        #expect(try await setting.kept("frontend").isEmpty)
        #expect(setting.workspace.names(in: "state/frontends/sha256").isEmpty)
        try await setting.build()
        #expect(try await setting.kept("frontend").count == 1)
    }

    @Test func `prune takes no frontend from under a build that runs it`() async throws {
        let setting = try await Setting()
        // One that takes its time.
        try setting.workspace.write(
            "slow/frontend.toml",
            FrontendRightsTests.manifest("slow")
        )
        let program = """
            start("our/slow")
            import time
            time.sleep(6)
            finish(ask("solve", definition=definition(file("/slow"))), lambda result: result["ref"])
            """
        try setting.workspace.write("slow/frontend.py", FrontendRightsTests.prelude + program, mode: 0o755)
        let workspace = setting.workspace
        try await setting.run("frontend", "publish", "layout:\(workspace.path("releases"))", workspace.path("slow"))
        let project = ["--project", workspace.path("project")]
        let add = ["frontend", "add", "our/slow@^1", "--source", "layout:../releases"] + project
        let added = try await setting.kiln.start(add, state: workspace.state).result()
        try #require(added.status == 0, "\(added.error)")
        let text = try workspace.read("project/kiln.toml")
        try workspace.write("project/kiln.toml", text + "[grant.\"our/slow\"]\nhost-runtime = true\n")
        try workspace.write("project/Buildfile", "# syntax=our/slow\n")
        let running = Task { try await setting.tryBuild() }
        var isInUse = false
        for _ in 0..<50 where !isInUse {
            try await Task.sleep(for: .milliseconds(100))
            isInUse = try await setting.kept("frontend").contains {
                $0["Description"]?.text == "frontend our/slow 1.0.0" && $0["InUse"] == .bool(true)
            }
        }
        #expect(isInUse)
        try await setting.run("prune", "--all")
        #expect(try await setting.kept("frontend").map { $0["Description"]?.text } == ["frontend our/slow 1.0.0"])
        let result = try await running.value
        #expect(result.status == 0, "\(result.error)")
        #expect(try workspace.read("out/slow") == "hello\n")
        try await setting.run("prune", "--all")
        #expect(try await setting.kept("frontend").isEmpty)
    }
}
