// SPDX-License-Identifier: Apache-2.0

import DockerfileConversion
import LLB
import LLBMessages
import OCI
import Testing

@Suite struct SubrequestTests {
    private static let file = """
        # base is what all start from
        ARG VERSION=1
        FROM a:$VERSION AS base
        # FLAG changes much
        ARG FLAG=x
        RUN --mount=type=secret,id=token,required --mount=type=ssh true
        FROM base as Final
        """

    @Test func `lists targets`() throws {
        let targets = try TargetList(parsing: Array(Self.file.utf8), file: "Dockerfile")
        let list = try #require(targets.json["targets"]?.elements)
        #expect(list.map { $0["name"]?.text } == ["base", "final"])
        #expect(list[1]["default"] == .bool(true))
        #expect(list[1]["base"]?.text == "base")
        #expect(targets.text.contains("final (default)"))
    }

    @Test func `outlines what a target can be given`() async throws {
        let outline = try await convert(Self.file, options: ["build-arg:FLAG": "y"]).result.outline
        let arguments = try #require(outline.json["args"]?.elements)
        #expect(arguments.map { $0["name"]?.text } == ["VERSION", "FLAG"])
        #expect(arguments[1]["value"]?.text == "y")
        #expect(arguments[1]["description"]?.text == "changes much")
        #expect(outline.json["secrets"]?.elements?.first?["required"] == .bool(true))
        #expect(outline.json["ssh"]?.elements?.first?["name"]?.text == "default")
        #expect(outline.text.contains("token    true"))
    }

    @Test func `lints every stage and says why it cannot build`() async throws {
        let source = SourceFile(
            filename: "Dockerfile",
            language: "Dockerfile",
            data: Array(Self.file.utf8)
        )
        let input = ConversionInput(source: source, options: try DockerfileOptions([:]))
        let report = try await LintReport(input, context: World())
        #expect(!report.isClean)
        #expect(report.text.contains("WARNING: FromAsCasing"))
        #expect(report.text.contains(">>> FROM base as Final"))
        var broken = input
        broken.source.data = Array("FROM a\nRUNN x".utf8)
        let failed = try await LintReport(broken, context: World())
        #expect(failed.json["buildError"]?["message"]?.text?.contains("RUNN") == true)
    }

    @Test func `reports variables that are not set where that is an error`() async throws {
        let text = Array("FROM a\nUSER ${WHO:?}".utf8)
        let source = SourceFile(filename: "Dockerfile", language: "Dockerfile", data: text)
        let input = ConversionInput(source: source, options: try DockerfileOptions([:]))
        let report = try await LintReport(input, context: World())
        #expect(report.json["warnings"]?.elements?.count == 1)
        #expect(report.json["buildError"] != nil)
    }

    @Test func `describes itself`() {
        #expect(Subrequest.description.json.elements?.count == Subrequest.allCases.count)
        #expect(Subrequest.description.text.contains("lint"))
    }

    @Test func `loads the file and what belongs to it`() throws {
        let options = try DockerfileOptions(["filename": "sub/Dockerfile"], session: "s")
        let source = try #require(try options.fileState.definition().graph().vertices.first)
            .operation.source
        #expect(
            source.attrs["local.followpaths"]
                == #"["sub/Dockerfile","sub/Dockerfile.dockerignore","sub/dockerfile"]"#
        )
    }
}
