// SPDX-License-Identifier: Apache-2.0

import LLB
import OCI
import Testing

/// Questions about Dockerfiles, and what wrong ones say, through the executable.
struct DockerfileCallTests {
    private static let file = """
        # kiln=include
        # VERSION is what is fetched
        ARG VERSION=1
        INCLUDE parts/base
        # app is what is run
        FROM base AS app
        RUN --mount=type=secret,id=token,required true

        """

    private func call(_ file: String, _ arguments: String...) async throws -> CommandResult {
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        try workspace.write("project/Dockerfile", file)
        try workspace.write("project/parts/base", "FROM scratch AS base\nARG MODE=fast\n")
        return try await kiln.start(
            ["build", workspace.path("project"), "--progress", "quiet"] + arguments,
            state: workspace.state
        ).result()
    }

    @Test func `targets and outline name what included files bring`() async throws {
        let targets = try await call(Self.file, "--call=targets")
        #expect(
            targets.outputText
                == """
                TARGET         BASE     DESCRIPTION
                base           scratch
                app (default)  base     is what is run

                """
        )
        let outline = try await call(Self.file, "--call=outline")
        #expect(outline.outputText.contains("MODE       fast"), "\(outline.outputText)\(outline.error)")
        #expect(outline.outputText.contains("token   yes"))
        let json = try JSONValue(
            parsing: Array(try await call(Self.file, "--call=outline,format=json").outputText.utf8)
        )
        #expect(json["arguments"]?.elements?.contains { $0["name"]?.text == "MODE" } == true)
    }

    @Test func `a check names the included file and its line`() async throws {
        let result = try await call("# kiln=include\nINCLUDE parts/base\nCOPY x y\nMAINTAINER me\n", "--check")
        #expect(result.status == 1)
        #expect(result.outputText.contains("Dockerfile:4: warning: MaintainerDeprecated"), "\(result.outputText)")
        let broken = try await call("# kiln=include\nINCLUDE parts/none\n", "--check")
        #expect(broken.outputText.contains("Dockerfile:2: error: cannot include parts/none"), "\(broken.outputText)")
    }

    @Test func `the subrequests are described, and the graph is given in their form`() async throws {
        let text = try await call(Self.file, "--call=subrequests.describe")
        for name in ["outline", "targets", "lint", "subrequests.describe", "convertllb"] {
            #expect(
                text.outputText.split(separator: "\n").contains { $0.hasPrefix(name + " ") },
                "\(text.outputText)\(text.error)"
            )
        }
        let json = try await call(Self.file, "--call=subrequests.describe,format=json")
        #expect(try JSONValue(parsing: Array(json.outputText.utf8)).elements?.count == 5)
        let graph = try JSONValue(
            parsing: Array(try await call("FROM scratch\nCOPY parts /\n", "--call=convertllb").outputText.utf8)
        )
        #expect(try Definition(json: graph).graph().vertices.count == 2)
    }

    @Test func `wrong instructions are all told in one go`() async throws {
        let result = try await call("FROM scratch\nCOPI a b\nRUN ok\nCOPY --form=x a b\n")
        #expect(result.status == 1)
        #expect(result.error.contains("Dockerfile:2:1: unknown instruction COPI; did you mean COPY"), "\(result.error)")
        #expect(result.error.contains("Dockerfile:4:6: unknown flag --form of COPY; did you mean --from"))
        #expect(result.error.contains("2 problems"))
    }
}
