// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// A JSON value that knows where it stands in its text.
struct LocatedValue: Sendable {
    /// What it is.
    indirect enum Content: Sendable {
        case null
        case bool(Bool)
        /// The number as it was written.
        case number(String)
        case string(String)
        case array([LocatedValue])
        case object([LocatedMember])
    }

    let content: Content
    /// Bytes of the text.
    let range: Range<Int>

    /// The members of an object; empty for anything else.
    var members: [LocatedMember] {
        if case .object(let members) = content { members } else { [] }
    }

    /// The member of a name.
    subscript(_ name: String) -> LocatedValue? { members.first { $0.name == name }?.value }

    /// What kind of value it is, for messages.
    var kind: String {
        switch content {
        case .null: "null"
        case .bool: "a truth value"
        case .number: "a number"
        case .string: "a string"
        case .array: "a list"
        case .object: "an object"
        }
    }
}

/// One member of an object.
struct LocatedMember: Sendable {
    let name: String
    /// Where its name begins.
    let offset: Int
    let value: LocatedValue
}

extension LocatedValue {
    /// A value that comes from no text.
    init(_ json: JSONValue) {
        let content: Content =
            switch json {
            case .null: .null
            case .bool(let value): .bool(value)
            case .number(let digits): .number(digits)
            case .string(let text): .string(text)
            case .array(let elements): .array(elements.map(LocatedValue.init))
            case .object(let members):
                .object(members.map { LocatedMember(name: $0.name, offset: 0, value: LocatedValue($0.value)) })
            }
        self.init(content: content, range: 0..<0)
    }
}

/// A strict reader of JSON that keeps positions: RFC 8259, UTF-8, no member twice, at most ``depthMax`` levels.
///
/// Time and memory are linear in the text.
struct LocatedParser {
    /// How many objects and arrays may stand inside each other.
    static let depthMax = 64

    /// What stopped the reader.
    struct Failure: Error {
        let offset: Int
        let message: String
    }

    private let bytes: [UInt8]
    private(set) var index: Int
    private var depth = 0

    init(_ bytes: [UInt8], at index: Int = 0) {
        self.bytes = bytes
        self.index = index
    }

    /// Reads one value that fills the whole text, but for white space.
    static func document(_ bytes: [UInt8], at index: Int = 0) throws(Failure) -> LocatedValue {
        var parser = LocatedParser(bytes, at: index)
        let value = try parser.next()
        parser.skipSpace()
        guard parser.index == bytes.count else {
            throw Failure(offset: parser.index, message: "unexpected text behind the document")
        }
        return value
    }

    /// Reads the next value, after white space.
    mutating func next() throws(Failure) -> LocatedValue {
        skipSpace()
        return try value()
    }

    mutating func skipSpace() {
        while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
    }

    private func failure(_ message: String, at offset: Int? = nil) -> Failure {
        Failure(offset: offset ?? index, message: message)
    }

    private func peek() throws(Failure) -> UInt8 {
        guard index < bytes.count else { throw failure("the text ends inside a value") }
        return bytes[index]
    }

    private func unexpected(_ byte: UInt8, _ wanted: String) -> Failure {
        let shown =
            (0x21...0x7E).contains(byte)
            ? "\"\(Character(UnicodeScalar(byte)))\"" : "byte 0x\(String(byte, radix: 16))"
        return failure("expected \(wanted), found \(shown)")
    }

    private mutating func value() throws(Failure) -> LocatedValue {
        let start = index
        let content: LocatedValue.Content
        switch try peek() {
        case UInt8(ascii: "{"): content = .object(try object())
        case UInt8(ascii: "["): content = .array(try array())
        case UInt8(ascii: "\""): content = .string(try string())
        case UInt8(ascii: "t"): content = try word("true", .bool(true))
        case UInt8(ascii: "f"): content = try word("false", .bool(false))
        case UInt8(ascii: "n"): content = try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): content = .number(try number())
        case let other: throw unexpected(other, "a value")
        }
        return LocatedValue(content: content, range: start..<index)
    }

    private mutating func word(_ text: String, _ value: LocatedValue.Content) throws(Failure) -> LocatedValue.Content {
        guard bytes[index...].starts(with: text.utf8) else { throw failure("expected \(text)") }
        index += text.utf8.count
        return value
    }

    private mutating func descend() throws(Failure) {
        guard depth < Self.depthMax else {
            throw failure("more than \(Self.depthMax) values inside each other")
        }
        depth += 1
        index += 1
        skipSpace()
    }

    /// After an element: takes the comma and tells that another one follows, or takes the closing bracket.
    private mutating func another(closing bracket: UInt8) throws(Failure) -> Bool {
        skipSpace()
        let byte = try peek()
        guard byte == UInt8(ascii: ",") || byte == bracket else {
            throw unexpected(byte, "\",\" or \"\(Character(UnicodeScalar(bracket)))\"")
        }
        index += 1
        if byte == bracket { depth -= 1 }
        skipSpace()
        return byte != bracket
    }

    private mutating func object() throws(Failure) -> [LocatedMember] {
        try descend()
        var members: [LocatedMember] = []
        var names: Set<[UInt8]> = []
        if try peek() == UInt8(ascii: "}") {
            index += 1
            depth -= 1
            return []
        }
        repeat {
            let start = index
            let byte = try peek()
            guard byte == UInt8(ascii: "\"") else { throw unexpected(byte, "a member's name") }
            let name = try string()
            guard names.insert(Array(name.utf8)).inserted else {
                throw failure("member \"\(name.prefix(80))\" stands twice in one object", at: start)
            }
            skipSpace()
            let colon = try peek()
            guard colon == UInt8(ascii: ":") else { throw unexpected(colon, "\":\"") }
            index += 1
            skipSpace()
            members.append(LocatedMember(name: name, offset: start, value: try value()))
        } while try another(closing: UInt8(ascii: "}"))
        return members
    }

    private mutating func array() throws(Failure) -> [LocatedValue] {
        try descend()
        var elements: [LocatedValue] = []
        if try peek() == UInt8(ascii: "]") {
            index += 1
            depth -= 1
            return []
        }
        repeat { elements.append(try value()) } while try another(closing: UInt8(ascii: "]"))
        return elements
    }

    private mutating func digits() -> Int {
        let start = index
        while index < bytes.count, (0x30...0x39).contains(bytes[index]) { index += 1 }
        return index - start
    }

    private mutating func number() throws(Failure) -> String {
        let start = index
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let firstDigit = index
        let count = digits()
        var isValid = count == 1 || count > 1 && bytes[firstDigit] != UInt8(ascii: "0")
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            index += 1
            isValid = digits() > 0 && isValid
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            if index < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[index]) { index += 1 }
            isValid = digits() > 0 && isValid
        }
        guard isValid else { throw failure("not a number JSON allows", at: start) }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func string() throws(Failure) -> String {
        let start = index
        index += 1
        var content: [UInt8] = []
        var runStart = index
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                content += bytes[runStart..<index]
                index += 1
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw failure("a string that is not UTF-8", at: start)
                }
                return text
            case UInt8(ascii: "\\"):
                content += bytes[runStart..<index]
                content += UTF8.encode(try escape()) ?? UTF8.encodedReplacementCharacter
                runStart = index
            case 0..<0x20: throw failure("a control character that is not escaped in a string")
            default: index += 1
            }
        }
        throw failure("the text ends inside a string")
    }

    private mutating func escape() throws(Failure) -> Unicode.Scalar {
        let start = index
        index += 1
        let kind = try peek()
        index += 1
        switch kind {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let first = try hexadecimal()
            if let scalar = Unicode.Scalar(first) { return scalar }
            if first < 0xDC00, bytes[index...].starts(with: "\\u".utf8) {
                index += 2
                let second = try hexadecimal()
                if (0xDC00..<0xE000).contains(second),
                    let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
                {
                    return scalar
                }
            }
            throw failure("half of a surrogate pair", at: start)
        default: throw failure("an escape JSON does not know", at: start)
        }
    }

    private mutating func hexadecimal() throws(Failure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = Character(UnicodeScalar(try peek())).hexDigitValue else {
                throw failure("expected four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            index += 1
        }
        return value
    }
}
