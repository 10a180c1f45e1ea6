// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import Testing

/// Fixes for findings that need nothing but the text.
@Suite struct LintFixTests {
    /// The text with the fixes of all warnings of a rule made.
    private func fixed(_ text: String, _ rule: LintRule, message: String = "") throws -> String {
        let source = Array(text.utf8)
        let document = try SourceDocument(parsing: source)
        var linter = Linter()
        _ = try Dockerfile(document.tree, linter: &linter)
        var warnings = linter.warnings.filter { $0.rule == rule }
        // Those that a conversion finds are made up here, one for each instruction.
        if warnings.isEmpty { warnings = document.tree.nodes.map { LintWarning(rule, message, lines: $0.lines) } }
        let fixer = LintFixer(document)
        let edits = warnings.compactMap { fixer.fix(for: $0) }.flatMap(\.edits)
        var result = source
        for edit in edits.sorted(by: { $0.range.start > $1.range.start }) {
            result.replaceSubrange(
                offset(edit.range.start, document)..<offset(edit.range.end, document),
                with: edit.text.utf8
            )
        }
        return String(decoding: result, as: UTF8.self)
    }

    private func offset(_ position: SourcePosition, _ document: SourceDocument) -> Int {
        if position.line > document.lines.count { return document.source.count }
        return document.lines[position.line - 1].range.lowerBound + position.column - 1
    }

    @Test(arguments: [
        ("FROM a\nrun x\nUser b\n", "FROM a\nRUN x\nUSER b\n"),
        ("from a\nrun x\nUSER b\n", "from a\nrun x\nuser b\n"),
        ("\u{FEFF}FrOm a\nUSER b\n", "\u{FEFF}FROM a\nUSER b\n"),
        ("arg a\nFROM a\nuser b\n", "arg a\nFROM a\nUSER b\n"),
    ])
    func `ConsistentInstructionCasing`(_ text: String, _ expected: String) throws {
        #expect(try fixed(text, .consistentInstructionCasing) == expected)
    }

    @Test(arguments: [
        ("FROM a as b\n", "FROM a AS b\n"), ("from a AS b\n", "from a as b\n"),
        ("FROM a \\\n  As b\n", "FROM a \\\n  AS b\n"),
    ])
    func `FromAsCasing`(_ text: String, _ expected: String) throws {
        #expect(try fixed(text, .fromAsCasing) == expected)
    }

    @Test func `StageNameCasing`() throws {
        #expect(try fixed("FROM a AS Build\n", .stageNameCasing) == "FROM a AS build\n")
    }

    @Test(arguments: [
        ("FROM a\nENV a b\n", "FROM a\nENV a=b\n"),
        ("FROM a\nENV  a   b  c=$d\n", "FROM a\nENV  a=\"b  c=$d\"\n"),
        ("FROM a\nLABEL a \"b c\"\n", "FROM a\nLABEL a=\"b c\"\n"),
        ("FROM a\nENV a b \\\n  c\n", "FROM a\nENV a=\"b \\\n  c\"\n"),
        ("FROM a\nENV a b\\ c\n", "FROM a\nENV a=b\\ c\n"),
        // Quotes and blanks together need somebody to think.
        ("FROM a\nENV a b \"c\"\n", "FROM a\nENV a b \"c\"\n"),
        ("FROM a\nENV a \\\n  b\n", "FROM a\nENV a \\\n  b\n"),
        ("FROM a\nENV a=b\n", "FROM a\nENV a=b\n"),
    ])
    func `LegacyKeyValueFormat`(_ text: String, _ expected: String) throws {
        #expect(try fixed(text, .legacyKeyValueFormat) == expected)
    }

    @Test(arguments: [
        ("FROM a\nMAINTAINER A <a@b.c>\n", "FROM a\nLABEL org.opencontainers.image.authors=\"A <a@b.c>\"\n"),
        ("FROM a\nmaintainer $A \"b\\\"\n", "FROM a\nlabel org.opencontainers.image.authors=\"\\$A \\\"b\\\\\\\"\"\n"),
        ("FROM a\nMAINTAINER a \\\n b\n", "FROM a\nMAINTAINER a \\\n b\n"),
    ])
    func `MaintainerDeprecated`(_ text: String, _ expected: String) throws {
        #expect(try fixed(text, .maintainerDeprecated) == expected)
    }

    @Test(arguments: [
        ("FROM a\nCMD nginx  -g x\n", "FROM a\nCMD [\"nginx\", \"-g\", \"x\"]\n"),
        ("FROM a\nENTRYPOINT /a\nFROM b\nCMD c\n", "FROM a\nENTRYPOINT [\"/a\"]\nFROM b\nCMD [\"c\"]\n"),
    ])
    func `JSONArgsRecommended`(_ text: String, _ expected: String) throws {
        #expect(try fixed(text, .jsonArgsRecommended) == expected)
    }

    @Test(arguments: [
        "CMD a && b", "CMD a $b", "CMD a 'b'", "CMD a > b", "CMD exec a", "CMD A=b c", "CMD a *", "CMD cd a",
        "CMD a \\\n b",
        "CMD a\nENTRYPOINT b", "SHELL [\"x\"]\nCMD a", "CMD a;b", "CMD a ~", "CMD a é", "CMD a#b",
    ])
    func `JSONArgsRecommended is left to people where a shell may be needed`(_ text: String) throws {
        let text = "FROM a\n\(text)\n"
        #expect(try fixed(text, .jsonArgsRecommended) == text)
    }

    @Test(arguments: [
        ("FROM a\nRUN x \\\n\n  y \\\n \t\n\n  z\n", "FROM a\nRUN x \\\n  y \\\n  z\n"),
        ("FROM a\nRUN x \\\n# c\n\n  y\n", "FROM a\nRUN x \\\n# c\n  y\n"),
        ("FROM a\nRUN x \\\n\n", "FROM a\nRUN x \\\n"),
        ("FROM a\nRUN <<E \\\n\n y\n\nE\n", "FROM a\nRUN <<E \\\n y\n\nE\n"),
    ])
    func `NoEmptyContinuation`(_ text: String, _ expected: String) throws {
        #expect(try fixed(text, .noEmptyContinuation) == expected)
        #expect(try fixed(expected, .noEmptyContinuation) == expected)
    }

    @Test func `ExposeProtoCasing`() throws {
        let message = "Defined protocol '80/TCP' in EXPOSE instruction should be lowercase"
        #expect(
            try fixed("FROM a\nEXPOSE 80/TCP 80/UDP\n", .exposeProtoCasing, message: message)
                == "FROM a\nEXPOSE 80/tcp 80/UDP\n"
        )
        #expect(try fixed("FROM a\nEXPOSE 8080\n", .exposeProtoCasing, message: message) == "FROM a\nEXPOSE 8080\n")
    }

    @Test func `RedundantTargetPlatform`() throws {
        #expect(try fixed("FROM --platform=$TARGETPLATFORM a AS b\n", .redundantTargetPlatform) == "FROM a AS b\n")
    }

    @Test(arguments: [LintRule.duplicateStageName, .undefinedVar, .workdirRelativePath, .secretsUsedInArgOrEnv])
    func `what somebody must decide has no fix`(_ rule: LintRule) throws {
        let text = "FROM a AS b\nFROM a AS b\nWORKDIR x\nENV TOKEN=$y\n"
        #expect(try fixed(text, rule) == text)
    }

    @Test func `a warning about lines that are not there has none`() throws {
        let fixer = LintFixer(try SourceDocument(parsing: Array("FROM a\n".utf8)))
        for rule in LintRule.all { #expect(fixer.fix(for: LintWarning(rule, "", lines: 0...0)) == nil) }
        for rule in LintRule.all { #expect(fixer.fix(for: LintWarning(rule, "", lines: 7...9)) == nil) }
    }
}
