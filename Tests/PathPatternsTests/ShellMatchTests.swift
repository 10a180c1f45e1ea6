// SPDX-License-Identifier: Apache-2.0

import PathPatterns
import Testing

@Suite struct ShellMatchTests {
    @Test(arguments: [
        ("abc", "abc", true), ("*", "abc", true), ("*c", "abc", true), ("a*", "a", true),
        ("a*", "abc", true),
        ("a*", "ab/c", false), ("a*/b", "abc/b", true), ("a*/b", "a/c/b", false),
        ("a*b*c*d*e*/f", "axbxcxdxe/f", true),
        ("a*b*c*d*e*/f", "axbxcxdxexxx/f", true), ("a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false),
        ("a*b?c*x", "abxbbxdbxebxczzx", true), ("a*b?c*x", "abxbbxdbxebxczzy", false),
        ("ab[c]", "abc", true),
        ("ab[b-d]", "abc", true), ("ab[e-g]", "abc", false), ("ab[^c]", "abc", false),
        ("ab[^e-g]", "abc", true),
        ("a\\*b", "a*b", true), ("a\\*b", "ab", false), ("a?b", "a☺b", true),
        ("a[^a]b", "a☺b", true),
        ("a???b", "a☺b", false), ("a[^a][^a][^a]b", "a☺b", false), ("[a-ζ]*", "α", true),
        ("*[a-ζ]", "A", false),
        ("a?b", "a/b", false), ("a*b", "a/b", false), ("[\\]a]", "]", true), ("[\\-]", "-", true),
        ("[x\\-]", "x", true), ("[x\\-]", "z", false), ("[\\-x]", "a", false),
        ("[z-a]", "m", false),
        ("*x", "xxx", true), ("**", "a", true), ("**", "a/b", false), ("", "", true),
        ("", "a", false), ("a", "", false),
    ])
    func `agrees with the documented grammar`(pattern: String, name: String, expected: Bool) throws {
        #expect(try shellMatch(pattern, name) == expected)
    }

    @Test(arguments: [
        ("", "."), ("abc", "abc"), ("abc/def", "abc/def"), (".", "."), ("..", ".."),
        ("../..", "../.."), ("/abc", "/abc"),
        ("/", "/"), ("abc/", "abc"), ("./", "."), ("//a", "/a"), ("a//b///c", "a/b/c"),
        ("abc/./def", "abc/def"),
        ("/./abc", "/abc"), ("abc/../def", "def"), ("abc/..", "."), ("/..", "/"),
        ("/../abc", "/abc"),
        ("abc/../../def", "../def"), ("../../abc/..", "../.."), ("abc/def/../../../ghi", "../ghi"),
        ("...", "..."),
        ("é/./x", "é/x"), ("a/..b/..", "a"),
    ])
    func `cleans paths by text alone`(path: String, expected: String) {
        #expect(cleanPath(path) == expected)
    }

    @Test func `reads an ignore file`() throws {
        let text =
            "\u{FEFF}# comment\r\n\r\n  /abs/./path/ \r\n*.o\n! /keep \n!\n /\n #not a comment\n./a/../b\n\ttab\t\nlast"
        #expect(
            try readIgnoreFile(Array(text.utf8)) == [
                "abs/path", "*.o", "!keep", "!", "/", "#not a comment", "b", "tab", "last",
            ]
        )
        #expect(try readIgnoreFile([]) == [])
    }

    @Test func `refuses an ignore file with an endless line`() {
        let bytes =
            Array("a\n".utf8)
            + [UInt8](repeating: UInt8(ascii: "x"), count: ignoreFileLineByteLimit + 1)
        let error = #expect(throws: PathPatternError.self) { try readIgnoreFile(bytes) }
        #expect(error?.code == .lineTooLong)
        #expect(
            error?.message
                == "cannot read ignore file: line 2 has 65536 bytes, at most 65535 are allowed"
        )
    }
}

@Suite struct HostilePatternTests {
    /// These would take longer than the universe with backtracking.
    @Test(.timeLimit(.minutes(1)))
    func `stars without end take linear time`() throws {
        let name = String(repeating: "a", count: 4_000)
        #expect(try !shellMatch(String(repeating: "a*", count: 60) + "b", name))
        let path = String(repeating: "a/", count: 2_000) + "a"
        let matcher = try PatternMatcher(patterns: [String(repeating: "**/a*", count: 60) + "/b?"])
        #expect(!matcher.matchesOrParentMatches(path))
        let deep = try PatternMatcher(patterns: [String(repeating: "*/", count: 500) + "x"])
        #expect(!deep.matchesOrParentMatches(path))
    }

    @Test func `random bytes as patterns never crash`() {
        var state: UInt64 = 0x9E37_79B9
        let alphabet = Array("*?[]^-\\!/a.é \u{0}".unicodeScalars)
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        func text() -> String {
            var result = String.UnicodeScalarView()
            for _ in 0..<random(14) { result.append(alphabet[random(alphabet.count)]) }
            return String(result)
        }
        for _ in 0..<5_000 {
            guard let matcher = try? PatternMatcher(patterns: [text(), text()]) else { continue }
            let path = text()
            let whole = matcher.matchesOrParentMatches(path)
            #expect(matcher.matches(path, parent: nil).isMatch == whole)
            if whole, !matcher.hasExceptions { #expect(matcher.couldMatch(below: path)) }
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func `fifty thousand paths against thirty patterns`() throws {
        let patterns =
            (0..<10).map { "build\($0)" } + (0..<10).map { "**/*.ext\($0)" }
            + (0..<5).map { "src/*/gen\($0)/**" }
            + ["**/node_modules", "!src/keep/**", "docs/**", "*.log", "**/__pycache__/*"]
        let matcher = try PatternMatcher(patterns: patterns)
        var ignored = 0
        for index in 0..<50_000 {
            let path =
                "src/module\(index % 100)/directory/file\(index).\(index % 7 == 0 ? "ext3" : "swift")"
            if matcher.matchesOrParentMatches(path) { ignored += 1 }
        }
        #expect(ignored == 7_143)
    }
}
