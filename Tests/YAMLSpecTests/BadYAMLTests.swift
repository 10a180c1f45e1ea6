// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import Testing
import YAMLSpec

/// Files that mean harm, or are broken in the usual ways: each a clear error, none with much work.
struct BadYAMLTests {
    private func message(_ bytes: [UInt8]) -> String {
        do {
            _ = try readYAML(SourceText(name: "f.yaml", bytes: bytes))
            return ""
        } catch {
            return error.description
        }
    }

    private func message(_ text: String) -> String { message(Array(text.utf8)) }

    @Test func `a billion laughs cost no more than their limit`() {
        var text = "a0: &a0 [lol]\n"
        for level in 1...30 {
            text +=
                "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
                + "]\n"
        }
        let clock = ContinuousClock()
        let duration = clock.measure {
            #expect(message(text).contains("has more than 20000 values, counting what aliases stand for"))
        }
        #expect(duration < .seconds(5))
    }

    @Test func `an alias cannot be a key, where it would be compared`() {
        #expect(message("a: &a [x]\n*a : b\n").contains("f.yaml:2:1: a key must be a word"))
        #expect(message("? [a, b]\n: c\n").contains("a key must be a word"))
    }

    @Test func `an alias cannot hold itself`() {
        #expect(message("a: &a [*a]\n").contains("nothing is called &a up to here"))
    }

    @Test func `collections inside each other have a limit, in every form`() {
        for text in [
            String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 5000),
            String(repeating: "- ", count: 5000) + "x",
            String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
            (0..<200).map { String(repeating: " ", count: $0) + "a:\n" }.joined(),
        ] {
            let message = message(text)
            #expect(message.contains("deep inside each other"), "\(message)")
        }
    }

    @Test func `aliases add up in depth`() {
        var text = "a0: &a0 [x]\n"
        for level in 1...40 { text += "a\(level): &a\(level) [*a\(level - 1)]\n" }
        #expect(message(text).contains("more than 32 deep inside each other"))
    }

    @Test func `huge files and huge values are refused by their size`() {
        #expect(message([UInt8](repeating: 0x23, count: 2 << 20)).contains("it has 2097152 bytes, at most 1048576"))
        #expect(message("a: " + String(repeating: "x", count: 300_000)).contains("at most 262144 are allowed"))
    }

    @Test func `every repeated key is told, with the place of the first`() {
        let text = "a: 1\nb: 2\na: 3\nb:\n  c: 1\n  c: 2\n"
        let message = message(text)
        #expect(message.contains("f.yaml:3:1: key \"a\" stands twice"))
        #expect(message.contains("the first one is at f.yaml:1"))
        #expect(message.contains("f.yaml:4:1: key \"b\" stands twice"))
        #expect(message.contains("f.yaml:6:3: key \"c\" stands twice"))
        #expect(message.hasSuffix("3 problems"))
    }

    @Test func `a tab that indents is called one`() {
        #expect(message("a:\n\tb: 1\n").contains("f.yaml:2:1: tabs cannot indent"))
    }

    @Test func `bytes that are no UTF-8 are named with their place`() {
        #expect(
            message(Array("a: 1\nb: ".utf8) + [0xff, 0x0a]).contains("f.yaml:2:4: cannot read file: it is not UTF-8")
        )
        #expect(message([0xff, 0xfe, 0x61, 0x00]).contains("it is UTF-16, expected UTF-8"))
        #expect(
            message(Array("a: x".utf8) + [0xed, 0xa0, 0x80]).contains("f.yaml:1:5: cannot read file: it is not UTF-8")
        )
    }

    @Test func `a NUL byte is named with its place`() {
        #expect(
            message(Array("a: 1\nb: x".utf8) + [0] + Array("y".utf8)).contains(
                "f.yaml:2:5: cannot read file: it holds a NUL"
            )
        )
    }

    @Test func `control characters are refused and never shown as they are`() {
        let message = message("a: \u{1b}[2J\n")
        #expect(message.contains("this is not YAML"))
        #expect(!message.contains("\u{1b}"))
    }

    @Test func `broken syntax is told with its line and what to do`() {
        #expect(message("a: [1, 2\nb: 3\n").contains("f.yaml:2"))
        #expect(message("a: b: c\n").contains("quote a value that holds \": \""))
        #expect(message("a: @x\n").contains("words cannot begin with @"))
        #expect(message("a: 'x\n").contains("this is not YAML"))
    }

    @Test func `a second document and foreign tags are refused`() {
        #expect(message("a: 1\n---\nb: 2\n").contains("f.yaml:2:1: a second document begins here"))
        #expect(
            message("a: !python/object:os.system x\n").contains("tags such as !python/object:os.system mean nothing")
        )
    }

    @Test func `columns count bytes, behind other characters too`() {
        #expect(message("größe: [*x]\n").contains("f.yaml:1:11: nothing is called &x"))
    }

    @Test func `any cut of a valid file gives an answer`() throws {
        let text = "a: &x {b: [1, 'two', \"three\\n\"], c: |\n  text\n}\nd: *x\n<<: {e: 1}\n"
        let bytes = Array(text.utf8)
        for end in bytes.indices { _ = message(Array(bytes[..<end])) }
        // Any byte replaced by any of those that mean something.
        for index in bytes.indices {
            for byte in "\t\n\"'[]{}:&*!|>%@`,?-#\u{0}".utf8 {
                var changed = bytes
                changed[index] = byte
                _ = message(changed)
            }
        }
    }

    @Test func `merge keys add what is missing and nothing else`() throws {
        let text = "base: &base {a: 1, b: 2}\nuse:\n  <<: *base\n  b: 3\n"
        let root = try #require(try readYAML(SourceText(name: "f.yaml", bytes: Array(text.utf8))))
        guard case .mapping(let entries) = root.content, case .mapping(let merged) = entries[1].value.content else {
            Issue.record("no mapping")
            return
        }
        #expect(merged.map(\.key) == ["b", "a"])
        #expect(message("a:\n  <<: [1]\n").contains("<< takes a mapping"))
    }
}
