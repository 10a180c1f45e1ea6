// SPDX-License-Identifier: Apache-2.0

import Glibc
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// The example frontends and what `kiln frontend new` makes, each at a real build.
///
/// A language whose tools are not at hand is skipped; the output says why.
struct ExampleTests {
    /// Packages of the examples, made once a run, and why some could not be.
    private static let packages = Task { () async throws -> (workspace: Workspace, skipped: [String: String]) in
        let workspace = try Workspace()
        let result = try await runHere(
            Kiln.repository.appending("dev/build-examples").string,
            workspace.path("packages"),
            Kiln.shared.directory.string
        )
        try #require(result.status == 0, "\(result.error)")
        var skipped: [String: String] = [:]
        for line in result.outputText.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2, parts[1] != " ready" { skipped[String(parts[0])] = parts[1].dropFirst().description }
        }
        return (workspace, skipped)
    }

    @Test(arguments: Example.all)
    func `builds what its build file says`(example: Example) async throws {
        guard let run = try await Self.prepare(example.name) else { return }
        let arguments = run.arguments(try run.workspace.write("file/" + example.fileName, example.file))
        for (path, text) in example.context { try run.workspace.write("context/" + path, text) }
        let result = try await run.kiln.start(arguments + example.options, state: run.workspace.state).result()
        try #require(result.status == 0, "\(result.error)")
        let image = try await blocking { try BuiltImage(layout: run.workspace.path("image")) }
        for (path, content) in example.tree {
            let entry = try #require(image.tree[path], "\(path) of \(image.tree.keys.sorted())")
            #expect(String(decoding: entry.content, as: UTF8.self) == content, "\(path)")
        }
        for (path, mode) in example.modes { #expect(image.tree[path]?.mode == mode, "\(path)") }
        #expect(differences(try JSONValue(parsing: example.config), image.config["config"], "config") == [])
    }

    @Test(arguments: Example.all)
    func `says where a build file is wrong`(example: Example) async throws {
        guard let run = try await Self.prepare(example.name) else { return }
        let arguments = run.arguments(try run.workspace.write("file/" + example.fileName, example.wrong.file))
        let result = try await run.kiln.start(arguments, state: run.workspace.state).result()
        #expect(result.status == 1)
        #expect(result.error.contains(example.wrong.message), "\(result.error)")
    }

    @Test(arguments: ["bash", "c", "go", "node", "python", "rust"])
    func `makes a new frontend that builds and keeps the protocol`(language: String) async throws {
        guard let run = try await Self.prepare(language) else { return }
        let package = run.workspace.path("hello")
        let made = try await run.kiln.start(
            ["frontend", "new", "--lang", language, "acme/hello", "--directory", package],
            state: run.workspace.state
        ).result()
        try #require(made.status == 0, "\(made.error)")
        #expect(made.outputText.contains("\(package)/frontend.toml\n"))
        if run.workspace.exists("hello/Makefile") {
            let compiled = try await runHere("/usr/bin/make", "-C", package)
            try #require(compiled.status == 0, "\(compiled.error)")
        }
        let result = try await run.kiln.start(
            run.arguments(package + "/tests/Buildfile", frontend: package),
            state: run.workspace.state
        ).result()
        try #require(result.status == 0, "\(result.error)")
        let image = try await blocking { try BuiltImage(layout: run.workspace.path("image")) }
        let motd = try #require(image.tree["etc/motd"])
        #expect(String(decoding: motd.content, as: UTF8.self) == "hello from acme/hello\n")
        let tested = try await Command(run.kiln.program, ["frontend", "test", package], timeLimit: .seconds(500))
            .result()
        #expect(tested.status == 0, "\(tested.outputText)")
    }

    /// Built by hand, not here: that compiles a part of Kiln anew.
    @Test func `makes a new frontend in Swift that is built with Kiln's own sources`() async throws {
        let (kiln, workspace) = (try await Kiln.shared, try Workspace())
        let result = try await kiln.start(
            ["frontend", "new", "--lang", "swift", "acme/hello", "-d", workspace.path("hello")],
            state: workspace.state
        ).result()
        #expect(result.status == 0, "\(result.error)")
        #expect(try workspace.read("hello/Package.swift").contains("path: \"\(Kiln.repository)\""))
        #expect(try workspace.read("hello/Sources/frontend/main.swift").contains("name: \"acme/hello\""))
    }

    @Test func `makes no frontend over files or under a name of the engine's`() async throws {
        let (kiln, workspace) = (try await Kiln.shared, try Workspace())
        func attempt(_ arguments: String...) async throws -> String {
            let result = try await kiln.start(["frontend", "new"] + arguments, state: workspace.state).result()
            #expect(result.status == 1)
            return result.error
        }
        try workspace.write("full/file", "text")
        #expect(try await attempt("acme/hello", "-d", workspace.path("full")).contains("holds files already"))
        #expect(try await attempt("hello", "-d", workspace.path("a")).contains("try acme/hello"))
        #expect(try await attempt("Acme/hello", "-d", workspace.path("a")).contains("lower case"))
        let unknown = try await attempt("acme/hello", "--lang", "cobol", "-d", workspace.path("a"))
        #expect(unknown.contains("there are: bash, c, go, node, python, rust, swift"))
        #expect(try workspace.read("full/file") == "text")
    }

    /// One use of an example's package.
    private struct Run {
        let kiln: Kiln
        let package: String
        let workspace: Workspace

        /// Arguments of a build into an OCI layout.
        func arguments(_ file: String, frontend: String? = nil) -> [String] {
            [
                "build", "--progress", "plain", "--frontend", frontend ?? package, "-f", file, "-o",
                "type=oci,tar=false,dest=\(workspace.path("image"))", workspace.path("context"),
            ]
        }
    }

    /// Where the package of an example stands; `nil` where its language's tools are not at hand.
    static func package(of name: String) async throws -> String? {
        let (workspace, skipped) = try await packages.value
        if let reason = skipped[name] {
            print("\(name) is \(reason)")
            return nil
        }
        return workspace.path("packages/\(name)")
    }

    private static func prepare(_ name: String) async throws -> Run? {
        guard let package = try await package(of: name) else { return nil }
        let own = try Workspace()
        try own.write("context/.keep", "")
        return Run(kiln: try await Kiln.shared, package: package, workspace: own)
    }
}

/// Runs a tool with this process's own path and home, where compilers keep things.
private func runHere(_ program: String, _ arguments: String...) async throws -> CommandResult {
    let variables = ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME"].compactMap { (name: String) -> String? in
        unsafe getenv(name).map { "\(name)=\(unsafe String(cString: $0))" }
    }
    return try await Command("/usr/bin/env", variables + [program] + arguments).result()
}
