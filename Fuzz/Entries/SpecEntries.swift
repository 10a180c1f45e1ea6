// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol
internal import LLB
internal import OCI
internal import YAMLSpec

let specEntries = [
    FuzzEntry("yaml", dictionary: yamlWords, readSpec)
]

private let yamlWords = [
    "images:\n", "stages:\n", "  app:\n", "    base: alpine\n", "    steps:\n", "      - run: make\n",
    "      - copy: {from: a, src: /b, dest: /c}\n",
    "args:\n", "include: [a.yaml]\n", "labels:\n", "matrix:\n", "packages:\n", "apt: [curl]\n", "${A}", "${A:-b}",
    "&a ", "*a", "<<: *a", "!!str ",
    "|\n", ">-\n", "---\n", "...\n", "? ", "- ", "{", "}", "[", "]", "\"", "'", "#", "\t", "%YAML 1.2\n", "\u{FEFF}",
    "platform: target\n",
]

private let amd64 = Platform(os: "linux", architecture: "amd64")

/// All of a spec for each of its first targets: errors name their place, and what is converted is a definition an engine accepts.
private func readSpec(_ bytes: [UInt8]) async throws {
    do {
        let source = SourceText(name: "image.yaml", bytes: bytes)
        let document = try await SpecLoader.load(source) { path in path == "a.yaml" ? bytes : nil }
        _ = try document.targetsDescription()
        for target in try document.targets().prefix(2) {
            let spec = try Spec(document, Spec.Request(target: target, targetPlatform: amd64, buildPlatform: amd64))
            for finding in SpecLinter.findings(spec) {
                try require(!finding.message.isEmpty, "a finding says nothing")
            }
            let options = ConversionOptions(targetPlatform: amd64, buildPlatform: amd64)
            let tree = try await SpecConversion(spec, options, world: FixedWorld()).convert(target.declaration.name)
            let definition = try tree.state.definition(MarshalOptions(platform: amd64))
            if !definition.isScratch { _ = try definition.graph() }
        }
    } catch let error as SourceProblems {
        try require(!error.problems.isEmpty, "an error says nothing")
        for problem in error.problems { try check(problem, bytes) }
        try require(error.description.utf8.count < 256 << 10, "an error has \(error.description.utf8.count) bytes")
    } catch let error as SourceProblem {
        try check(error, bytes)
    } catch let error as BuildError {
        try require(!"\(error)".isEmpty, "an error says nothing")
    }
}

private func check(_ problem: SourceProblem, _ bytes: [UInt8]) throws(FuzzFinding) {
    try require(!problem.message.isEmpty, "a problem says nothing")
    if let range = problem.range {
        let lineCount = bytes.count { $0 == 0x0A || $0 == 0x0D } + 2
        try require(
            range.startLine >= 1 && range.startLine <= lineCount,
            "a problem stands in line \(range.startLine) of \(lineCount)"
        )
    }
    try require(problem.rendered.utf8.count < 32 << 10, "a problem has \(problem.rendered.utf8.count) bytes")
}

/// A world in which every image exists.
private struct FixedWorld: SpecWorld {
    func tree(_ name: String, platform: Platform, constraints: Constraints) async throws -> SourceTree {
        if name == "scratch" { return .scratch(platform) }
        var constraints = constraints
        constraints.platform = platform
        let config = ImageConfig.empty(platform)
        do {
            let name = try Reference(parsing: name).withDefaultTag.description
            return SourceTree(state: try State.image(name, constraints: constraints).applying(config), config: config)
        } catch {
            throw BuildError("cannot read image name: \(error)")
        }
    }

    func context(followPaths: [String]) throws -> State {
        var options = State.LocalOptions()
        options.followPaths = followPaths
        return .local("context", options: options)
    }
}
