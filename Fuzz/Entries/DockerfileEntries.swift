// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import LLB
internal import OCI
internal import PathPatterns

let dockerfileEntries = [
    FuzzEntry("dockerfile", dictionary: dockerfileWords, readDockerfile),
    FuzzEntry("expansion", dictionary: expansionWords, expandText),
    FuzzEntry("mount", dictionary: mountWords, readMount),
    FuzzEntry(
        "json-form",
        dictionary: ["[\"", "\",\"", "\"]", "\\u", "\\ud83d\\ude00", "null", "1e9", "{\"a\":"],
        readJSONForm
    ),
    FuzzEntry(
        "ignore",
        dictionary: ["**/", "/**", "!", "[a-z]", "[^", "\\", "../", "#", "?", "*"],
        readIgnorePatterns
    ),
    FuzzEntry("conversion", dictionary: dockerfileWords + expansionWords, convertDockerfile),
]

private let dockerfileWords =
    Instruction.keywords.map { $0 + " " } + [
        "FROM scratch AS a\n", "FROM a\n", "ONBUILD ", "# syntax=", "# escape=`\n", "# check=skip=all\n", "<<E\n",
        "\nE\n",
        "<<-\"E\"\n", "3<<E ", "\\\n", "`\n", "\\\r\n", "--from=", "--mount=type=", "--platform=", "--chmod=",
        "--chown=",
        "--link", "--parents", "--exclude=", "--checksum=sha256:", "--keep-git-dir", "--unpack", "--network=none",
        "--security=insecure", "--interval=1s ", "CMD ", "NONE", "[\"sh\", \"-c\"]", "\u{FEFF}", "=", "\"", "'",
        "https://example.org/a.tar", "https://github.com/a/b.git#main:c", "80/tcp", "SIGTERM",
    ]

private let expansionWords = [
    "${", "}", ":-", ":+", ":?", "#", "##", "%", "%%", "/", "//", "$A", "${B}", "\\", "`", "'", "\"", "*", "?", "\\*",
    "$$", "<<",
]

private let mountWords = [
    "type=bind", "type=cache", "type=tmpfs", "type=secret", "type=ssh", ",", "from=", "source=", "target=", "id=", "ro",
    "rw",
    "required", "size=1.5GiB", "sharing=locked", "mode=0755", "uid=", "gid=", "env=", "\"\"", "\"", "$A",
]

/// The tree and what it means: places lie inside the file, two readings are equal, an error is short and has a place.
private func readDockerfile(_ bytes: [UInt8]) throws {
    let lineCount = bytes.count { $0 == UInt8(ascii: "\n") } + 1
    var linter = Linter()
    do {
        let tree = try SyntaxTree(parsing: bytes, file: "D")
        try require(try SyntaxTree(parsing: bytes, file: "D").nodes == tree.nodes, "two readings of one file differ")
        for node in tree.nodes { try check(node, lineCount) }
        let file = try Dockerfile(tree, linter: &linter)
        try require(!file.stages.isEmpty, "a file without a stage was accepted")
    } catch let error as DockerfileError {
        try check(error, lineCount)
        let text = error.description
        try require(text.utf8.count < 32 << 10, "an error has \(text.utf8.count) bytes: \(text.prefix(200))")
    }
    for warning in linter.warnings { try check(warning.lines, lineCount, warning.rule.name) }
    _ = Directive.detectSyntax(in: bytes)
}

private func check(_ node: Node, _ lineCount: Int) throws(FuzzFinding) {
    try check(node.lines, lineCount, node.name)
    for word in [node.keyword] + node.flags + node.arguments {
        try require(
            word.range.start <= word.range.end && node.lines.contains(word.range.start.line)
                && word.range.start.column >= 1,
            "a word of \(node.name) in lines \(node.lines) stands at \(word.range)"
        )
    }
    for trigger in node.trigger { try check(trigger, lineCount) }
}

private func check(_ lines: ClosedRange<Int>, _ lineCount: Int, _ what: String) throws(FuzzFinding) {
    // A file that ends inside a continuation ends with its last line.
    try require(
        lines.lowerBound >= 1 && lines.upperBound <= lineCount,
        "\(what) stands in lines \(lines) of a file of \(lineCount)"
    )
}

/// Errors of a file name it; all but that it is empty name a place as well.
private func check(_ error: DockerfileError, _ lineCount: Int) throws(FuzzFinding) {
    try require(error.file == "D", "an error names no file: \(error)")
    try require(
        error.lines != nil || error.range != nil || error.code == .noInstructions || error.code == .badLintOption,
        "an error names no place: \(error)"
    )
    if let lines = error.lines { try check(lines, lineCount, "an error") }
}

/// Two lines of variables, then the text; its length says which options the expander has.
///
/// Nothing is larger than its limit.
private func expandText(_ bytes: [UInt8]) throws {
    let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 2, omittingEmptySubsequences: false)
        .map { String(decoding: $0, as: UTF8.self) }
    let variables = ["A": parts.count > 1 ? parts[0] : "value", "B": parts.count > 2 ? parts[1] : ""]
    let text = parts.last ?? ""
    for choice in [0, bytes.count % 16] {
        var expander = Expander(escape: choice & 1 == 0 ? "\\" : "`")
        expander.keepsQuotes = choice & 2 != 0
        expander.ignoresQuotes = choice & 4 != 0
        expander.keepsUnsetVariables = choice & 8 != 0
        do {
            let expansion = try expander.expand(text, variables)
            try require(
                expansion.text.utf8.count <= Limit.expandedByteCount + text.utf8.count * 4,
                "an expansion has \(expansion.text.utf8.count) bytes"
            )
            try require(expansion.matched.isSubset(of: ["A", "B"]), "found a variable that is not set")
            try require(expansion.unmatched.isDisjoint(with: ["A", "B"]), "missed a variable that is set")
            let joined = try expander.words(text, variables).joined()
            try require(joined.utf8.count <= expansion.text.utf8.count, "words hold more than the text")
        } catch let error as DockerfileError {
            try require(
                [.badExpansion, .unsetVariable, .tooLarge].contains(error.code),
                "an expansion failed with \(error.code)"
            )
        }
    }
}

/// One `--mount` in a file of its own, as a mount is never read elsewhere.
private func readMount(_ bytes: [UInt8]) throws {
    let options = bytes.filter { $0 != UInt8(ascii: "\n") && $0 != 0x20 && $0 != 0x09 }
    let source = Array("FROM scratch\nRUN --mount=".utf8) + options + Array(" true\n".utf8)
    var linter = Linter()
    do {
        let file = try Dockerfile(parsing: source, file: "D", linter: &linter)
        for instruction in file.stages.flatMap(\.instructions) {
            guard case .run(let run) = instruction.body else { continue }
            let mounts = try run.mounts { text throws(DockerfileError) in
                try Expander().text(text, ["A": "/a,b"])
            }
            for mount in mounts {
                try require(mount.kind == .tmpfs || mount.sizeLimit == 0, "\(mount.kind) has a size")
                try require(mount.kind == .cache || mount.sharing == nil, "\(mount.kind) is shared")
            }
        }
    } catch let error as DockerfileError {
        let located = error.located(range: nil, lines: nil, file: "D")
        try check(located, 3)
    }
}

/// An array where a command may stand; one that was read as JSON is read so again when it is written.
private func readJSONForm(_ bytes: [UInt8]) throws {
    let text = bytes.filter { $0 != UInt8(ascii: "\n") }
    let source = Array("CMD ".utf8) + text + [UInt8(ascii: "\n")]
    do {
        let tree = try SyntaxTree(parsing: source, file: "D")
        guard let node = tree.nodes.first, node.isJSON else { return }
        let array = JSONValue.array(node.arguments.map { .string($0.text) })
        let again = try SyntaxTree(parsing: Array("CMD ".utf8) + array.encodedText.utf8, file: "D")
        try require(again.nodes.first?.isJSON == true, "JSON written again is none")
        try require(
            again.nodes.first?.arguments.map(\.text) == node.arguments.map(\.text),
            "JSON written again says something else"
        )
    } catch let error as DockerfileError {
        try check(error, text.count + 2)
    }
    _ = Directive.detectSyntax(in: bytes)
}

/// An ignore file, asked about names made of its own bytes: what a walk down a tree finds is what a single look finds.
private func readIgnorePatterns(_ bytes: [UInt8]) throws {
    let matcher: PatternMatcher
    do {
        matcher = try PatternMatcher(patterns: readIgnoreFile(bytes))
    } catch {
        return try require(!"\(error)".isEmpty, "an error says nothing")
    }
    // By scalars: a slash may be the beginning of a character.
    let names = String(decoding: bytes.suffix(64), as: UTF8.self).unicodeScalars
        .split { ["\n", "\0", "/"].contains($0) }.prefix(4).map(String.init)
    var path = ""
    var parent: ParentMatches?
    for name in ["src"] + names where name != "." && name != ".." {
        let walked = path.isEmpty ? name : path + "/" + name
        let (isMatch, results) = matcher.matches(walked, parent: parent)
        try require(
            // As in BuildKit a walk does not ask an exception before something was left out, so it may miss that one
            // matches a parent.
            matcher.hasExceptions || isMatch == matcher.matchesOrParentMatches(walked),
            "a walk and a look differ about \"\(walked)\""
        )
        if !path.isEmpty, isMatch, !matcher.matchesOrParentMatches(path) {
            try require(matcher.couldMatch(below: path), "nothing could match below \"\(path)\", but \"\(name)\" does")
        }
        (path, parent) = (walked, results)
    }
}

/// The whole way to LLB: what comes out is a definition an engine accepts, twice the same.
private func convertDockerfile(_ bytes: [UInt8]) async throws {
    do {
        let first = try await convert(bytes)
        let second = try await convert(bytes)
        try require(first == second, "two conversions of one file differ")
        do {
            _ = try first.graph()
        } catch {
            // No process can be given such an argument; the engine says which step has it.
            if bytes.contains(0) { return }
            throw FuzzFinding("a conversion gave a definition that is refused: \(error)")
        }
    } catch let error as DockerfileError {
        try require(
            error.lines != nil || error.range != nil || error.code == .noInstructions
                || error.code == .badLintOption,
            "an error names no place: \(error)"
        )
    } catch let error as ConversionError {
        try require(error.message.utf8.count < 8 << 10, "an error has \(error.message.utf8.count) bytes")
    } catch let error as LLBError {
        try require(!error.message.isEmpty, "an error says nothing")
    } catch let error as OCIError {
        try require(!error.message.isEmpty, "an error says nothing")
    } catch let error as FixedWorld.Unavailable {
        try require(!error.description.isEmpty, "an error says nothing")
    }
}

private func convert(_ bytes: [UInt8]) async throws -> Definition {
    let amd64 = Platform(os: "linux", architecture: "amd64")
    let input = ConversionInput(
        source: SourceFile(filename: "Dockerfile", language: "Dockerfile", data: bytes),
        options: try DockerfileOptions([:], workerPlatforms: [amd64])
    )
    let conversion = DockerfileConversion(input, context: FixedWorld())
    let result = try await conversion.run()
    _ = result.image.encoded
    _ = result.outline.text
    return try result.definition()
}

/// A world in which every image exists and is empty but for a trigger, and no file does.
private struct FixedWorld: ConversionContext {
    struct Unavailable: Error { let description: String }

    private struct EmptyTree: ConversionTree {
        func readFile(_ path: String, byteLimit: Int?) async throws -> [UInt8]? { nil }
    }

    func resolveImage(
        _ name: String,
        platform: Platform?,
        mode: State.ImageResolveMode,
        logName: String
    ) async throws -> ResolvedImage {
        var config = ImageConfig(
            platform: platform ?? Platform(os: "linux", architecture: "amd64"),
            rootFS: .init(diffIDs: [Digest.of("")])
        )
        config.config.environment = ["PATH=/bin"]
        if name.contains("trigger") { config.config.onBuild = ["COPY --from=a /b /c", "RUN true"] }
        return ResolvedImage(name: name, digest: Digest.of(name), config: config.encoded)
    }

    func resolveLayoutImage(
        _ name: String,
        store: String,
        platform: Platform?,
        logName: String
    ) async throws -> ResolvedImage { throw Unavailable(description: "there is no layout") }

    func sourceTime(identifier: String, attributes: [String: String], logName: String) async throws -> Int64? { 1 }

    func solve(_ definition: Definition) async throws -> any ConversionTree { EmptyTree() }

    func input(_ name: String) async throws -> Definition? { nil }
}
