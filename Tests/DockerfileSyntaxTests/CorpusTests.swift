// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import FoundationEssentials
import Testing

/// Compares the parser with BuildKit's on a directory of real files: `files/NAME` beside
/// `golden/NAME.json`.
///
/// The files belong to their authors and are not part of the project; the environment variable says
/// where they are.
@Suite(.enabled(if: Corpus.directory != nil, "needs KILN_CORPUS"))
struct CorpusTests {
    @Test func `every file parses to the tree that BuildKit sees`() throws {
        let corpus = try Corpus()
        var differing: [String] = []
        for name in corpus.names {
            let answer = try corpus.answer(name)
            do {
                let tree = try SyntaxTree(parsing: corpus.source(name))
                let dump = TreeDump.text(of: tree)
                if dump != answer.ast {
                    differing.append(name + ": " + Self.difference(dump, answer.ast ?? "an error"))
                }
            } catch {
                if answer.astError == nil { differing.append(name + ": \(error)") }
            }
        }
        #expect(corpus.names.count > 1_000)
        #expect(differing.isEmpty, "\(differing.count) of \(corpus.names.count) differ")
        for line in differing.prefix(20) { Issue.record("\(line)") }
    }

    @Test func `warnings of the text, stages, errors and their lines agree`() throws {
        let corpus = try Corpus()
        var differing: [String] = []
        for name in corpus.names {
            differing += try Self.differences(
                source: corpus.source(name),
                answer: corpus.answer(name)
            )
            .map { "\(name): \($0)" }
        }
        #expect(differing.isEmpty, "\(differing.count) of \(corpus.names.count) differ")
        for line in differing.prefix(20) { Issue.record("\(line)") }
    }

    /// The rules that need nothing but the text.
    private static let textRules: Set<String> = [
        "StageNameCasing", "FromAsCasing", "NoEmptyContinuation", "ConsistentInstructionCasing",
        "DuplicateStageName",
        "ReservedStageName", "MaintainerDeprecated", "InvalidDefinitionDescription",
    ]

    private static func differences(source: [UInt8], answer: Corpus.Answer) throws -> [String] {
        var result: [String] = []
        let check = Directive.find(.check, in: source)
        var linter = Linter(
            options: (try? LintOptions(parsing: check?.reference ?? "")) ?? LintOptions()
        )
        let outcome = Result { try Dockerfile(parsing: source, linter: &linter) }
        let target = try #require(answer.targets.first)

        let expected = (target.warnings ?? []).filter { textRules.contains($0.rule) }
            .map { "\($0.msg) \($0.ranges ?? [])" }.sorted()
        let found = linter.warnings.map { warning in
            let ranges = warning.lines.map { "\($0):0-\($0):0" }
            return
                "\(warning.rule.name): \(warning.message) (line \(warning.lines.lowerBound)) \(ranges)"
        }.sorted()
        if target.warnings != nil || target.error == nil, expected != found {
            result.append("found \(found), expected \(expected)")
        }
        switch outcome {
        case .failure(let error):
            guard let message = target.error else { return result + ["\(error)"] }
            let error = try #require(error as? DockerfileError)
            let lines = error.lines?.map { "\($0):0-\($0):0" }
            // BuildKit counts from 0 for the errors of a line that it has not yet taken.
            let isOffByOne = error.code == .lineTooLong || error.code == .badDirective
            if let ranges = target.errorRanges, ranges != lines, !isOffByOne {
                result.append("\(error) in \(lines ?? []), expected \(message) in \(ranges)")
            }
        case .success(let dockerfile):
            if let message = target.error, message.hasPrefix("dockerfile parse error") {
                result.append("parsed, expected \(message)")
            }
            if let stages = answer.stages {
                let names = dockerfile.stages.map { "\($0.name)|\($0.description)|\($0.lines)" }
                let expectedNames = stages.map { stage in
                    let lines = stage.location.ranges.map(\.start.line)
                    return
                        "\(stage.name ?? "")|\(stage.description ?? "")|\(lines.first ?? 0)...\(lines.last ?? 0)"
                }
                if names != expectedNames {
                    result.append("stages \(names), expected \(expectedNames)")
                }
            }
        }
        if let syntax = answer.syntax, syntax != Directive.detectSyntax(in: source)?.reference {
            result.append("syntax \(syntax)")
        }
        if answer.syntax == nil, let found = Directive.detectSyntax(in: source) {
            result.append("syntax \(found)")
        }
        return result
    }

    private static func difference(_ left: String, _ right: String) -> String {
        let common = zip(left.utf8, right.utf8).prefix { $0 == $1 }.count
        let from = max(0, common - 20)
        func part(_ text: String) -> String {
            String(decoding: text.utf8.dropFirst(from).prefix(100), as: UTF8.self)
        }
        return "found \(part(left)), expected \(part(right))"
    }
}

struct Corpus {
    struct Answer: Decodable {
        struct Target: Decodable {
            struct Warning: Decodable {
                let msg: String
                let ranges: [String]?
                var rule: String { String(msg.prefix { $0 != ":" }) }
            }
            let warnings: [Warning]?
            let error: String?
            let errorRanges: [String]?
        }
        struct Stage: Decodable {
            struct Location: Decodable {
                struct Range: Decodable {
                    struct Position: Decodable { let line: Int }
                    let start: Position
                }
                let ranges: [Range]
            }
            let name: String?
            let description: String?
            let location: Location
        }
        let stages: [Stage]?
        let ast: String?
        let astError: String?
        let syntax: String?
        let targets: [Target]
    }

    static var directory: String? { ProcessInfo.processInfo.environment["KILN_CORPUS"] }

    let directory: String
    let names: [String]

    init() throws {
        directory = try #require(Self.directory)
        names = try FileManager.default.contentsOfDirectory(atPath: directory + "/files").sorted()
    }

    func source(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/files/\(name)")))
    }

    func answer(_ name: String) throws -> Answer {
        let data = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/golden/\(name).json"))
        return try JSONDecoder().decode(Answer.self, from: data)
    }
}
