// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import OCI
import SystemPackage
import Testing

/// What `kiln llb dump` prints of build files, beside what BuildKit's own dump prints of them.
struct DumpTests {
    private static let vectors = Kiln.repository.appending("Tests/Fixtures/dump-llb")

    /// Fixtures whose lines are known.
    static let fixtures: [Fixture] =
        ((try? FileManager.default.contentsOfDirectory(atPath: vectors.string)) ?? [])
        .filter { $0.hasSuffix(".lines") }
        .sorted()
        .map { Fixture(name: String($0.dropLast(".lines".count))) }

    @Test func `lines are known for ten files and more`() { #expect(Self.fixtures.count >= 10) }

    @Test(arguments: fixtures)
    func `prints the lines that BuildKit prints`(fixture: Fixture) async throws {
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        let base = Self.vectors.appending("base").string
        let inputs = try fixture.inputs(fixture.expectation()["options"], kiln, workspace, base: base)
        let converted = try await kiln.start(
            ["build", "--call", "convert", "--progress", "quiet"] + inputs,
            state: workspace.state
        )
        .result()
        try #require(converted.status == 0, "\(converted.error)")
        let definition = try workspace.write("definition.json", converted.outputText)
        let dump = try await kiln.run("llb", "dump", definition, state: workspace.state)
        try #require(dump.status == 0, "\(dump.error)")
        // BuildKit draws the ids of progress groups anew each time.
        let text = dump.outputText.replacing(
            #/"progress_group":\{"id":"[^"]*"/#,
            with: #""progress_group":{"id":"random""#
        )
        let file = URL(filePath: Self.vectors.appending("\(fixture.name).lines").string)
        let wanted = try String(decoding: Data(contentsOf: file), as: UTF8.self)
        let (found, expected) = (text.split(separator: "\n"), wanted.split(separator: "\n"))
        #expect(found.count == expected.count)
        for (line, expected) in zip(found, expected) { #expect(line == expected) }
    }
}
