// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import SystemPackage
import Testing

/// `kiln lint` and `kiln fmt` through the executable.
struct LintCommandTests {
    private let kiln: Kiln
    private let workspace: Workspace

    /// One finding a rule that can be fixed, and one that cannot.
    private static let weak = """
        FROM scratch as Base
        maintainer A <a@b.c>
        ENV key some value
        EXPOSE 80/TCP
        WORKDIR app
        FROM base AS two
        COPY a \\

          /b
        CMD serve --now

        """
    private static let mended = """
        FROM scratch AS base
        LABEL org.opencontainers.image.authors="A <a@b.c>"
        ENV key="some value"
        EXPOSE 80/tcp
        WORKDIR app
        FROM base AS two
        COPY a \\
          /b
        CMD ["serve", "--now"]

        """

    init() async throws {
        kiln = try await Kiln.shared
        workspace = try Workspace()
    }

    private func run(_ arguments: String..., file: String = "Dockerfile") async throws -> CommandResult {
        try await kiln.start(arguments + [workspace.path(file)], state: workspace.state).result()
    }

    private func mode(_ name: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: workspace.path(name))
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? attributes[.posixPermissions] as? Int
    }

    // MARK: Findings

    @Test func `a clean file ends with 0, a weak one with 1, a wrong one too`() async throws {
        try workspace.write("Dockerfile", "FROM scratch\nCOPY a /b\n")
        let clean = try await run("lint")
        #expect(clean.status == 0, "\(clean.error)")
        #expect(clean.outputText == "Check complete, no warnings found.\n")
        try workspace.write("Dockerfile", "FROM scratch\nWORKDIR x\n")
        let weak = try await run("lint")
        #expect(weak.status == 1)
        let place = workspace.path("Dockerfile") + ":2: warning: WorkdirRelativePath: "
        #expect(weak.outputText.hasPrefix(place), "\(weak.outputText)")
        #expect(weak.outputText.hasSuffix("1 finding in 1 file\n"), "\(weak.outputText)")
        try workspace.write("Dockerfile", "FROM scratch\nCOPPY a b\n")
        let wrong = try await run("lint")
        #expect(wrong.status == 1)
        #expect(wrong.outputText.contains("Dockerfile:2: error: unknown instruction COPPY; did you mean COPY"))
    }

    @Test func `files are linted one by one, and one that is missing is told besides`() async throws {
        try workspace.write("a/Dockerfile", "FROM scratch\nWORKDIR x\n")
        try workspace.write("b/Dockerfile", "from scratch\nWORKDIR /x\nRUN y\n")
        let result = try await run("lint", workspace.path("a/Dockerfile"), workspace.path("none"), file: "b/Dockerfile")
        #expect(result.status == 1)
        #expect(result.outputText.contains("a/Dockerfile:2: warning: WorkdirRelativePath"))
        #expect(result.outputText.contains("b/Dockerfile:1: warning: ConsistentInstructionCasing"))
        #expect(result.outputText.contains("2 findings in 2 files; kiln lint --fix fixes 1"), "\(result.outputText)")
        #expect(result.error.contains("cannot read the build file"))
    }

    @Test func `JSON has the protocol's members, fixes among them`() async throws {
        try workspace.write("Dockerfile", "FROM scratch as a\n")
        let result = try await run("lint", "--format", "json")
        #expect(result.status == 1)
        let json = try JSONValue(parsing: result.output)
        let file = try #require(json.elements?.first)
        #expect(file["file"]?.text == workspace.path("Dockerfile"))
        let diagnostic = try #require(file["diagnostics"]?.elements?.first)
        #expect(diagnostic["code"]?.text == "FromAsCasing")
        let edit = try #require(diagnostic["fixes"]?.elements?.first?["edits"]?.elements?.first)
        #expect(edit["text"]?.text == "AS")
        #expect(edit["range"]?["startColumn"]?.integer == 14)
        #expect(edit["range"]?["endColumn"]?.integer == 16)
    }

    @Test func `SARIF has rules, places in code points, and fixes`() async throws {
        try workspace.write("a é/Dockerfile", "FROM scratch\nLABEL é b\nXPOSE 1\n")
        try workspace.write("b/Dockerfile", "FROM scratch\nLABEL é b\n")
        let result = try await run("lint", "--format", "sarif", workspace.path("a é/Dockerfile"), file: "b/Dockerfile")
        #expect(result.status == 1)
        let log = try JSONValue(parsing: result.output)
        #expect(log["version"]?.text == "2.1.0")
        let run = try #require(log["runs"]?.elements?.first)
        #expect(run["columnKind"]?.text == "unicodeCodePoints")
        let driver = run["tool"]?["driver"]
        #expect(driver?["name"]?.text == "kiln")
        #expect(driver?["rules"]?.elements?.compactMap { $0["id"]?.text } == ["LegacyKeyValueFormat"])
        let results = run["results"]?.elements ?? []
        #expect(results.compactMap { $0["level"]?.text } == ["error", "warning"])
        let places = results.compactMap { $0["locations"]?.elements?.first?["physicalLocation"] }
        let addresses = places.compactMap { $0["artifactLocation"]?["uri"]?.text }
        #expect(addresses.first?.hasSuffix("/a%20%C3%A9/Dockerfile") == true, "\(addresses)")
        #expect(addresses.allSatisfy { $0.hasPrefix("file:///") })
        #expect(places.first?["region"]?["startLine"]?.integer == 3)
        let change = results.last?["fixes"]?.elements?.first?["artifactChanges"]?.elements?.first
        let region = try #require(change?["replacements"]?.elements?.first?["deletedRegion"])
        #expect(region["startColumn"]?.integer == 8)
        #expect(region["endColumn"]?.integer == 9)
    }

    @Test func `frontends of other languages are asked too, and those that do not lint say so`() async throws {
        try workspace.write("image.yaml", "images:\n  app:\n    base: scratch\n    entrypont: [sh]\n")
        let yaml = try await run("lint", "--frontend", "yaml", file: "image.yaml")
        #expect(yaml.status == 1)
        #expect(yaml.outputText.contains("image.yaml:4:"), "\(yaml.outputText)")
        #expect(yaml.outputText.contains("entrypoint"), "\(yaml.outputText)")
        let format = try await run("fmt", "--frontend", "yaml", file: "image.yaml")
        #expect(format.status == 1)
        #expect(format.error.contains("format"), "\(format.error)")
    }

    // MARK: Fixes

    @Test func `fixes are made in the file, and linting again finds none of them`() async throws {
        try workspace.write("Dockerfile", Self.weak, mode: 0o640)
        let before = try await run("lint")
        #expect(before.outputText.contains("kiln lint --fix fixes"), "\(before.outputText)")
        let result = try await run("lint", "--fix")
        #expect(result.status == 1, "\(result.error)")
        #expect(try workspace.read("Dockerfile") == Self.mended)
        #expect(try mode("Dockerfile") == 0o640)
        for rule in [
            "FromAsCasing", "StageNameCasing", "MaintainerDeprecated", "LegacyKeyValueFormat", "NoEmptyContinuation",
        ] {
            #expect(result.error.contains(rule), "\(rule): \(result.error)")
            #expect(!result.outputText.contains(rule), "\(rule): \(result.outputText)")
        }
        #expect(result.outputText.contains("WorkdirRelativePath"))
        let again = try await run("lint", "--fix")
        #expect(again.outputText == result.outputText)
        #expect(!again.error.contains("fixed"))
        #expect(workspace.names(in: ".") == ["Dockerfile", "state"])
    }

    @Test func `a link is followed, and the file behind it is fixed`() async throws {
        try workspace.write("real/Dockerfile", "FROM scratch as a\n")
        try FileManager.default.createSymbolicLink(
            atPath: workspace.path("Dockerfile"),
            withDestinationPath: "real/Dockerfile"
        )
        let result = try await run("lint", "--fix")
        #expect(result.status == 0, "\(result.error)")
        #expect(try workspace.read("real/Dockerfile") == "FROM scratch AS a\n")
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: workspace.path("Dockerfile")) == "real/Dockerfile"
        )
    }

    // MARK: Formatting

    private static let untidy = "from scratch\n\n\n\ncopy   a   b \\\n c /d  \nENV a=b"
    private static let tidy = "FROM scratch\n\nCOPY a b \\\n    c /d\nENV a=b\n"

    @Test func `a file is formatted once`() async throws {
        try workspace.write("Dockerfile", Self.untidy, mode: 0o600)
        let check = try await run("fmt", "--check")
        #expect(check.status == 1)
        #expect(check.outputText == workspace.path("Dockerfile") + "\n")
        #expect(try workspace.read("Dockerfile") == Self.untidy)
        let format = try await run("fmt")
        #expect(format.status == 0, "\(format.error)")
        #expect(try workspace.read("Dockerfile") == Self.tidy)
        #expect(try mode("Dockerfile") == 0o600)
        let again = try await run("fmt", "--check", "--diff")
        #expect(again.status == 0)
        #expect(again.outputText.isEmpty)
    }

    @Test func `a difference is one that patch understands`() async throws {
        try workspace.write("Dockerfile", Self.untidy)
        let result = try await run("fmt", "--diff")
        #expect(result.status == 0, "\(result.error)")
        #expect(try workspace.read("Dockerfile") == Self.untidy)
        let name = workspace.path("Dockerfile")
        #expect(
            result.outputText == """
                --- \(name)
                +++ \(name)
                @@ -1,7 +1,5 @@
                -from scratch
                -
                -
                +FROM scratch
                 
                -copy   a   b \\
                - c /d  
                -ENV a=b
                \\ No newline at end of file
                +COPY a b \\
                +    c /d
                +ENV a=b

                """
        )
    }

    @Test func `the standard input is written to the standard output`() async throws {
        try workspace.write("in", Self.untidy)
        let command = "'\(kiln.program)' fmt - < '\(workspace.path("in"))'"
        let result = try await Command(
            "/bin/sh",
            ["-c", command],
            environment: ["KILN_STATE_DIR=\(workspace.state)"]
        ).result()
        #expect(result.status == 0, "\(result.error)")
        #expect(result.outputText == Self.tidy)
    }

    @Test func `a wrong file stays as it is`() async throws {
        try workspace.write("Dockerfile", "from scratch\nCOPPY a b\n")
        let result = try await run("fmt")
        #expect(result.status == 1)
        #expect(result.error.contains("Dockerfile:2:1: unknown instruction COPPY"), "\(result.error)")
        #expect(try workspace.read("Dockerfile") == "from scratch\nCOPPY a b\n")
    }
}
