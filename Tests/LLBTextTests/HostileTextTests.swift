// SPDX-License-Identifier: Apache-2.0

import Foundation
import LLB
import LLBText
import Testing

@Suite struct HostileTextTests {
    private func problems(_ text: String) -> [String] {
        do {
            _ = try definition(of: text)
            return []
        } catch let error as LLBTextError {
            return error.problems.map(\.description)
        } catch {
            return ["\(error)"]
        }
    }

    @Test(arguments: [
        (
            "{\n \"operations\": {\"a\": {\"imag\": \"x\"}}, \"result\": \"a\"}",
            "2:22: operations.a: says not what it does", "did you mean \"image\""
        ),
        (
            #"{"operations": {"a": {"image": "x", "chksum": 1}}, "result": "a"}"#,
            "1:37: operations.a: unknown member \"chksum\"", "did you mean \"checksum\"?"
        ),
        (
            #"{"operations": {"a": {"image": "x", "checksum": "sha256:12"}}, "result": "a"}"#, "operations.a.checksum",
            "is no digest"
        ),
        (
            #"{"operations": {"base": {"image": "x"}, "b": {"merge": ["bsae"]}}, "result": "b"}"#, "needs \"bsae\"",
            "did you mean \"base\"?"
        ),
        (
            #"{"operations": {"a": {"merge": ["b"]}, "b": {"merge": ["a"]}}, "result": "b"}"#, "in a circle",
            "\"a\" needs \"b\" needs \"a\""
        ),
        (#"{"operations": {"a": {"merge": ["a"]}}, "result": "a"}"#, "in a circle", "\"a\" needs \"a\""),
        (#"{"operations": {"a": {"image": "x"}, "a": {"image": "y"}}, "result": "a"}"#, "1:38:", "stands twice"),
        (
            #"{"operations": {"a": {"exec": ["x"], "validExitCodes": [9007199254740993]}}, "result": "a"}"#,
            "validExitCodes[0]", "beyond 2^53"
        ),
        (
            #"{"operations": {"a": {"exec": ["x"], "validExitCodes": [1.5]}}, "result": "a"}"#, "validExitCodes[0]",
            "whole number"
        ),
        (
            #"{"operations": {"a": {"exec": ["x"], "ulimits": {"nofile": [1]}}}, "result": "a"}"#, "ulimits.nofile",
            "soft and a hard"
        ),
        (
            #"{"operations": {"a": {"image": "x", "local": "y"}}, "result": "a"}"#, "operations.a",
            "both \"image\" and \"local\""
        ),
        (#"{"operations": {"a:1": {"image": "x"}}, "result": "a"}"#, "a:1", "name an output"),
        (#"{"operations": {"scratch": {"image": "x"}}, "result": "scratch"}"#, "operations.scratch", "empty tree"),
        (#"{"operations": {"a": {"image": "x"}}, "result": "b"}"#, "result", "\"b\" is not here"),
        (#"{"operations": {"a": {"image": "x"}}}"#, "1:1", "\"result\" is missing"),
        (#"{"operations": []}"#, "operations", "expected an object"),
        (
            #"{"operations": {"a": {"file": [{"mkdir": "/x", "mode": 755}]}}, "result": "a"}"#, "file[0].mode",
            "octal digits in a string"
        ),
        (#"{"operations": {"a": {"file": [{"cpy": "/x"}]}}, "result": "a"}"#, "file[0]", "did you mean \"copy\"?"),
        (
            #"{"operations": {"a": {"file": [{"copy": "/x", "to": "/y", "from": "^3"}]}}, "result": "a"}"#,
            "file[0].from", "^0 to ^0"
        ),
        (
            #"{"operations": {"a": {"exec": "x", "mounts": {"/a": {"cache": "x", "secret": "y"}}}}, "result": "a"}"#,
            "mounts[\"/a\"]", "a mount is one thing"
        ),
        (
            #"{"operations": {"a": {"exec": "x", "network": "hots"}}, "result": "a"}"#, "network",
            "did you mean \"host\"?"
        ),
        (#"{"operations": {"a": {"op": {"exce": {}}}}, "result": "a"}"#, "operations.a.op", "did you mean \"exec\"?"),
        (#"{"operations": {"a": {"image": "UPPER CASE"}}, "result": "a"}"#, "operations.a.image", "UPPER CASE"),
        (
            #"{"operations": {"a": {"image": "x", "platform": "a/b/c/d"}}, "result": "a"}"#, "operations.a.platform",
            "components"
        ),
        ("{\"operations\": {\"a\": {\"image\": \"x\u{1}\"}}}", "1:", "control character"),
        (#"{"operations": {"a": "\ud800"}}"#, "1:", "surrogate"),
        (#"{"operations": {}"#, "1:", "ends inside"),
        (#"{"operations": {}, "result": "scratch"} x"#, "1:41", "behind the document"),
        ("[]", "1:1", "expected an object"), ("", "", "empty"), ("# only\n", "", "empty"),
        (#"{"operatons": {}}"#, "1:1", "did you mean \"operations\""),
        (
            #"{"Op": {"Op": {"exec": {"meta": {"arg": []}}}}, "Digest": "sha256:\#(String(repeating: "0", count: 64))"}"#,
            "[0].Op.Op.exec.meta", "did you mean \"args\"?"
        ),
        (#"{"Op": {"Op": {}}, "Digest": "x"}"#, "[0].Digest", "is no digest"),
        (#"{"Op": {"Op": {}}}"#, "[0]", "\"Digest\" is missing"),
        (#"{"def": {"a": {"exec": {"network": "MARS"}}}}"#, "def.a.exec.network", "none of UNSET"),
    ])
    func `says what is wrong and where`(text: String, place: String, reason: String) {
        let found = problems(text)
        #expect(found.contains { (place.isEmpty || $0.contains(place)) && $0.contains(reason) }, "\(found)")
    }

    @Test func `names all problems at once`() {
        let text = #"{"operations": {"a": {"image": 1}, "b": {"exec": 2}, "c": {"diff": 3}}, "result": "a", "more": 1}"#
        #expect(problems(text).count >= 4)
    }

    @Test func `stops naming problems at some point`() {
        let operations = (0..<1000).map { "\"o\($0)\": {\"image\": 1}" }.joined(separator: ",")
        #expect(problems("{\"operations\": {\(operations)}, \"result\": \"o1\"}").count == LLBTextError.problemLimit)
    }

    @Test func `refuses depth without end`() {
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(problems("{\"operations\": " + deep).first?.contains("inside each other") == true)
        #expect(problems(deep).first?.contains("inside each other") == true)
        let objects = String(repeating: "{\"a\":", count: 1_000_000)
        #expect(problems("{\"operations\": " + objects).first?.contains("inside each other") == true)
    }

    @Test func `refuses more operations than there may be`() throws {
        let limits = DefinitionLimits(byteCount: 1 << 20, operationCount: 1000, depth: 1000)
        func text(_ count: Int) -> [UInt8] {
            let operations = (0..<count).map { "\"o\($0)\":{\"local\":\"l\($0)\"}" }.joined(separator: ",")
            return Array("{\"operations\":{\(operations)},\"result\":\"o1\"}".utf8)
        }
        _ = try LLBText(parsing: text(1000), limits: limits)
        do {
            _ = try LLBText(parsing: text(1001), limits: limits)
            Issue.record("it was read")
        } catch {
            #expect(error.problems.contains { $0.description.contains("more than 1000 operations") }, "\(error)")
        }
    }

    @Test(.timeLimit(.minutes(1))) func `reads chains that are deeper than a stack`() throws {
        var operations = ["\"o0\":{\"local\":\"l\"}"]
        for index in 1..<19_000 { operations.append("\"o\(index)\":{\"merge\":[\"o\(index - 1)\"]}") }
        // Users before inputs: the order has to be found.
        let text = "{\"operations\":{\(operations.reversed().joined(separator: ","))},\"result\":\"o18999\"}"
        #expect(try definition(of: text).operations.count == 19_001)
        for index in 19_000..<21_000 { operations.append("\"o\(index)\":{\"merge\":[\"o\(index - 1)\"]}") }
        let deeper = "{\"operations\":{\(operations.reversed().joined(separator: ","))},\"result\":\"o1\"}"
        #expect(problems(deeper).first?.contains("more than 20000 operations upon each other") == true)
    }

    @Test func `survives every cut and every changed byte`() {
        let text =
            #"{"operations":{"b":{"image":"a","caps":["x"]},"c":{"exec":"l","from":"b","mounts":{"/s":"b"}}},"result":"c"}"#
        let bytes = Array(text.utf8)
        for index in bytes.indices {
            _ = try? LLBText(parsing: Array(bytes[..<index]))
            for replacement: UInt8 in [0, 0x22, 0x7B, 0x5D, 0x30, 0xFF] {
                var changed = bytes
                changed[index] = replacement
                _ = try? LLBText(parsing: changed)
            }
        }
    }
}
