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
        let options = expectation["options"]
        let server = try await fixture.server(options)
        let arguments = try fixture.arguments(options, into: layout, kiln, workspace, server: server?.address)
        let result = try await kiln.start(arguments, state: Self.state.get().state).result()
        let report = try BuildReport(result.error)
        if let error = expectation["error"]?.text {
            #expect(result.status == 1, "\(report.message)")
            #expect(report.message.contains(error))
            return
        }
        try #require(result.status == 0, "\(report.message)")
        let address = server?.address
        let problems = try await blocking {
            try Self.problems(
                expectation,
                BuiltImage.all(layout: layout),
                base: BuiltImage(layout: kiln.base),
                server: address
            )
        }
        #expect(problems == [])
        let warnings = (expectation["warnings"]?.elements ?? []).compactMap(\.text)
        #expect(report.warnings.sorted() == warnings.sorted())
    }

    private static func problems(
        _ expectation: JSONValue,
        _ images: [BuiltImage],
        base: BuiltImage,
        server: String?
    ) throws -> [String] {
        guard let platforms = expectation["platforms"]?.members else {
            return try problems(expectation, #require(images.first), base: base, server: server)
        }
        let found = images.map(\.platform).sorted()
        guard found == platforms.map(\.name).sorted() else { return ["there are images for \(found)"] }
        return try platforms.flatMap { wanted in
            try problems(
                wanted.value,
                #require(images.first { $0.platform == wanted.name }),
                base: base,
                server: server
            )
            .map { "\(wanted.name): \($0)" }
        }
    }

    private static func problems(
        _ expectation: JSONValue,
        _ image: BuiltImage,
        base: BuiltImage,
        server: String?
    ) throws -> [String] {
        var problems: [String] = []
        if let wanted = expectation["config"] {
            problems += differences(wanted, try portable(image.config, server), "config")
        }
        for wanted in expectation["tree"]?.members ?? [] {
            let found = image.tree[wanted.name]?.described
            problems += differences(
                wanted.value,
                found.map { .object($0.map { JSONMember($0.key, $0.value) }) },
                wanted.name
            )
        }
        for path in (expectation["absent"]?.elements ?? []).compactMap(\.text) where image.tree[path] != nil {
            problems.append("\(path) exists")
        }
        if let wanted = expectation["paths"]?.elements?.compactMap(\.text) {
            let own = Set(image.tree.keys).subtracting(base.tree.keys)
            problems += own.subtracting(wanted).sorted().map { "\($0) is there" }
            problems += Set(wanted).subtracting(own).sorted().map { "\($0) is missing" }
        }
        let inherited = image.history.starts(with: base.history) ? base.history.count : 0
        let own = Array(image.history.dropFirst(inherited))
        if let count = expectation["history"]?.integer, count != own.count {
            problems.append("history has \(own.count) entries of its own, expected \(count)")
        } else if let wanted = expectation["history"]?.elements {
            problems += differences(.array(wanted), try portable(.array(own), server), "history")
        }
        return problems
    }

    /// A value without the address of the server, which is another one each time.
    private static func portable(_ value: JSONValue, _ server: String?) throws -> JSONValue {
        guard let server else { return value }
        return try JSONValue(parsing: value.encodedText.replacing(server, with: "http://server"))
    }
}
