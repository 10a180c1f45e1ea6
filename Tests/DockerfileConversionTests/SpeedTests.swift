// SPDX-License-Identifier: Apache-2.0

import DockerfileConversion
import DockerfileSyntax
import LLB
import OCI
import Testing

/// Long files take no longer a line than short ones.
///
/// Each shape is done in two sizes; what grows with the square of the size would take 64 times as long for eight times as
/// much, and the bound is generous to a machine with other things to do.
@Suite(.serialized) struct SpeedTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        let name: String
        let text: @Sendable (Int) -> String
        var testDescription: String { name }
    }

    private static func lines(_ count: Int, from head: String, _ line: (Int) -> String) -> String {
        head + (0..<count).map { line($0) + "\n" }.joined()
    }

    private static let thread = OneThread()

    static let shapes: [Shape] = [
        Shape(name: "steps") { count in lines(count, from: "FROM a\n") { "RUN echo \($0)" } },
        Shape(name: "files") { count in lines(count, from: "FROM a\n") { "COPY a\($0) /b\($0)" } },
        Shape(name: "variables") { count in lines(count, from: "FROM a\n") { "ENV A\($0)=x" } },
        Shape(name: "variables set again") { count in
            lines(count, from: "FROM a\n") { "ENV A\($0 % (count / 2))=x$A\($0 / 2)" }
        },
        Shape(name: "arguments") { count in lines(count, from: "FROM a\n") { "ARG A\($0)=x" } },
        Shape(name: "global arguments") { count in
            (0..<count).map { "ARG A\($0)=x\n" }.joined() + "FROM a\nARG A1\nRUN x\n"
        },
        Shape(name: "unknown variables") { count in lines(count, from: "FROM a\nENV ABC=d\n") { "WORKDIR /$X\($0)" } },
        Shape(name: "stages") { count in (0..<count).map { "FROM a AS s\($0)\n" }.joined() },
        Shape(name: "a chain of stages") { count in
            "FROM a AS s0\n" + (1..<count).map { "FROM s\($0 - 1) AS s\($0)\n" }.joined()
        },
        Shape(name: "copies from stages") { count in
            (0..<count / 2).map { "FROM a AS s\($0)\nRUN x\n" }.joined()
                + lines(count / 2, from: "FROM a\n") { "COPY --from=s\($0) a b" }
        },
        Shape(name: "labels") { count in lines(count, from: "FROM a\n") { "LABEL a\($0)=b" } },
        Shape(name: "findings") { count in lines(count, from: "FROM a\n") { "env a\($0) b" } + "RUN x\n" },
        Shape(name: "commands") { count in lines(count, from: "FROM a\n") { "CMD a \($0)" } },
        Shape(name: "ports") { count in lines(count, from: "FROM a\n") { "EXPOSE \(1 + $0 % 60000)/TCP" } },
        Shape(name: "comments") { count in lines(count, from: "") { "# \($0)" } + "FROM a\n" },
        Shape(name: "one long step") { count in lines(count, from: "FROM a\nRUN x \\\n") { " && y \($0) \\" } + " z\n"
        },
        Shape(name: "one long list") { count in lines(count, from: "FROM a\nENV z=1 \\\n") { " a\($0)=b \\" } + " y=2\n"
        },
        Shape(name: "a heredoc") { count in lines(count, from: "FROM a\nRUN <<E\n") { "x \($0)" } + "E\n" },
        Shape(name: "heredocs") { count in lines(count / 3, from: "FROM a\n") { "COPY <<E /\($0)\nx\nE" } },
    ]

    /// Parses, converts, looks for fixes, and formats.
    ///
    /// - Returns: What it took of this thread's time.
    private func work(_ text: String) async throws -> Duration {
        let start = OneThread.time
        let source = Array(text.utf8)
        let options = try DockerfileOptions(
            [:],
            workerPlatforms: [Platform(os: "linux", architecture: "amd64")],
            session: "s"
        )
        let file = SourceFile(filename: "Dockerfile", language: "Dockerfile", data: source)
        let input = ConversionInput(source: file, options: options, targetPlatform: nil, capabilities: Capability.all)
        let conversion = DockerfileConversion(input, context: World())
        _ = try await conversion.run().definition()
        let fixer = LintFixer(try SourceDocument(parsing: source))
        _ = conversion.warnings.map { fixer.fix(for: $0) }
        _ = try Formatter.format(source)
        return OneThread.time - start
    }

    @Test(arguments: shapes) func `eight times as much takes about eight times as long`(_ shape: Shape) async throws {
        let count = 250
        let ratio = try await Task(executorPreference: Self.thread) {
            let short = try await work(shape.text(count))
            let long = try await work(shape.text(8 * count))
            return long / short
        }.value
        #expect(ratio > 0 && ratio <= 20, "\(shape.name): \(ratio)")
    }
}
