// SPDX-License-Identifier: Apache-2.0

import DockerfileSyntax
import Testing

@Suite struct ExpanderTests {
    static let variables = [
        "HOME": "/root", "EMPTY": "", "PATH": "/bin:/usr/bin", "ABC": "abcabc", "WORDS": "one  two",
        "NUM": "7",
        "STAR": "a*b*c", "SLASH": "a/b/c", "LONG": "foo.tar.gz", "É": "accent",
    ]

    @Test(arguments: [
        ("$HOME", "/root"), ("${HOME}", "/root"), ("$HOME/x", "/root/x"), ("x$HOME$NUM", "x/root7"),
        ("$", "$"),
        ("$.", "$."), ("a$", "a$"), ("$NONE", ""), ("${NONE}", ""), ("\\$HOME", "$HOME"),
        ("\\\\", "\\"),
        ("'$HOME'", "$HOME"), ("\"$HOME\"", "/root"), ("\"\\$HOME\"", "$HOME"),
        ("\"\\x\\\"\"", "\\x\""),
        ("a\\ b", "a b"), ("x\\", "x"), ("${NONE:-d}", "d"), ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NONE-d}", "d"), ("${HOME:-d}", "/root"), ("${HOME:+s}", "s"), ("${EMPTY:+s}", ""),
        ("${EMPTY+s}", "s"),
        ("${NONE+s}", ""), ("${NONE:-${EMPTY:-$NUM}}", "7"), ("${NONE:-'a}b'}", "a}b"),
        ("${NONE:-\"$NUM\"}", "7"),
        ("${HOME:?no}", "/root"), ("${EMPTY?no}", ""), ("$1", ""), ("$12x", "x"), ("$@x", "x"),
        ("$É", "accent"),
        ("${NUM}0", "70"), ("$NUM-x", "7-x"), ("é$NUM", "é7"),
        ("${ABC#a*b}", "cabc"), ("${ABC##a*b}", "c"), ("${ABC%b*c}", "abca"), ("${ABC%%b*c}", "a"),
        ("${ABC#x}", "abcabc"), ("${ABC#?}", "bcabc"), ("${ABC%?}", "abcab"), ("${ABC##*}", ""),
        ("${ABC#*}", "abcabc"),
        ("${LONG%.*}", "foo.tar"), ("${LONG%%.*}", "foo"), ("${LONG##*.}", "gz"),
        ("${LONG#*.}", "tar.gz"),
        ("${STAR#a\\*}", "b*c"), ("${STAR%\\*c}", "a*b"), ("${PATH##*/}", "bin"), ("${NONE#a}", ""),
        ("${ABC/b/X}", "aXcabc"), ("${ABC//b/X}", "aXcaXc"), ("${ABC//[/X}", "abcabc"),
        ("${ABC/b*c/X}", "aX"),
        ("${SLASH//\\//-}", "a-b-c"), ("${SLASH/\\//\\}}", "a\\}b/c"),
        ("${ABC//?/xy}", "xyxyxyxyxyxy"),
        ("${ABC//$NUM/}", "abcabc"), ("${ABC/bc/$NUM}", "a7abc"), ("${STAR//\\*/+}", "a+b+c"),
        ("${EMPTY//*/x}", "x"),
        ("${ABC//*/x}", "x"), ("<<EOF", "<<EOF"), ("a < b", "a < b"), ("\u{FEFF}x", "x"),
        ("${ABC:-}", "abcabc"),
        ("${ABC/c/\"q r\"}", "abq rabc"),
    ])
    func `expands`(text: String, expected: String) throws {
        #expect(try Expander().text(text, Self.variables) == expected)
    }

    @Test(arguments: [
        ("${", "missing } after ${"), ("${HOME", "missing } after ${"),
        ("${HOME:-x", "missing } after ${"),
        ("${}", "bad substitution"), ("${:x}", "bad substitution"),
        ("${{HOME}}", "bad substitution"),
        ("${HOME:}", "missing } after ${"), ("${HOME:x}", "unsupported modifier :x"),
        ("${HOME@Q}", "unsupported modifier @"),
        ("${HOME:#x}", "unsupported modifier :#"), ("${ABC//b}", "missing / in ${}"),
        ("'x", "single quote is not closed"),
        ("\"x", "double quote is not closed"), ("${ABC#\\a}", "invalid escape \\a"),
        ("${HOME:-'x}", "missing } after ${"),
    ])
    func `refuses`(text: String, reason: String) {
        let error = #expect(throws: DockerfileError.self) {
            try Expander().text(text, Self.variables)
        }
        #expect(error?.code == .badExpansion)
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test func `an unset variable that must be set fails with the author's words`() {
        let unset = #expect(throws: DockerfileError.self) {
            try Expander().text("${NONE:?give one}", Self.variables)
        }
        #expect(unset?.code == .unsetVariable)
        #expect(unset?.message == "cannot expand \"${NONE:?give one}\": NONE: give one")
        let empty = #expect(throws: DockerfileError.self) {
            try Expander().text("${EMPTY:?}", Self.variables)
        }
        #expect(empty?.message == "cannot expand \"${EMPTY:?}\": EMPTY: is not allowed to be empty")
    }

    @Test func `tells which variables were found and which were not`() throws {
        let expansion = try Expander().expand(
            "$HOME ${NONE:-$NUM} '$PATH' \"$ALSO\" ${X+$Y}",
            Self.variables
        )
        #expect(expansion.matched == ["HOME", "NUM"])
        #expect(expansion.unmatched == ["NONE", "ALSO", "X", "Y"])
    }

    @Test(arguments: [
        ("a b", ["a", "b"]), ("  a   b  ", ["a", "b"]), ("'a b' c", ["a b", "c"]),
        ("a\\ b c", ["a b", "c"]),
        ("$WORDS", ["one", "two"]), ("\"$WORDS\"", ["one  two"]), ("x$WORDS", ["xone", "two"]),
        ("''", []),
        ("a'' b", ["a", "b"]), ("80${NONE:-80}/tcp", ["8080/tcp"]), ("", []),
        ("a\u{A0}b", ["a", "b"]),
        ("<< EOF x", ["<< EOF", "x"]),
    ])
    func `splits words after the expansion`(text: String, expected: [String]) throws {
        #expect(try Expander().words(text, Self.variables) == expected)
    }

    @Test func `the escape character can be a backtick`() throws {
        let expander = Expander(escape: "`")
        #expect(try expander.text("`$HOME", Self.variables) == "$HOME")
        #expect(try expander.text("c:\\x\\$NUM", Self.variables) == "c:\\x\\7")
    }

    @Test func `options keep quotes, escapes and unset variables`() throws {
        var expander = Expander()
        expander.keepsQuotes = true
        expander.keepsUnsetVariables = true
        #expect(
            try expander.text("'a' \"$NUM\" $NONE ${NONE:-x} ${NONE/a/b} ${NONE}", Self.variables)
                == "'a' \"7\" $NONE ${NONE:-x} ${NONE/a/b} ${NONE}"
        )
        expander.keepsEscapes = true
        #expect(try expander.text("\\a \"\\x\"", Self.variables) == "\\a \"\\\\x\"")
        #expect(
            try Expander.heredocContent.text("it's \"$NUM\" \\$NUM", Self.variables)
                == "it's \"7\" $NUM"
        )
    }

    @Test(.timeLimit(.minutes(1)))
    func `hostile nesting, growth and patterns are refused in time`() throws {
        let nested =
            String(repeating: "${a:-", count: 100_000) + String(repeating: "}", count: 100_000)
        #expect(throws: DockerfileError.self) { try Expander().text(nested, NoVariables()) }
        let big = ["B": String(repeating: "x", count: 1 << 20)]
        let error = #expect(throws: DockerfileError.self) {
            try Expander().text(String(repeating: "$B", count: 100), big)
        }
        #expect(error?.code == .tooLarge)
        let stars = String(repeating: "*a", count: 300)
        let value = ["V": String(repeating: "a", count: 2_000)]
        #expect(try Expander().text("${V##\(stars)b}", value).utf8.count == 2_000)
        #expect(try Expander().text("${V//\(stars)b/x}", value).utf8.count == 2_000)
        #expect(throws: DockerfileError.self) {
            try Expander().text("${B##\(String(repeating: "a?", count: 500))}", big)
        }
        // Each piece costs the same, however much stands before it.
        let pieces = try Expander().text(String(repeating: "$A\"$A\"", count: 200_000), ["A": "€"])
        #expect(pieces.utf8.count == 1_200_000)
    }

    @Test func `a message leaves out the middle of what is too long to be read`() {
        let name = String(repeating: "é", count: 50_000)
        let error = #expect(throws: DockerfileError.self) { try Expander().text("${A:?\(name)}", NoVariables()) }
        let message = error?.message ?? ""
        #expect(message.utf8.count <= messageByteLimit && message.contains("… (10"), "\(message.utf8.count) bytes")
    }

    @Test func `random text never crashes`() {
        var state: UInt64 = 42
        let alphabet = Array("${}:-+?#%/\\'\"`<*aA_ é\t\n".unicodeScalars)
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        var failures = 0
        for _ in 0..<4_000 {
            var text = String.UnicodeScalarView()
            for _ in 0..<random(24) { text.append(alphabet[random(alphabet.count)]) }
            if (try? Expander().expand(String(text), ["a": "xy", "A": "", "_": "a/b"])) == nil {
                failures += 1
            }
        }
        #expect(failures > 0 && failures < 4_000)
    }
}
