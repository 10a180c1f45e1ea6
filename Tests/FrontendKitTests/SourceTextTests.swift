// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import FrontendProtocol
import LLB
import OCI
import Testing

/// What FrontendKit offers besides the session.
struct SourceTextTests {
    private let source = SourceText(name: "f", bytes: Array("one\ntwo\n\tthréé x\nfour\r\nfive".utf8))

    @Test func `an excerpt shows the lines around and marks the range`() {
        let excerpt = source.excerpt(TextRange(startLine: 3, startColumn: 2, endColumn: 9))
        #expect(
            excerpt
                == "     1 | one\n     2 | two\n>    3 |     thréé x\n       |     ^^^^^\n     4 | four\n     5 | five"
        )
    }

    @Test func `ranges outside of the file, and any bytes, do no harm`() {
        for range in [
            TextRange(startLine: 0), TextRange(startLine: 99), TextRange(startLine: 3, startColumn: 500, endColumn: 2),
            TextRange(startLine: 5, startColumn: 3, endLine: 1, endColumn: 1), TextRange(startLine: Int(Int32.max)),
        ] {
            _ = source.excerpt(range)
        }
        let hostile = SourceText(name: "f", bytes: [0x1b, 0x5b, 0x32, 0x4a, 0xff, 0x00, 0xe2, 0x80, 0xae])
        let shown = hostile.excerpt(TextRange(startLine: 1, startColumn: 1, endColumn: 5))
        #expect(!shown.unicodeScalars.contains { $0.value == 0x1b || $0.value == 0x202e || $0.value == 0 })
    }

    @Test func `long lines and long ranges are cut`() {
        let long = SourceText(name: "f", bytes: Array(String(repeating: "x", count: 10_000).utf8))
        #expect(long.excerpt(TextRange(startLine: 1, startColumn: 1, endColumn: 9000)).utf8.count < 500)
        let many = SourceText(name: "f", bytes: Array(String(repeating: "x\n", count: 1000).utf8))
        #expect(many.excerpt(TextRange(startLine: 1, endLine: 1000)).split(separator: "\n").count < 15)
    }

    @Test func `all lines of an instruction are marked, and those around a range far down in it`() {
        let range = TextRange(startLine: 3, startColumn: 2, endColumn: 9)
        #expect(source.excerpt(range, of: 2...3).contains(">    2 | two\n>    3 |     thréé x\n       |     ^^^^^"))
        let many = SourceText(name: "f", bytes: Array(String(repeating: "x\n", count: 100).utf8))
        let far = many.excerpt(TextRange(startLine: 60, startColumn: 1, endColumn: 2), of: 1...90)
        #expect(far.contains("\n>   60 | x\n       | ^\n"))
        #expect(far.split(separator: "\n").count < 15)
    }

    @Test func `several problems are counted, and many are cut`() {
        let problems = (1...30).map {
            SourceProblem("wrong \($0)", in: source, at: TextRange(startLine: 1, startColumn: 1))
        }
        let text = SourceProblems(problems).description
        #expect(text.contains("f:1:1: wrong 20"))
        #expect(!text.contains("wrong 21"))
        #expect(text.hasSuffix("and 10 more\n\n30 problems"))
        #expect(SourceProblems([problems[0]]).description.hasPrefix("f:1:1: wrong 1\n"))
    }

    @Test(arguments: [
        ("entrypont", "entrypoint"), ("imags", "images"), ("form", "from"), ("Env", "env"), ("x", nil), ("zzzzzz", nil),
        (String(repeating: "a", count: 1000), nil),
    ])
    func `the nearest word is two edits away at most`(written: String, expected: String?) {
        #expect(nearestWord(to: written, among: ["entrypoint", "images", "env", "from", "user"]) == expected)
    }

    @Test func `options are read, and refused with their value`() throws {
        let options = try CommonOptions([
            "platform": "linux/arm64/v8,linux/amd64", "no-cache": "A,b", "label:x": "1", "build-arg:y": "2",
            "build-arg:SOURCE_DATE_EPOCH": "12", "image-resolve-mode": "pull", "build-arg:BUILDKIT_CACHE_MOUNT_NS": "n",
        ])
        #expect(options.platforms.map(\.identifier) == ["linux/arm64", "linux/amd64"])
        #expect(options.isMultiPlatform)
        #expect(options.uncached.contains("a") && options.uncached.contains("B") && !options.uncached.contains("c"))
        #expect(options.sourceDateEpoch == 12)
        #expect(options.imageResolveMode == .pull)
        #expect(options.cacheNamespace == "n")
        for wrong in [
            ["platform": "a/b/c/d/e"], ["build-arg:SOURCE_DATE_EPOCH": "-1"], ["image-resolve-mode": "never"],
            ["multi-platform": "maybe"],
        ] {
            #expect(throws: BuildError.self) { try CommonOptions(wrong) }
        }
    }
}
