// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import Testing

/// P-FIX-01 and P-FIX-02 of `Protocol/SPEC.md`: fixes of a lint, and making them.
struct FixedTextTests {
    private func fix(_ edits: (Int, Int, Int, Int, String)...) -> Diagnostic {
        let edits = edits.map { startLine, startColumn, endLine, endColumn, text in
            Diagnostic.Edit(
                range: TextRange(
                    startLine: startLine,
                    startColumn: startColumn,
                    endLine: endLine,
                    endColumn: endColumn
                ),
                text: text
            )
        }
        return Diagnostic(severity: .warning, message: "m", fixes: [Diagnostic.Fix(title: "t", edits: edits)])
    }

    private func made(_ source: String, _ diagnostics: Diagnostic...) -> (text: String, count: Int) {
        let fixed = FixedText(Array(source.utf8), diagnostics: diagnostics)
        return (String(decoding: fixed.bytes, as: UTF8.self), fixed.fixed.count)
    }

    @Test func `edits are made where lines and columns say, in whatever order they come`() {
        #expect(made("abc\ndef\n", fix((2, 1, 2, 2, "D"), (1, 2, 1, 4, "BC"))) == ("aBC\nDef\n", 1))
        #expect(made("abc\ndef\n", fix((2, 2, 2, 2, "-"))) == ("abc\nd-ef\n", 1))
        #expect(made("abc\ndef", fix((1, 4, 2, 1, " "))) == ("abc def", 1))
        #expect(made("a\n\nb\n", fix((2, 1, 3, 1, ""))) == ("a\nb\n", 1))
        #expect(made("a\n", fix((2, 1, 2, 1, "b\n"))) == ("a\nb\n", 1))
        #expect(made("é=1\n", fix((1, 3, 1, 4, " "))) == ("é 1\n", 1))
    }

    @Test func `a byte order mark has no column`() {
        #expect(made("\u{FEFF}from a\n", fix((1, 1, 1, 5, "FROM"))) == ("\u{FEFF}FROM a\n", 1))
    }

    @Test func `P-FIX-02: what touches an earlier fix is left out, whole`() {
        let first = fix((1, 1, 1, 3, "AB"))
        #expect(made("abcdef\n", first, fix((1, 2, 1, 4, "x"))) == ("ABcdef\n", 1))
        #expect(made("abcdef\n", first, fix((1, 3, 1, 3, "x"))) == ("ABcdef\n", 1))
        #expect(made("abcdef\n", first, fix((1, 5, 1, 6, "E"), (1, 1, 1, 1, "x"))) == ("ABcdef\n", 1))
        #expect(made("abcdef\n", first, fix((1, 4, 1, 5, "D"))) == ("ABcDef\n", 2))
        #expect(made("abcdef\n", fix((1, 4, 1, 5, "D")), first) == ("ABcDef\n", 2))
        #expect(made("abcdef\n", first, first) == ("ABcdef\n", 1))
    }

    @Test(arguments: [
        (1, 1, 9, 1), (3, 1, 3, 1), (1, 5, 1, 5), (1, 9, 1, 9), (2, 1, 1, 1), (0, 1, 1, 1), (1, 0, 1, 1),
    ])
    func `P-FIX-02: what does not lie in the file is left out`(_ place: (Int, Int, Int, Int)) {
        let wrong = fix((place.0, place.1, place.2, place.3, "x"))
        #expect(made("abc\n", wrong, fix((1, 1, 1, 2, "A"))) == ("Abc\n", 1))
    }

    @Test func `a fix whose edits overlap is left out`() {
        #expect(made("abc\n", fix((1, 1, 1, 3, "x"), (1, 2, 1, 3, "y"))) == ("abc\n", 0))
        #expect(made("abc\n", fix((1, 1, 1, 1, "x"), (1, 1, 1, 1, "y"))) == ("abc\n", 0))
    }

    @Test func `of several fixes the first is made`() {
        var diagnostic = fix((1, 1, 1, 2, "A"))
        diagnostic.fixes += fix((1, 1, 1, 2, "Z")).fixes
        #expect(made("abc\n", diagnostic) == ("Abc\n", 1))
    }

    @Test func `many fixes take no square time`() {
        let count = 50_000
        let source = [UInt8]("ab\n".utf8)
        let all = (1...count).reversed().map { fix(($0, 1, $0, 2, "A")) }
        let fixed = FixedText(Array([[UInt8]](repeating: source, count: count).joined()), diagnostics: all)
        #expect(fixed.fixed.count == count)
        #expect(fixed.bytes.count(where: { $0 == UInt8(ascii: "A") }) == count)
    }

    @Test(arguments: [
        #"{"title":"t","edits":[]}"#, #"{"title":"t"}"#,
        #"{"title":"t","edits":[{"range":{"startLine":1},"text":""}]}"#,
        #"{"title":"t","edits":[{"range":{"startLine":1,"startColumn":2,"endLine":1,"endColumn":1},"text":""}]}"#,
        #"{"title":"t","edits":[{"range":{"startLine":0,"startColumn":1,"endLine":1,"endColumn":1},"text":""}]}"#,
        #"{"edits":[{"range":{"startLine":1,"startColumn":1,"endLine":1,"endColumn":1},"text":""}]}"#,
    ])
    func `P-FIX-01: a malformed fix makes the answer malformed`(_ json: String) throws {
        let fix = try WireObject(json: Array(json.utf8))
        let answer: WireObject = ["diagnostics": [["message": "m", "fixes": [.object(fix)]]]]
        #expect(throws: ProtocolViolation.self) { try Wire.Describe<LintFindings>.answer(answer) }
    }

    @Test func `a fix is the same after writing and reading`() throws {
        let findings = LintFindings(diagnostics: [fix((1, 1, 1, 2, "A"), (3, 1, 4, 1, ""))])
        #expect(try Wire.Describe<LintFindings>.answer(findings.members) == findings)
    }
}
