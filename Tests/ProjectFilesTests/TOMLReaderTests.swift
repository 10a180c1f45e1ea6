// SPDX-License-Identifier: Apache-2.0

import Foundation
import OCI
import ProjectFiles
import Testing

/// The reader of TOML, against what Python's `tomllib` makes of the same documents.
struct TOMLReaderTests {
    @Test(arguments: [
        "", "\n\n# only a comment", "a = 1", "a.b.c = 1\na.b.d = 2", "\"a b\".'c d' = true", "[a]\n[a.b]\n[c]",
        "[a.b]\n[a]\nx = 1", "[[a]]\nx = 1\n[[a]]\nx = 2\n[a.b]\ny = 3", "a = [1, 2, [3, 4], ]", "a = [\n1, # x\n2\n]",
        "a = {b = 1, c.d = 2, e = {}}", "a = 'x\\y'", "a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u00e9\\U0001F433\"",
        "a = \"\"\"\nx\ny \\\n   z\"\"\"", "a = '''\n'x' ''y'' '''", "a = \"\"\"\"\"\"", "a = \"\"\"\"x\"\"\"\"",
        "a = 0x1F\nb = 0o17\nc = 0b101\nd = 1_000", "a = +1\nb = -0\nc = 9223372036854775807\nd = -9223372036854775808",
        "a = 1.5\nb = 1e3\nc = -2.5E-2\nd = 6.626_1e-34\ne = inf\nf = -inf", "a = 1979-05-27T07:32:00Z",
        "a = 1979-05-27 07:32:00.5+01:30", "a = 1979-05-27\nb = 07:32:00\nc = 1979-05-27T07:32:00", "a = 2000-02-29",
        "\u{FEFF}a = 1", "a = 1\r\nb = 2\r\n", "a = \"é\" # é", "a.b = 1\n[c]\na.b = 2", "[a]\nb.c = 1\n[a.b.d]\nx = 1",
        "1 = 1\n3.2 = 3", "a = []", "[ a . 'b' ]", "a\t=\t1", "true = false", "a = [{b = 1}, {c = 2}]",
    ])
    func `valid documents are read`(_ text: String) throws {
        _ = try TOMLReader.parse(Array(text.utf8), file: "f")
    }

    @Test(arguments: [
        "a", "a =", "= 1", "a = 1 b = 2", "a = 1\na = 2", "[a]\n[a]", "[a", "[a]]", "[[a]", "[]", "[a.]", "a. = 1",
        "a = b", "a = \"x", "a = 'x\n'", "a = \"\"\"x", "a = \"\\x\"", "a = \"\\uD800\"", "a = \"\\u12\"",
        "a = 01", "a = 1__0", "a = _1", "a = 1_", "a = 1.", "a = .5", "a = 1e", "a = 0x", "a = 0xG", "a = +0x1",
        "a = 9223372036854775808", "a = 1979-02-30", "a = 1979-13-01", "a = 25:00:00", "a = 1979-05-27T",
        "a = [1", "a = [1 2]", "a = {b = 1", "a = {b = 1,}", "a = {b = 1\n}", "a = {b = 1, b = 2}", "a = 1\n[a]",
        "a = 1\n[a.b]", "a = [1]\n[[a]]", "[[a]]\n[a]", "[a]\n[[a]]", "a = {b = 1}\n[a.c]", "a = {b = 1}\na.c = 2",
        "a.b = 1\n[a]", "[a.b]\n[a]\nb.c = 1", "[a]\nb.c = 1\n[a.b]", "a.b = 1\na = 2", "# a\u{1}", "a = \"\u{7F}\"",
        "a = \"\n\"", "a = 1\rb = 2", "a = 'x' y", "a b = 1", "a = inf2", "a = +true", "a = tru", "é = 1", "a = \u{0}",
        "a = [1,,2]", "a = [,]",
    ])
    func `what is no TOML is refused`(_ text: String) {
        #expect(throws: ProjectError.self) { try TOMLReader.parse(Array(text.utf8), file: "f") }
    }

    /// A value with its kind, as the fixture has it.
    private indirect enum Expected: Decodable {
        case string(String)
        case integer(String)
        case float(String)
        case boolean(Bool)
        case dateTime
        case array([Expected])
        case table([String: Expected])

        private enum Key: String, CodingKey {
            case string, integer, float, boolean, dateTime, array, table
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            switch try #require(container.allKeys.first) {
            case .string: self = .string(try container.decode(String.self, forKey: .string))
            case .integer: self = .integer(try container.decode(String.self, forKey: .integer))
            case .float: self = .float(try container.decode(String.self, forKey: .float))
            case .boolean: self = .boolean(try container.decode(Bool.self, forKey: .boolean))
            case .dateTime: self = .dateTime
            case .array: self = .array(try container.decode([Expected].self, forKey: .array))
            case .table: self = .table(try container.decode([String: Expected].self, forKey: .table))
            }
        }

        func matches(_ value: ConfigNode.Value) -> Bool {
            switch (self, value) {
            case (.string(let left), .string(let right)): left == right
            case (.integer(let left), .integer(let right)): left == String(right)
            case (.float(let left), .float(let right)): Double(left) == right
            case (.boolean(let left), .boolean(let right)): left == right
            case (.dateTime, .dateTime): true
            case (.array(let left), .array(let right)):
                left.count == right.count && zip(left, right).allSatisfy { $0.matches($1.value) }
            case (.table(let left), .table(let right)):
                left.count == right.members.count
                    && right.members.allSatisfy { left[$0.key]?.matches($0.node.value) == true }
            default: false
            }
        }
    }

    private struct Document: Decodable {
        let text: String
        let value: Expected?
    }

    @Test func `random documents mean what they mean to another reader`() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/toml.json")
        let documents = try JSONDecoder().decode([Document].self, from: Data(contentsOf: file))
        #expect(documents.count == 1400)
        for document in documents {
            let table = try? TOMLReader.parse(Array(document.text.utf8), file: "f")
            #expect((table == nil) == (document.value == nil), "\(document.text.debugDescription)")
            if let table, let value = document.value {
                #expect(value.matches(.table(table)), "\(document.text.debugDescription): \(table)")
            }
        }
    }

    @Test(arguments: 0..<4 as Range<UInt64>)
    func `random bytes never crash a reader`(seed: UInt64) {
        let start = Array("version = 1\nplatforms = [\"linux/amd64\"]\n[frontends]\n\"a/b\" = { path = \"x\" }\n".utf8)
        let lock = LockFile(
            sources: SourceKey(identifier: "https://host/x").map { [$0: .http(.of("x"))] } ?? [:]
        ).json
        var generator = SeededGenerator(seed: seed)
        for round in 0..<1000 {
            var bytes = round % 4 == 0 ? [] : round % 2 == 0 ? start : lock
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let byte = UInt8.random(in: 0...255, using: &generator)
                let index = Int.random(in: 0...bytes.count, using: &generator)
                if Bool.random(using: &generator), index < bytes.count {
                    bytes[index] = byte
                } else {
                    bytes.insert(byte, at: index)
                }
            }
            for read in [
                { _ = try ProjectFile(toml: bytes) }, { _ = try LocalOverrides(toml: bytes) },
                { _ = try LockFile(json: bytes) }, { _ = try FrontendManifest(toml: bytes) },
                { _ = try FrontendManifest(json: bytes, file: "f") },
            ] as [() throws -> Void] {
                do {
                    try read()
                } catch {
                    let error = error as? ProjectError
                    #expect(error?.position != nil, "\(String(describing: error)) has no place")
                }
            }
            _ = SyntaxDirective.detect(bytes)
            _ = try? SyntaxReference(parsing: String(decoding: bytes, as: UTF8.self))
            _ = try? VersionConstraint(parsing: String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func `what is nested too deep or too large is refused`() throws {
        for text in [
            "a = " + String(repeating: "[", count: 100_000), "a = " + String(repeating: "{a = ", count: 100_000),
            "[" + String(repeating: "a.", count: 200) + "a]", String(repeating: "a.", count: 200) + "a = 1",
            "a = " + String(repeating: "{a.a.a.a = ", count: 50),
        ] {
            let error = #expect(throws: ProjectError.self) { try TOMLReader.parse(Array(text.utf8), file: "f") }
            #expect(error?.message == "more than 64 tables and arrays stand inside each other")
        }
        let error = #expect(throws: ProjectError.self) {
            try TOMLReader.parse(Array(repeating: 0x0A, count: TOMLReader.byteLimit + 1), file: "f")
        }
        #expect(error?.code == .limit)
    }

    @Test(.timeLimit(.minutes(1)))
    func `a megabyte of tables takes no square of its time`() throws {
        for line in ["[[a]]\n", "a = 1\n", "[a]\n"] {
            // Distinct names where the grammar asks for them.
            let count = 60_000
            let text = (0..<count).map { line == "[[a]]\n" ? line : line.replacing("a", with: "a\($0)") }.joined()
            let table = try TOMLReader.parse(Array(text.utf8.prefix(TOMLReader.byteLimit - 16)), file: "f")
            #expect(!table.members.isEmpty)
        }
    }

    @Test func `bytes that are no UTF-8 are named by their place`() {
        let error = #expect(throws: ProjectError.self) {
            try TOMLReader.parse(Array("a = 1\nb = \"é\u{FFFD}".utf8) + [0xFF, 0x22], file: "f")
        }
        #expect(error?.place == "f:2:8")
    }
}
