// SPDX-License-Identifier: Apache-2.0

import OCI
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        #"{"b":1,"a":[true,false,null,-0.5e+10],"a":""}"#, "[]", "{}", #""é""#, "0", #"[{"x":{}}]"#,
    ])
    func `keeps order, repetitions and digits`(text: String) throws {
        #expect(try JSONValue(parsing: text).encodedText == text)
    }

    @Test func `escapes as Go does`() throws {
        let value = JSONValue.string("<a&b>\u{2028}\u{8}\u{c}\u{1}\u{7f}\"\\/é\u{1f600}")
        #expect(
            value.encodedText == #""\u003ca\u0026b\u003e\u2028\b\f\u0001"# + "\u{7f}" + #"\"\\/é😀""#
        )
        #expect(try JSONValue(parsing: value.encodedText) == value)
    }

    @Test func `reads surrogates and replaces lone ones`() throws {
        #expect(try JSONValue(parsing: #""\ud83d\ude00""#).text == "😀")
        #expect(try JSONValue(parsing: #""\ud83dx\ude00""#).text == "\u{fffd}x\u{fffd}")
        #expect(try JSONValue(parsing: [0x22, 0xff, 0x22]).text == "\u{fffd}")
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1,}", "{a:1}", "\"",
        "\"\\", "\"\\u12",
        "\"\\x\"", "01", "-", "1.", "1e", ".5", "+1", "tru", "nul", "1 2", "\"\n\"", "[1 2]",
        "\u{feff}1",
    ])
    func `refuses what is no JSON`(text: String) {
        #expect(throws: OCIError.self) { try JSONValue(parsing: text) }
    }

    @Test func `survives nesting without end`() {
        let deep = String(repeating: "[", count: 1_000_000)
        #expect(throws: OCIError.self) { try JSONValue(parsing: deep) }
        let allowed = String(repeating: "[", count: 200) + String(repeating: "]", count: 200)
        #expect((try? JSONValue(parsing: allowed)) != nil)
    }

    @Test func `finds members in any case, the last one first`() throws {
        let value = try JSONValue(parsing: #"{"env":1,"Env":2,"ENV":null}"#)
        #expect(value["Env"] == .number("2"))
        #expect(value.member(ignoringCase: "Env") == nil)
    }
}
