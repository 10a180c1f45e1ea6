// SPDX-License-Identifier: Apache-2.0

import FrontendHost
import FrontendProtocol
import LLB
import OCI
import Sandbox
import SystemPackage
import Testing

/// What a frontend answers about a build file without building it, with the frontend that comes with the engine.
@Suite(.enabled(if: isRoot, "making sandboxes needs root"), .serialized, .timeLimit(.minutes(1)))
struct QuestionTests {
    private func ask<Answer: WorkAnswer>(
        _ answer: Answer.Type,
        _ file: String,
        options: [String: String] = [:],
        program: String = "kiln-frontend-dockerfile"
    ) async throws -> Answer {
        let fixture = try HostFixture.shared.get()
        return try await FrontendHost(launcher: fixture.launcher, engine: .init(name: "test", version: "0")).ask(
            FrontendProgram(name: "dockerfile", content: .file(fixture.products.appending(program)), isBundled: true),
            for: answer,
            request: FrontendBuildRequest<Int>(
                fileName: "Dockerfile",
                fileContent: Array(file.utf8),
                options: options,
                workerPlatforms: [Platform(os: "linux", architecture: "amd64")]
            ),
            bridge: RecordingBridge()
        )
    }

    @Test func `targets, in the order of the file, the last one the default`() async throws {
        let answer = try await ask(
            TargetsDescription.self,
            "# one builds it\nFROM scratch AS one\nFROM --platform=linux/arm64 alpine:3 AS two\n"
        )
        #expect(answer.targets.map(\.name) == ["one", "two"])
        #expect(answer.targets.map(\.isDefault) == [false, true])
        #expect(answer.targets[1].base == "alpine:3")
        #expect(answer.targets[1].platform == "linux/arm64")
        #expect(answer.targets[0].ranges.first?.startLine == 2)
    }

    @Test func `an outline holds what the target takes`() async throws {
        let answer = try await ask(
            OutlineDescription.self,
            "FROM scratch\nARG A=1\nARG B\nRUN --mount=type=secret,id=key,required=true echo $A $B\n"
        )
        #expect(answer.arguments.map(\.name) == ["A", "B"])
        #expect(answer.arguments.map(\.value) == ["1", nil])
        #expect(answer.secrets.map(\.name) == ["key"])
        #expect(answer.secrets.map(\.isRequired) == [true])
    }

    @Test func `a check finds what is weak, with its place and where to read more`() async throws {
        let answer = try await ask(LintFindings.self, "FROM scratch\nMAINTAINER x\n")
        let finding = try #require(answer.diagnostics.first)
        #expect(finding.code == "MaintainerDeprecated")
        #expect(finding.ranges.first?.startLine == 2)
        #expect(finding.url?.hasPrefix("https://") == true)
        #expect(!answer.isClean)
    }

    @Test func `a wrong build file is a finding of the check, and an error of the others`() async throws {
        let answer = try await ask(LintFindings.self, "FROM scratch\nFORM x\n")
        #expect(answer.error?.message.contains("FORM") == true)
        #expect(answer.error?.ranges.first?.startLine == 2)
        let error = await #expect(throws: FrontendHostError.self) {
            try await ask(TargetsDescription.self, "FROM scratch\nFORM x\n")
        }
        #expect(error?.code == .buildFailed)
        #expect(error?.message.contains("FORM") == true)
    }

    @Test func `a conversion is the graph that a build would solve`() async throws {
        let answer = try await ask(Wire.Converted.self, "FROM scratch\nCOPY a /b\n")
        let wire = try #require(answer.definition)
        let vertices = try LLB.Definition(wire).graph().vertices
        #expect(vertices.count >= 2)
        let nothing = try await ask(Wire.Converted.self, "FROM scratch\n")
        #expect(nothing.definition == nil)
    }

    @Test func `a frontend that does not answer such questions is not asked`() async throws {
        let error = await #expect(throws: FrontendHostError.self) {
            try await ask(LintFindings.self, "behave\n", program: "kiln-frontend-bad")
        }
        #expect(error?.code == .buildFailed)
        #expect(error?.kind == .unsupported)
        #expect(error?.message == "bad/frontend 0.1.0 does not answer \"lint\"")
    }
}
