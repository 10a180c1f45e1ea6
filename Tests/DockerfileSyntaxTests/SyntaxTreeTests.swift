// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import Testing

@Suite struct SyntaxTreeTests {
    static func dump(_ text: String) throws -> String {
        TreeDump.text(of: try SyntaxTree(parsing: Array(text.utf8)))
    }

    @Test(arguments: [
        ("FROM a", "(from \"a\")"),
        ("\u{FEFF}FROM a\r\nRUN x\r\n", "(from \"a\")\n(run \"x\")"),
        ("  from\ta  as\tb ", "(from \"a\" \"as\" \"b\")"),
        ("RUN a \\\n  b \\  \n# gone\n  # too\n c", "(run \"a   b  c\")"),
        ("RUN a \\\n\n\n b", "(run \"a  b\")"),
        ("RUN a \\\\\nUSER x", "(run \"a \\\\\\\\\")\n(user \"x\")"),
        ("RUN a \\", "(run \"a\")"),
        ("\\\nRUN \\\n\\\n a", "(run \"a\")"),
        ("# escape=`\nRUN a `\n b\\\nUSER c", "(run \"a  b\\\\\")\n(user \"c\")"),
        ("#  ESCAPE = `  \nRUN a `\n b", "(run \"a  b\")"),
        ("# x\n# escape=`\nRUN a `\nUSER b", "(run \"a `\")\n(user \"b\")"),
        ("RUN [\"a\", \"b\\n\\u00e9\\ud83d\\ude00\\ud800\"]", "(run \"a\" \"b\\né😀�\")"),
        ("RUN [a]", "(run \"[a]\")"), ("RUN [\"a\"] x", "(run \"[\\\"a\\\"] x\")"),
        ("CMD []", "(cmd)"),
        ("COPY [\"a b\", \"c\"]", "(copy \"a b\" \"c\")"),
        ("COPY a  b\tc", "(copy \"a\" \"b\" \"c\")"),
        ("COPY --from=x --chown=\"a b\" a b", "(copy [\"--from=x\" \"--chown=a b\"] \"a\" \"b\")"),
        ("RUN --mount=a -- --x y", "(run [\"--mount=a\"] \"--x y\")"),
        ("RUN --a\\ b c", "(run [\"--a b\"] \"c\")"),
        ("RUN --a=$é c", "(run [\"--a=$é\"] \"c\")"), ("RUN -x", "(run \"-x\")"),
        (
            "ENV a=b c='d e' f=\"g h\" i=j\\ k",
            "(env \"a\" \"b\" \"=\" \"c\" \"'d e'\" \"=\" \"f\" \"\\\"g h\\\"\" \"=\" \"i\" \"j\\\\ k\" \"=\")"
        ),
        ("ENV a b  c", "(env \"a\" \"b  c\" \"\")"), ("LABEL a=", "(label \"a\" \"\" \"=\")"),
        ("ENV a=b\\", "(env \"a\" \"b\" \"=\")"),
        ("ARG a b=c d='e f'", "(arg \"a\" \"b=c\" \"d='e f'\")"),
        (
            "HEALTHCHECK --interval=1s CMD [\"a\"]",
            "(healthcheck [\"--interval=1s\"] \"CMD\" \"a\")"
        ),
        ("HEALTHCHECK CMD a b", "(healthcheck \"CMD\" \"a b\")"),
        ("ONBUILD RUN --x a", "(onbuild (run [\"--x\"] \"a\"))"), ("ONBUILD", "(onbuild)"),
        ("FOO bar", "(foo \"\")"),
        ("RUN", "(run)"), ("RUN a\u{A0}", "(run \"a\")"),
    ])
    func `splits`(text: String, expected: String) throws {
        #expect(try Self.dump(text) == expected)
    }

    @Test func `places are those of the source, across continuation lines`() throws {
        let tree = try SyntaxTree(
            parsing: Array("FROM a\n\n  RUN --x=y \\\n # c\n   tail\nENV é=1 k=v".utf8)
        )
        let run = tree.nodes[1]
        #expect(run.lines == 3...5)
        #expect(run.keyword.range == Self.range(3, 3, 3, 6))
        #expect(run.flags.map(\.range) == [Self.range(3, 7, 3, 12)])
        #expect(run.arguments.map(\.range) == [Self.range(5, 4, 5, 8)])
        #expect(run.range == Self.range(3, 3, 5, 8))
        #expect(run.original == "RUN --x=y    tail")
        // Columns count bytes: é is two.
        #expect(tree.nodes[2].arguments[3].range == Self.range(6, 10, 6, 11))
        #expect(tree.nodes[2].arguments[4].range == Self.range(6, 12, 6, 13))
    }

    private static func range(
        _ line: Int,
        _ column: Int,
        _ endLine: Int,
        _ endColumn: Int
    ) -> SourceRange {
        SourceRange(
            start: SourcePosition(line: line, column: column),
            end: SourcePosition(line: endLine, column: endColumn)
        )
    }

    @Test func `comments stay with the instruction after them`() throws {
        let text =
            "# syntax=x\n# lost\n#\n# first\n\n#  second \nFROM a\nRUN b \\\n# inside\n c\n # indented\nRUN d"
        let tree = try SyntaxTree(parsing: Array(text.utf8))
        #expect(tree.nodes[0].comments == ["first", "second"])
        #expect(tree.nodes[1].comments == [])
        #expect(tree.nodes[2].comments == ["# indented"])
    }

    @Test func `an empty line within an instruction is remembered`() throws {
        let tree = try SyntaxTree(
            parsing: Array("FROM a\nRUN b \\\n\n c \\\n \n d\nRUN e \\\n# no\n f".utf8)
        )
        #expect(tree.emptyContinuationLines == [6])
    }

    // MARK: Heredocs

    @Test func `reads heredocs of every form in order`() throws {
        let text = """
            FROM a
            RUN cat <<A <<-"B c" 3<<'D' > x
            a $V
            \t A
            A
            \t\tb
            \tb
            \tB c
            d\r
            D\r
            COPY << E /e
            E
            ONBUILD RUN <<F
            f
            F
            RUN [\"<<G\"]
            RUN echo "<<H" '<<I' \\<<J
            J
            RUN a <<<here <<
            """
        let tree = try SyntaxTree(parsing: Array(text.utf8))
        let run = tree.nodes[1]
        #expect(run.heredocs.map(\.name) == ["A", "B c", "D"])
        #expect(run.heredocs.map(\.text) == ["a $V\n\t A\n", "\t\tb\n\tb\n", "d\r\n"])
        #expect(run.heredocs.map(\.isExpanded) == [true, false, false])
        #expect(run.heredocs.map(\.stripsTabs) == [false, true, false])
        #expect(run.heredocs.map(\.fileDescriptor) == [0, 0, 3])
        #expect(run.heredocs.map(\.lines) == [3...5, 6...8, 9...10])
        #expect(String(decoding: run.heredocs[1].contentWithoutTabs, as: UTF8.self) == "b\nb\n")
        #expect(run.lines == 2...10)
        #expect(run.original == "RUN cat <<A <<-\"B c\" 3<<'D' > x")
        #expect(tree.nodes[2].heredocs.map(\.text) == [""])
        #expect(tree.nodes[3].heredocs.map(\.text) == ["f\n"])
        #expect(tree.nodes[4].heredocs.isEmpty)
        #expect(tree.nodes.count == 8)
        #expect(tree.nodes[5].heredocs.isEmpty)
        #expect(tree.nodes[7].heredocs.isEmpty)
    }

    @Test func `a shift by a variable with a default is no heredoc`() throws {
        let tree = try SyntaxTree(
            parsing: Array("RUN echo $(( 1 <<${n:-2} ))\nRUN y <<\"${n:-2}\"\nUSER x".utf8)
        )
        #expect(tree.nodes.map(\.heredocs.count) == [0, 0, 0])
    }

    @Test func `a heredoc keeps bytes that are no text`() throws {
        let source = Array("FROM a\nCOPY <<'A' /x\n".utf8) + [0xFF, 0x00, 0x0A] + Array("A\n".utf8)
        let tree = try SyntaxTree(parsing: source)
        #expect(tree.nodes[1].heredocs.first?.content == [0xFF, 0x00, 0x0A])
    }

    // MARK: Errors

    @Test(
        arguments: [
            ("", .noInstructions, "cannot build from this file: it holds no instruction", nil),
            (
                "# only\n\n", .noInstructions,
                "cannot build from this file: it holds no instruction", nil
            ),
            (
                "# escape=x\nFROM a", .badDirective,
                "invalid escape character x; allowed are \\ and `", 1...1
            ),
            (
                "# escape= \nFROM a", .badDirective,
                "invalid escape character  ; allowed are \\ and `", 1...1
            ),
            (
                "# syntax=a\n# syntax=b\nFROM a", .badDirective,
                "only one syntax directive can be used", 2...2
            ),
            (
                "FROM a\nENV x\n", .badArguments, "ENV must have two arguments; write ENV x=value",
                2...2
            ),
            (
                "FROM a\nENV x=1 \\\n y\n", .badArguments,
                "cannot find = in \"y\": ENV takes name=value pairs", 2...3
            ),
            ("RUN [\"a\",\n", .noInstructions, "", nil),
            (
                "RUN [\"a\", 1]", .badArguments, "a JSON array of arguments must hold strings only",
                1...1
            ),
            (
                "RUN <<A\nx\n", .badHeredoc, "heredoc A is not terminated: no line holds A alone",
                1...2
            ),
            (
                "ONBUILD ONBUILD ONBUILD ONBUILD RUN x", .badTrigger,
                "ONBUILD cannot hold another ONBUILD", 1...1
            ),
        ] as [(String, DockerfileError.Code, String, ClosedRange<Int>?)]
    )
    func `refuses`(
        text: String,
        code: DockerfileError.Code,
        message: String,
        lines: ClosedRange<Int>?
    ) throws {
        if message.isEmpty {
            // Broken JSON is a shell command.
            #expect(try Self.dump(text) == "(run \"[\\\"a\\\",\")")
            return
        }
        let error = #expect(throws: DockerfileError.self) {
            try SyntaxTree(parsing: Array(text.utf8))
        }
        #expect(error?.code == code)
        #expect(error?.message == message)
        #expect(error?.lines == lines)
        #expect(error?.file == "Dockerfile")
    }

    @Test func `a line may have 65535 bytes and no more`() throws {
        let fits = "RUN " + String(repeating: "x", count: Limit.lineByteCount - 4)
        #expect(try SyntaxTree(parsing: Array((fits + "\n" + fits).utf8)).nodes.count == 2)
        let error = #expect(throws: DockerfileError.self) {
            try SyntaxTree(parsing: Array(("FROM a\n" + fits + "x").utf8))
        }
        #expect(
            error?.description == "Dockerfile:2:1: line has 65536 bytes, at most 65535 are allowed"
        )
    }

    @Test(.timeLimit(.minutes(1)))
    func `hostile files take linear time and never crash`() throws {
        let continued = String(repeating: "RUN x \\\n", count: 100_000)
        #expect(try SyntaxTree(parsing: Array(continued.utf8)).nodes.count == 1)
        let nested = "RUN [" + String(repeating: "[", count: 60_000)
        #expect(try Self.dump(nested).hasPrefix("(run \"[["))
        let deep =
            "CMD [" + String(repeating: "[", count: 9_000) + String(repeating: "]", count: 9_000)
            + "]"
        #expect(throws: DockerfileError.self) { try Self.dump(deep) }
        let onbuild = String(repeating: "ONBUILD ", count: 8_000)
        #expect(throws: DockerfileError.self) { try Self.dump(onbuild) }
        let heredocs =
            "RUN " + String(repeating: "<<A ", count: 10_000) + "\n"
            + String(repeating: "A\n", count: 10_000)
        #expect(try SyntaxTree(parsing: Array(heredocs.utf8)).nodes[0].heredocs.count == 10_000)
        let dollars = "FROM a\nRUN <<" + String(repeating: "${a:-", count: 10_000)
        #expect(try SyntaxTree(parsing: Array(dollars.utf8)).nodes.count == 2)
    }

    @Test func `random bytes never crash`() {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let pieces = [
            "FROM a\n", "RUN ", "COPY ", "ONBUILD ", "HEALTHCHECK ", "CMD", "--mount=type=", "--",
            "<<A", "A\n", "\n", "\r\n",
            "\\\n", "[\"", "\"]", "\\", "'", "\"", "=", "# escape=`\n", "ENV ", "$", "é", "\t", " ",
            "ARG ", "EXPOSE ", "VOLUME ",
        ].map { Array($0.utf8) }
        for _ in 0..<3_000 {
            var source: [UInt8] = []
            for _ in 0..<random(16) {
                source += random(10) == 0 ? [UInt8(random(256))] : pieces[random(pieces.count)]
            }
            var linter = Linter()
            do {
                _ = try Dockerfile(parsing: source, linter: &linter)
            } catch {
                #expect(!error.description.isEmpty)
            }
            _ = try? Extensions(directiveOf: Array("# kiln=".utf8) + source)
            let include = Array("INCLUDE ".utf8) + source
            for node in (try? SyntaxTree(parsing: include))?.nodes ?? [] where IncludeInstruction.matches(node) {
                _ = try? IncludeInstruction(node)
            }
        }
    }
}

@Suite struct DirectiveTests {
    @Test(arguments: [
        ("# syntax=docker/dockerfile:1\nFROM a", "docker/dockerfile:1", 1),
        ("#syntax = a b=c \n", "a b=c", 1),
        ("\u{FEFF}# SYNTAX=x\r\n", "x", 1), ("#!/bin/sh\n# syntax=x", "x", 2),
        ("# escape=`\n# syntax=x", "x", 2),
        ("// syntax=x\nfoo", "x", 1), ("#!/usr/bin/env x\n//syntax=y", "y", 2),
        ("{\"syntax\": \"x\", \"a\": [1]}", "x", 1),
        ("{\"syntax\":\"a\",\"syntax\":\"b\"}", "b", 1), ("# check=skip=all\n# syntax=y", "y", 2),
    ])
    func `finds the frontend a file asks for`(text: String, value: String, line: Int) {
        let directive = Directive.detectSyntax(in: Array(text.utf8))
        #expect(directive?.value == value)
        #expect(directive?.line == line)
        #expect(directive?.reference == (value == "a b=c" ? "a" : value))
    }

    @Test(arguments: [
        "", "FROM a\n# syntax=x", "\n# syntax=x", " # syntax=x", "# syntaxx=x", "# syntax",
        "# syntax=", "# foo=bar\n# syntax=x",
        "{\"syntax\":1}", "{\"syntax\":\"x\"} trailing", "[\"syntax\"]",
        "{\"a\":{\"syntax\":\"x\"}}", "#!only a shebang",
        "# escape=`\n# escape=`\n# syntax=x", "//\n// syntax=x",
    ])
    func `finds none where there is none`(text: String) {
        #expect(Directive.detectSyntax(in: Array(text.utf8)) == nil)
    }

    @Test func `finds the check directive only with a hash`() {
        #expect(
            Directive.find(.check, in: Array("# check=error=true\n".utf8))?.value == "error=true"
        )
        #expect(Directive.find(.check, in: Array("// check=error=true\n".utf8)) == nil)
    }
}
