// SPDX-License-Identifier: Apache-2.0

/// A JSON text as a value that keeps what the text said: the order of members, repeated members, and numbers digit by
/// digit.
///
/// Documents whose digest names them (image configs, manifests) and LLB attributes need exact control of the bytes they
/// are written with, which a coder does not give. ``write(into:)`` produces the bytes Go's `encoding/json` would.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The number as it was written.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])

    /// A whole number.
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number("\(value)") }

    /// A list of strings.
    public static func strings(_ values: [String]) -> JSONValue {
        .array(values.map { .string($0) })
    }

    /// An object whose members are sorted by the bytes of their names, as Go writes a map.
    public static func map(_ values: [String: String]) -> JSONValue {
        .object(
            values
                .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { JSONMember($0.key, .string($0.value)) }
        )
    }

    /// Members of an object; empty for anything else.
    public var members: [JSONMember] {
        if case .object(let members) = self { members } else { [] }
    }

    /// Elements of an array; `nil` for anything else.
    public var elements: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The string; `nil` for anything else.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The value of a whole number that fits; `nil` for anything else.
    public var integer: Int64? {
        if case .number(let digits) = self { Int64(digits) } else { nil }
    }

    /// The truth value; `nil` for anything else.
    public var truth: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The last member of exactly this name; `nil` without one and for values that are no object.
    public subscript(_ name: String) -> JSONValue? {
        members.last { $0.name == name }?.value
    }

    /// The last member whose name equals `name` but for ASCII case, as Go's decoder finds it.
    ///
    /// `null` counts as absent.
    public func member(ignoringCase name: String) -> JSONValue? {
        let found = members.last { $0.name == name || $0.name.lowercased() == name.lowercased() }
        guard let value = found?.value, value != .null else { return nil }
        return value
    }
}

/// One member of a JSON object.
public struct JSONMember: Hashable, Sendable {
    /// Decoded; may repeat within an object.
    public var name: String
    /// What it stands for.
    public var value: JSONValue

    /// A member of a name and a value.
    public init(_ name: String, _ value: JSONValue) {
        self.name = name
        self.value = value
    }
}

extension JSONValue {
    /// The compact text, with the escapes of Go's `encoding/json` (`<`, `>`, `&`, U+2028 and U+2029 too).
    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        write(into: &bytes)
        return bytes
    }

    /// The compact text as a string.
    public var encodedText: String { String(decoding: encoded, as: UTF8.self) }

    /// Appends the compact text.
    public func write(into bytes: inout [UInt8]) {
        switch self {
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
        case .number(let digits): bytes.append(contentsOf: digits.utf8)
        case .string(let text): JSONValue.write(text, into: &bytes)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                element.write(into: &bytes)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                JSONValue.write(member.name, into: &bytes)
                bytes.append(UInt8(ascii: ":"))
                member.value.write(into: &bytes)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    /// Text for people: two blanks a level, a member a line.
    public func encodedPretty(indent: String = "  ") -> String {
        var text = ""
        writePretty(into: &text, indent: indent, depth: 0)
        return text
    }

    private func writePretty(into text: inout String, indent: String, depth: Int) {
        let inner = String(repeating: indent, count: depth + 1)
        let outer = String(repeating: indent, count: depth)
        switch self {
        case .array(let elements) where !elements.isEmpty:
            text += "["
            for (index, element) in elements.enumerated() {
                text += (index > 0 ? ",\n" : "\n") + inner
                element.writePretty(into: &text, indent: indent, depth: depth + 1)
            }
            text += "\n" + outer + "]"
        case .object(let members) where !members.isEmpty:
            text += "{"
            for (index, member) in members.enumerated() {
                text += (index > 0 ? ",\n" : "\n") + inner
                text += JSONValue.string(member.name).encodedText + ": "
                member.value.writePretty(into: &text, indent: indent, depth: depth + 1)
            }
            text += "\n" + outer + "}"
        default: text += encodedText
        }
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    private static func write(_ text: String, into bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        var rest = text.utf8[...]
        while let index = rest.firstIndex(where: mayNeedEscape) {
            bytes.append(contentsOf: rest[..<index])
            let scalar = text.unicodeScalars[index]
            rest = rest[index...].dropFirst(UTF8.width(scalar))
            switch scalar {
            case "\"": bytes.append(contentsOf: #"\""#.utf8)
            case "\\": bytes.append(contentsOf: #"\\"#.utf8)
            case "\n": bytes.append(contentsOf: #"\n"#.utf8)
            case "\r": bytes.append(contentsOf: #"\r"#.utf8)
            case "\t": bytes.append(contentsOf: #"\t"#.utf8)
            case "\u{8}": bytes.append(contentsOf: #"\b"#.utf8)
            case "\u{c}": bytes.append(contentsOf: #"\f"#.utf8)
            case "\u{0}"..<"\u{20}", "<", ">", "&", "\u{2028}", "\u{2029}":
                bytes.append(contentsOf: #"\u"#.utf8)
                for shift in [12, 8, 4, 0] as [UInt32] {
                    bytes.append(hexDigits[Int(scalar.value >> shift & 15)])
                }
            default: bytes.append(contentsOf: text.utf8[index..<rest.startIndex])
            }
        }
        bytes.append(contentsOf: rest)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Whether a character that begins with the byte could be one that is written otherwise.
    private static func mayNeedEscape(_ byte: UInt8) -> Bool {
        switch byte {
        case 0..<0x20, UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&"):
            true
        // U+2028 and U+2029 begin so.
        default: byte == 0xE2
        }
    }
}
