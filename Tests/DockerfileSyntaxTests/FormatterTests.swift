// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import Testing

/// The usual form of a Dockerfile, and P-FORM-01: it is a fixed point.
@Suite struct FormatterTests {
    @Test func `a file that includes others is written without them`() throws {
        let text = "# kiln=include,from-variables\nINCLUDE  args\nrun   --mount=from=$X,target=/m x\n"
        let formatted = String(decoding: try Formatter.format(Array(text.utf8)), as: UTF8.self)
        #expect(formatted == "# kiln=include,from-variables\nINCLUDE args\nRUN --mount=from=$X,target=/m x\n")
        #expect(throws: DockerfileError.self) { try Formatter.format(Array("# kiln=include\nINCLUDE a\nRUNN x".utf8)) }
    }

    private func format(_ text: String) throws -> String {
        String(decoding: try Formatter.format(Array(text.utf8)), as: UTF8.self)
    }

    @Test(arguments: [
        ("from  scratch   as  x\nrun   ls  -l\n", "FROM scratch AS x\nRUN ls  -l\n"),
        ("\n\n\nFROM a\n\n\n\nUSER b  \n\n\n", "FROM a\n\nUSER b\n"),
        ("FROM a", "FROM a\n"),
        ("FROM a\r\nUSER  b\nRUN x \\\n  y", "FROM a\r\nUSER b\r\nRUN x \\\r\n  y\r\n"),
        ("\u{FEFF}from a\n", "\u{FEFF}FROM a\n"),
        // Words: lines that go on are indented, empty lines within go.
        ("FROM a\nENV a=b \\\n\n\t\tc=d   e='f  g'\n", "FROM a\nENV a=b \\\n    c=d e='f  g'\n"),
        ("FROM a\nCOPY   a\tb \\\n  \\\n /c\n", "FROM a\nCOPY a b \\\n    /c\n"),
        ("FROM a\nEXPOSE 80   81\n", "FROM a\nEXPOSE 80 81\n"),
        ("FROM a\nENV a  b  c\n", "FROM a\nENV a b  c\n"),
        ("FROM a\nARG a   b=c\n", "FROM a\nARG a b=c\n"),
        ("FROM a\nENV a=\"b\\\n  c\"   d=e\n", "FROM a\nENV a=\"b\\\n  c\" d=e\n"),
        // Flags in their order.
        (
            "FROM a\nCOPY --link   --from=b   --chown=1:1  a  b\n",
            "FROM a\nCOPY --link --from=b --chown=1:1 a b\n"
        ),
        ("FROM a\nRUN --  x\n", "FROM a\nRUN -- x\n"),
        // Text for a shell stays, the way to it does not.
        (
            "FROM a\nrun   --mount=type=cache,target=/c \\\n  --network=none \\\n  a  b \\\n     && c   \\  \n  && d\n",
            "FROM a\nRUN --mount=type=cache,target=/c \\\n    --network=none \\\n    a  b \\\n     && c   \\\n  && d\n"
        ),
        ("FROM a\nRUN a \\\n  # why  \n\n  b\n", "FROM a\nRUN a \\\n  # why\n  b\n"),
        ("FROM a\nRUN \\\n  # why  \n  b\n", "FROM a\nRUN \\\n    # why\n    b\n"),
        // JSON.
        ("FROM a\nCMD [ \"a\",\"b c\" ,  \"\\u0064\" ]\n", "FROM a\nCMD [\"a\", \"b c\", \"\\u0064\"]\n"),
        ("FROM a\nCMD [\"a\", \\\n\"b\"]\n", "FROM a\nCMD [\"a\", \\\n    \"b\"]\n"),
        ("FROM a\nCMD [ ]\n", "FROM a\nCMD []\n"),
        ("FROM a\nCMD [a,b]\n", "FROM a\nCMD [a,b]\n"),
        ("FROM a\nhealthcheck   --retries=3 cmd   [\"a\"]\n", "FROM a\nHEALTHCHECK --retries=3 CMD [\"a\"]\n"),
        ("FROM a\nHEALTHCHECK none\n", "FROM a\nHEALTHCHECK NONE\n"),
        // What an image keeps as text.
        ("FROM a\nonbuild   run  a   b  \n", "FROM a\nONBUILD run  a   b\n"),
        // Heredocs.
        (
            "FROM a\nrun   <<EOF   sh\n  a  \n\n\n\tb\nEOF\nUSER  c\n",
            "FROM a\nRUN <<EOF   sh\n  a  \n\n\n\tb\nEOF\nUSER c\n"
        ),
        ("FROM a\ncopy   <<a   <<b  /d\n  x  \na\ny\nb", "FROM a\nCOPY <<a <<b /d\n  x  \na\ny\nb\n"),
        // Comments.
        ("#  a   \nFROM a\n   # b\n  USER c\n# d", "#  a\nFROM a\n# b\nUSER c\n# d\n"),
        ("# escape=`  \nFROM a\nCOPY a `\nb\n", "# escape=`\nFROM a\nCOPY a `\n    b\n"),
        // No comment becomes a directive.
        ("\n\n# escape=`\nFROM a\nRUN a `\nUSER b\n", "\n# escape=`\nFROM a\nRUN a `\nUSER b\n"),
        ("FROM a\n  # check=skip=all\nUSER b\n", "FROM a\n  # check=skip=all\nUSER b\n"),
        ("FROM a\nRUN x \\\n# last\n", "FROM a\nRUN x\n# last\n"),
        ("\\\nFROM a\n", "FROM a\n"),
    ])
    func `is written so`(_ text: String, _ expected: String) throws {
        #expect(try format(text) == expected)
        #expect(try format(expected) == expected)
    }

    @Test(arguments: ["", "# nothing\n", "FROM a\nRUNN x\n", "RUN x\n", "FROM a\nRUN <<EOF\n", "FROM a\nCOPY a\n"])
    func `a file that means nothing is refused`(_ text: String) {
        #expect(throws: DockerfileError.self) { try format(text) }
    }

    @Test func `P-FORM-01: written again it stays the same, and means what it meant`() throws {
        var count = 0
        let generated = (0..<3_000 as Range<UInt64>).map {
            SampleFiles.Sample(name: "seed \($0)", source: SampleFiles.generated(seed: $0))
        }
        for sample in SampleFiles.fixtures + generated {
            guard let once = try? Formatter.format(sample.source) else { continue }
            count += 1
            #expect(try Formatter.format(once) == once, "\(sample)")
            let before = try SyntaxTree(parsing: sample.source)
            let after = try SyntaxTree(parsing: once)
            #expect(before.escape == after.escape, "\(sample)")
            #expect(before.nodes.map(\.name) == after.nodes.map(\.name), "\(sample)")
            for (old, new) in zip(before.nodes, after.nodes) {
                #expect(old.flags.map(\.text) == new.flags.map(\.text), "\(sample): \(old.lines)")
                let texts = [old, new].map { $0.arguments.map { $0.text.uppercased() } }
                #expect(texts[0] == texts[1], "\(sample): \(old.lines)")
                #expect(old.heredocs.map(\.content) == new.heredocs.map(\.content), "\(sample): \(old.lines)")
            }
            #expect(!once.isEmpty && once.last == UInt8(ascii: "\n"))
        }
        #expect(count > 1_000)
    }

    /// Where nothing is odd, the rules are kept to the letter.
    @Test func `of the fixtures no line but text ends with a blank, and no keyword is small`() throws {
        for sample in SampleFiles.fixtures {
            guard let text = try? Formatter.format(sample.source) else { continue }
            let document = try SourceDocument(parsing: text)
            var wasBlank = false
            for (index, line) in document.lines.enumerated() {
                let place: Comment = "\(sample): line \(index + 1)"
                if case .heredoc = line.role { continue }
                #expect(![0x20, 0x09].contains(text[line.range].reversed().first { $0 != 0x0A && $0 != 0x0D }), place)
                #expect(!(wasBlank && line.role == .blank), place)
                wasBlank = line.role == .blank
            }
            for node in document.tree.nodes { #expect(node.keyword.text == node.name, "\(sample): \(node.lines)") }
        }
    }
}
