// SPDX-License-Identifier: Apache-2.0

import PathPatterns
import Testing

@Suite struct PatternMatcherTests {
    struct Example: CustomTestStringConvertible {
        let patterns: [String]
        let path: String
        let matches: Bool

        init(_ pattern: String, _ path: String, _ matches: Bool) {
            self.init([pattern], path, matches)
        }

        init(_ patterns: [String], _ path: String, _ matches: Bool) {
            self.patterns = patterns
            self.path = path
            self.matches = matches
        }

        var testDescription: String { "\(patterns) \(matches ? "matches" : "spares") \(path)" }
    }

    static let single: [Example] = [
        .init("**", "file", true), .init("**", "dir/file", true), .init("**", "a/b/c", true),
        .init("**/", "file", true), .init("**/", "dir/file", true),
        .init("**/**", "dir/file", true), .init("dir/**", "dir/file", true),
        .init("dir/**", "dir/sub/f", true),
        .init("dir/**", "dir", false), .init("dir/**", "dirt/f", false),
        .init("dir/**", "other/dir/f", false),
        .init("**/dir", "dir", true), .init("**/dir", "a/b/dir", true),
        .init("**/dir", "a/bdir", false),
        .init("**/dir", "dir/f", true), .init("**/dir2/*", "dir/dir2/file", true),
        .init("**/dir2/*", "dir2/file", true),
        .init("**/dir2/**", "dir/dir2/dir2/file", true), .init("**/dir2/**", "dir/dir2", false),
        .init("**file", "file", true), .init("**file", "dir/file", true),
        .init("**/file", "dir/file", true),
        .init("**file", "dir/afile", true), .init("**/file", "dir/afile", false),
        .init("**file*", "afile1", false), .init("**file*", "file1", true),
        .init("a**b", "ab", true), .init("a**b", "a/x/b", true), .init("a**b", "ax/b", true),
        .init("a/**/b", "a/b", true), .init("a/**/b", "a/x/y/b", true),
        .init("a/**/b", "a/xb", false),
        .init("**/*.txt", "x.txt", true), .init("**/*.txt", "a/b/x.txt", true),
        .init("**/*.txt", "a/x.txt.gz", false),
        .init("*.txt", "x.txt", true), .init("*.txt", "a/x.txt", false),
        .init("*/*.txt", "a/x.txt", true),
        .init("a*", "abc/def", true), .init("a?c", "abc", true), .init("a?c", "a/c", false),
        .init("[a-c]x", "bx", true), .init("[^a-c]x", "bx", false), .init("[^a-c]x", "dx", true),
        .init("a\\*b", "a*b", true), .init("a\\*b", "axb", false),
        .init("a.b", "a.b", true), .init("a.b", "axb", false), .init("a+b", "a+b", true),
        .init("a+b", "aab", false),
        .init("(x|y)*", "(x|y)z", true), .init("{a,b}", "a", false), .init("$x*", "$xy", true),
        .init("^a*", "^ab", true), .init("^a*", "ab", false),
        .init("foo", "foo", true), .init("foo", "foo/bar", true), .init("foo", "foobar", false),
        .init("foo/bar", "foo", false), .init("foo/bar", "foo/bar/baz", true),
        .init("./foo", "foo", true),
        .init("foo/", "foo", true), .init("foo//bar/../baz", "foo/baz", true),
        .init("  foo  ", "foo", true),
        .init("é?", "éx", true), .init("?", "é", true), .init("??", "é", false),
        .init("[α-ω]", "λ", true),
        .init("*", "x", true), .init("*", "x/y", true), .init("*/*", "x", false),
        .init("a/*/c", "a/b/c/d", true), .init("a/*/c", "a/b/d", false), .init("***", "x/y", true),
        .init("a/****", "a/x/y", true), .init("**/a/**/b/**", "x/a/y/b/z", true),
        .init("**/a/**/b", "x/b/a", false),
        .init("x*y*z", "xaybz", true), .init("x*y*z", "xayb", false),
    ]

    @Test(arguments: single)
    func `matches the path or a parent`(example: Example) throws {
        let matcher = try PatternMatcher(patterns: example.patterns)
        #expect(matcher.matchesOrParentMatches(example.path) == example.matches)
    }

    static let lists: [Example] = [
        .init(["*", "!keep"], "keep", false), .init(["*", "!keep"], "other", true),
        .init(["*", "!keep"], "keep/file", false),
        .init(["dir", "!dir/keep"], "dir/keep/x", false),
        .init(["dir", "!dir/keep"], "dir/x", true),
        .init(["dir", "!dir/keep", "dir/keep/x"], "dir/keep/x", true),
        .init(["!keep", "*"], "keep", true), .init(["**/*.md", "!README*.md"], "README.md", false),
        .init(["**/*.md", "!README*.md"], "a/README.md", true),
        .init(["*.md", "!README*.md", "README-secret.md"], "README-secret.md", true),
        .init(["*.md", "!README*.md", "README-secret.md"], "README-public.md", false),
        .init([], "x", false), .init(["", "  "], "x", false),
        .init(["**", "!**/*.go"], "a/b.go", false),
        .init(["**", "!**/*.go"], "a/b.c", true),
    ]

    @Test(arguments: lists)
    func `lets the last matching pattern decide`(example: Example) throws {
        let matcher = try PatternMatcher(patterns: example.patterns)
        #expect(matcher.matchesOrParentMatches(example.path) == example.matches)
    }

    @Test(arguments: single + lists)
    func `a walk that hands results down finds the same`(example: Example) throws {
        let matcher = try PatternMatcher(patterns: example.patterns)
        var parent: ParentMatches?
        var isMatch = false
        var path = ""
        for element in example.path.split(separator: "/") {
            path += path.isEmpty ? element : "/" + element
            (isMatch, parent) = matcher.matches(path, parent: parent)
        }
        #expect(isMatch == example.matches)
    }

    @Test func `without parents only the path itself counts`() throws {
        let matcher = try PatternMatcher(patterns: ["foo", "bar/*"])
        #expect(matcher.matches("foo"))
        #expect(!matcher.matches("foo/x"))
        #expect(matcher.matches("bar/x"))
        #expect(!matcher.matches("bar/x/y"))
    }

    @Test(arguments: [
        ("src/*.c", "src", true), ("src/*.c", "doc", false), ("src/*.c", "src/sub", false),
        ("src/**/x", "src/a/b", true), ("**/x", "anything", true), ("a/b/c", "a/b", true),
        ("a/b/c", "a/x", false),
        ("a/b", "a/b/c", true), ("a*/b", "abc", true), ("a*/b", "b", false), ("a/**", "a", true),
        ("ab**", "a", false),
        ("*", "x/y", true), ("lib/[a-c]*/d", "lib/bob", true), ("lib/[a-c]*/d", "lib/zoe", false),
        ("lib/[a-c]*/d", "li", false), ("lib/[a-c]*/d", "lib", true),
    ])
    func `knows below which directories it could match`(
        pattern: String,
        directory: String,
        expected: Bool
    ) throws {
        let included = try PatternMatcher(patterns: [pattern])
        #expect(included.couldMatch(below: directory) == expected)
        #expect(!included.couldExcept(below: directory))
        let excepted = try PatternMatcher(patterns: ["**", "!" + pattern])
        #expect(excepted.couldExcept(below: directory) == expected)
    }

    @Test func `tells the two spellings of an accented letter apart`() throws {
        let matcher = try PatternMatcher(patterns: ["caf\u{E9}"])
        #expect(matcher.matchesOrParentMatches("caf\u{E9}"))
        #expect(!matcher.matchesOrParentMatches("cafe\u{301}"))
    }

    @Test(arguments: [
        "[", "[]", "[a", "[a-", "[a-]", "[-a]", "a[", "a\\", "[\\", "[^", "[^]", "x/[a",
    ])
    func `refuses a malformed pattern`(pattern: String) {
        let error = #expect(throws: PathPatternError.self) {
            try PatternMatcher(patterns: ["ok", pattern])
        }
        #expect(error?.code == .malformedPattern)
        #expect(throws: PathPatternError.self) { try shellMatch(pattern, "zzz") }
    }

    @Test func `refuses an exception to nothing`() {
        let error = #expect(throws: PathPatternError.self) { try PatternMatcher(patterns: ["!"]) }
        #expect(error?.code == .emptyException)
        #expect(
            error?.message
                == "cannot use pattern \"!\": it makes an exception to nothing; write a path after the !"
        )
    }

    @Test func `hundreds of patterns keep their results apart`() throws {
        let patterns = (0..<200).map { "d\($0)/*" } + ["!d150/keep"]
        let matcher = try PatternMatcher(patterns: patterns)
        let top = matcher.matches("d150", parent: nil)
        #expect(!top.isMatch)
        #expect(matcher.matches("d150/x", parent: top.results).isMatch)
        #expect(!matcher.matches("d150/keep", parent: top.results).isMatch)
    }
}
