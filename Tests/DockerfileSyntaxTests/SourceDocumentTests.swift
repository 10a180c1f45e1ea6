// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import Testing

/// The tree keeps every byte.
@Suite struct SourceDocumentTests {
    /// Holds a text against its document: printed it is the same, and its lines say where everything stands.
    private func check(_ source: [UInt8], _ name: String) {
        guard let tree = try? SyntaxTree(parsing: source) else {
            #expect((try? SourceDocument(parsing: source)) == nil, "\(name)")
            return
        }
        guard let document = try? SourceDocument(parsing: source) else {
            Issue.record("\(name): a tree, but no document")
            return
        }
        #expect(document.printed == source, "\(name)")
        #expect(document.tree.nodes == tree.nodes, "\(name)")
        var end = document.prefix.count
        var contents = [[UInt8]](repeating: [], count: tree.nodes.count)
        for (index, line) in document.lines.enumerated() {
            #expect(line.range.lowerBound == end, "\(name): line \(index + 1)")
            end = line.range.upperBound
            #expect(line.content.lowerBound >= line.indentation.upperBound, "\(name): line \(index + 1)")
            switch line.role {
            case .instruction(let node):
                contents[node] += source[line.content]
                #expect(tree.nodes[node].lines.contains(index + 1), "\(name): line \(index + 1)")
            case .innerBlank(let node), .innerComment(let node), .heredoc(let node):
                #expect(tree.nodes[node].lines.contains(index + 1), "\(name): line \(index + 1)")
            case .blank, .comment, .directive: break
            }
        }
        #expect(end == source.count, "\(name)")
        for (node, content) in zip(tree.nodes, contents) {
            #expect(String(decoding: content, as: UTF8.self) == node.original, "\(name): \(node.lines)")
        }
    }

    @Test func `every fixture is printed as it was read`() {
        #expect(SampleFiles.fixtures.count > 100)
        for sample in SampleFiles.fixtures { check(sample.source, sample.name) }
    }

    @Test func `made-up texts are printed as they were read`() {
        for seed in 0..<3_000 as Range<UInt64> { check(SampleFiles.generated(seed: seed), "seed \(seed)") }
    }

    @Test func `so are texts cut off and with a byte changed`() {
        for seed in 0..<60 as Range<UInt64> {
            let source = SampleFiles.generated(seed: seed)
            for index in stride(from: 0, to: source.count, by: 3) {
                check(Array(source[..<index]), "seed \(seed) cut at \(index)")
                var changed = source
                changed[index] = UInt8(truncatingIfNeeded: Int(seed) &* 31 &+ index)
                check(changed, "seed \(seed) changed at \(index)")
            }
        }
    }

    @Test func `lines say what they are`() throws {
        let text = "# escape=`\n\n# c\n  RUN <<E `  \r\n # in\n\n x\nbody\nE\nUSER a"
        let document = try SourceDocument(parsing: Array(text.utf8))
        #expect(
            document.lines.map(\.role) == [
                .directive, .blank, .comment, .instruction(0), .innerComment(0), .innerBlank(0), .instruction(0),
                .heredoc(0), .heredoc(0), .instruction(1),
            ]
        )
        let line = document.lines[3]
        let parts = [line.indentation, line.content, line.continuation, line.ending]
        #expect(
            parts.map { String(decoding: document.source[$0], as: UTF8.self) } == ["  ", "RUN <<E ", "`  ", "\r\n"]
        )
    }

    @Test func `a file of more lines than are kept is refused, but not by a conversion`() throws {
        let source = Array("FROM a\n".utf8) + [UInt8](repeating: UInt8(ascii: "\n"), count: Limit.keptLineCount)
        let error = #expect(throws: DockerfileError.self) { try SourceDocument(parsing: source) }
        #expect(error?.code == .tooLarge)
        #expect(try SyntaxTree(parsing: source).nodes.count == 1)
    }
}
