// SPDX-License-Identifier: Apache-2.0

import LinuxSystem
import OCI
import Testing

struct FixtureTests {
    /// One state directory for all, so that they also meet in it.
    private static let state = Result { try Workspace() }

    @Test(arguments: Fixture.all)
    func `builds what BuildKit builds`(fixture: Fixture) async throws { try await build(fixture) }

    @Test(arguments: Fixture.specs)
    func `builds image specs`(fixture: Fixture) async throws { try await build(fixture) }

    private func build(_ fixture: Fixture) async throws {
        let expectation = try fixture.expectation()
        if let needs = expectation["needs"]?.elements?.compactMap(\.text) {
            print("\(fixture.name) is skipped: it needs \(needs.joined(separator: ", "))")
            return
        }
        let kiln = try await Kiln.shared
        let workspace = try Workspace()
        let layout = workspace.path("image")
        let arguments = try fixture.arguments(expectation["options"], into: layout, kiln, workspace)
        let result = try await kiln.start(arguments, state: Self.state.get().state).result()
        let report = try BuildReport(result.error)
        if let error = expectation["error"]?.text {
            #expect(result.status == 1, "\(report.message)")
            #expect(report.message.contains(error))
            return
        }
        try #require(result.status == 0, "\(report.message)")
        let problems = try await blocking {
            try Self.problems(
                expectation,
                BuiltImage(layout: layout),
                base: BuiltImage(layout: kiln.base)
            )
        }
        #expect(problems == [])
        let warnings = (expectation["warnings"]?.elements ?? []).compactMap(\.text)
        #expect(report.warnings.sorted() == warnings.sorted())
    }

    private static func problems(
        _ expectation: JSONValue,
        _ image: BuiltImage,
        base: BuiltImage
    ) -> [String] {
        var problems = expectation["config"].map { differences($0, image.config, "config") } ?? []
        for wanted in expectation["tree"]?.members ?? [] {
            let found = image.tree[wanted.name]?.described
            problems += differences(
                wanted.value,
                found.map { .object($0.map { JSONMember($0.key, $0.value) }) },
                wanted.name
            )
        }
        for path in (expectation["absent"]?.elements ?? []).compactMap(\.text)
        where image.tree[path] != nil {
            problems.append("\(path) exists")
        }
        if let steps = expectation["history"]?.integer {
            let inherited = image.history.starts(with: base.history) ? base.history.count : 0
            let added = image.history.count - inherited
            if added != steps {
                problems.append("history has \(added) entries of its own, expected \(steps)")
            }
        }
        return problems
    }
}
