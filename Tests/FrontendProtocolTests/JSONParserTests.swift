// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import Testing

/// P-JSON-* of `Protocol/SPEC.md`: what text a message may be.
struct JSONParserTests {
    private func reason(_ text: String) -> JSONError.Reason? { reason(Array(text.utf8)) }

    private func reason(_ bytes: [UInt8]) -> JSONError.Reason? {
        do {
            _ = try JSONParser.object(bytes)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `reads every kind of value`() throws {
        let text = """
            {"null":null,"yes":true,"no":false,"int":-12,"zero":0,"big":9007199254740991,
             "half":0.5,"exp":1e3,"text":"a\\n\\u00e9\\ud83d\\ude00\\/","list":[1,[],{}],"":{"x":"é"}}
            """
        let object = try JSONParser.object(Array(text.utf8))
        #expect(object["null"] == .null)
        #expect(object["yes"] == true)
        #expect(object["no"] == false)
        #expect(object["int"] == -12)
        #expect(object["zero"] == 0)
        #expect(object["big"] == .integer(WireValue.integerMax))
        #expect(object["half"] == .number(0.5))
        #expect(object["exp"] == .number(1000))
        #expect(object["text"] == "a\n\u{e9}\u{1F600}/")
        #expect(object["list"] == [1, [], [:]])
        #expect(object[""] == ["x": "\u{e9}"])
        #expect(object["missing"] == nil)
    }

    @Test(arguments: [
        ("", JSONError.Reason.unexpectedEnd),
        ("   ", .unexpectedEnd),
        ("[]", .notAnObject),
        ("[{}]", .notAnObject),
        ("null", .notAnObject),
        ("{", .unexpectedEnd),
        ("{}x", .trailingBytes),
        ("{}{}", .trailingBytes),
        ("{\"a\"}", .unexpectedByte(UInt8(ascii: "}"))),
        ("{\"a\":}", .unexpectedByte(UInt8(ascii: "}"))),
        ("{\"a\":1,}", .unexpectedByte(UInt8(ascii: "}"))),
        ("{\"a\":[1,]}", .unexpectedByte(UInt8(ascii: "]"))),
        ("{\"a\":[1 2]}", .unexpectedByte(UInt8(ascii: "2"))),
        ("{a:1}", .unexpectedByte(UInt8(ascii: "a"))),
        ("{\"a\":tru}", .unexpectedByte(UInt8(ascii: "}"))),
        ("{\"a\":NaN}", .unexpectedByte(UInt8(ascii: "N"))),
        ("{\"a\":+1}", .unexpectedByte(UInt8(ascii: "+"))),
        ("{\"a\":01}", .badNumber),
        ("{\"a\":-}", .badNumber),
        ("{\"a\":1.}", .badNumber),
        ("{\"a\":1e}", .badNumber),
        ("{\"a\":1e999}", .badNumber),
        ("{\"a\":9007199254740992}", .integerOutOfRange),
        ("{\"a\":-9007199254740992}", .integerOutOfRange),
        ("{\"a\":99999999999999999999999}", .integerOutOfRange),
        ("{\"a\":\"", .unexpectedEnd),
        ("{\"a\":\"\\", .unexpectedEnd),
        ("{\"a\":\"\\u12", .unexpectedEnd),
        ("{\"a\":\"\\x\"}", .badEscape),
        ("{\"a\":\"\\u12g4\"}", .badEscape),
        ("{\"a\":\"\\ud800\"}", .loneSurrogate),
        ("{\"a\":\"\\udc00\"}", .loneSurrogate),
        ("{\"a\":\"\\ud800\\u0041\"}", .loneSurrogate),
        ("{\"a\":\"\n\"}", .controlCharacter(0x0A)),
        ("{\"a\":1,\"a\":2}", .duplicateMember("a")),
        ("{\"a\":1,\"\\u0061\":2}", .duplicateMember("a")),
        ("{\"x\":{\"a\":1,\"a\":1}}", .duplicateMember("a")),
    ])
    func `refuses what is no message`(_ text: String, _ expected: JSONError.Reason) {
        #expect(reason(text) == expected)
    }

    @Test func `refuses a byte order mark`() {
        #expect(reason([0xEF, 0xBB, 0xBF] + Array("{}".utf8)) == .byteOrderMark)
    }

    @Test(
        arguments: [
            [0xFF], [0xC0, 0x80], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
            [0xE2, 0x82],
        ] as [[UInt8]]
    )
    func `refuses strings that are not UTF-8`(_ bad: [UInt8]) {
        #expect(reason(Array("{\"a\":\"".utf8) + bad + Array("\"}".utf8)) == .badUTF8)
        #expect(reason(Array("{\"a\":\"\\n".utf8) + bad + Array("\"}".utf8)) == .badUTF8)
    }

    @Test func `tells names apart by their bytes, not by Unicode equivalence`() throws {
        let object = try JSONParser.object(Array("{\"\u{e9}\":1,\"e\u{301}\":2}".utf8))
        #expect(object.members.count == 2)
        #expect(object["\u{e9}"] == 1)
        #expect(object["e\u{301}"] == 2)
    }

    @Test func `accepts 64 levels and refuses 65`() {
        let levels = { (count: Int) in
            "{\"a\":" + String(repeating: "[", count: count - 1)
                + String(repeating: "]", count: count - 1) + "}"
        }
        #expect(reason(levels(64)) == nil)
        #expect(reason(levels(65)) == .tooDeep)
        #expect(reason(String(repeating: "{\"a\":", count: 1_000_000)) == .tooDeep)
    }

    @Test func `finds a duplicate among many members`() {
        var text = "{" + (0..<50_000).map { "\"m\($0)\":0" }.joined(separator: ",")
        #expect(reason(text + "}") == nil)
        text += ",\"m49\":0}"
        #expect(reason(text) == .duplicateMember("m49"))
    }

    @Test func `names the byte that is wrong`() {
        #expect(throws: JSONError(.unexpectedByte(UInt8(ascii: "?")), at: 9)) {
            try JSONParser.object(Array("{\"abc\":  ?}".utf8))
        }
    }

    @Test func `every prefix of a message is refused`() {
        let text = Array(
            "{\"a\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\",null,true],\"b\":{\"c\":\"d\"}}".utf8
        )
        #expect(reason(text) == nil)
        for end in 0..<text.count { #expect(reason(Array(text[..<end])) != nil, "\(end) bytes") }
    }

    @Test func `no single changed byte crashes the reader`() {
        let text = Array(
            "{\"a\":[1,-2.5e3,\"\\u00e9\\ud83d\\ude00\",null,true],\"b\":{\"c\":\"d\"}}".utf8
        )
        for index in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[index] = byte
                _ = reason(changed)
            }
        }
    }

    @Test func `what is written is read back`() throws {
        let object: WireObject = [
            "text": "quote \" backslash \\ newline \n tab \t bell \u{7} é 😀 \u{2028}",
            "numbers": [0, -1, .integer(WireValue.integerMax), .number(0.1), .number(1e100)],
            "deep": ["a": ["b": [nil, true]]],
        ]
        #expect(try JSONParser.object(object.json) == object)
    }
}
