// SPDX-License-Identifier: Apache-2.0

/// A strict reader of a message's JSON, for text from somebody we do not trust.
///
/// It accepts exactly RFC 8259 with one object at the top, and refuses what general decoders let pass: duplicate
/// members, more than ``depthMax`` levels, integers that other languages cannot hold, strings that are not UTF-8. Time
/// and memory are linear in the text.
package struct JSONParser {
    /// How many objects and arrays may stand inside each other.
    package static let depthMax = 64

    /// Objects up to this size are searched for a duplicate name one by one; larger ones get a hashed set.
    private static let smallObjectMax = 12

    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Reads one object that fills the whole text, but for white space around it.
    package static func object(_ bytes: [UInt8]) throws(JSONError) -> WireObject {
        var parser = JSONParser(bytes)
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { throw JSONError(.byteOrderMark, at: 0) }
        parser.skipSpace()
        guard parser.index < bytes.count else { throw JSONError(.unexpectedEnd, at: parser.index) }
        guard bytes[parser.index] == UInt8(ascii: "{") else {
            throw JSONError(.notAnObject, at: parser.index)
        }
        let object = try parser.object()
        parser.skipSpace()
        guard parser.index == bytes.count else { throw JSONError(.trailingBytes, at: parser.index) }
        return object
    }

    // MARK: Values

    private mutating func value() throws(JSONError) -> WireValue {
        switch try peek() {
        case UInt8(ascii: "{"): return .object(try object())
        case UInt8(ascii: "["): return .array(try array())
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): try word("true"); return .bool(true)
        case UInt8(ascii: "f"): try word("false"); return .bool(false)
        case UInt8(ascii: "n"): try word("null"); return .null
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
        case let other: throw JSONError(.unexpectedByte(other), at: index)
        }
    }

    private mutating func object() throws(JSONError) -> WireObject {
        try descend()
        var members: [WireObject.Member] = []
        var names: Set<NameBytes> = []
        skipSpace()
        if try peek() == UInt8(ascii: "}") {
            index += 1
            depth -= 1
            return WireObject()
        }
        while true {
            skipSpace()
            let start = index
            guard try peek() == UInt8(ascii: "\"") else {
                throw JSONError(.unexpectedByte(bytes[index]), at: index)
            }
            let name = try string()
            if isDuplicate(name, members, &names) {
                throw JSONError(.duplicateMember(name), at: start)
            }
            skipSpace()
            try expect(UInt8(ascii: ":"))
            skipSpace()
            members.append(WireObject.Member(name, try value()))
            skipSpace()
            if try !another(closing: UInt8(ascii: "}")) {
                return WireObject(distinct: members)
            }
        }
    }

    private mutating func array() throws(JSONError) -> [WireValue] {
        try descend()
        var elements: [WireValue] = []
        skipSpace()
        if try peek() == UInt8(ascii: "]") {
            index += 1
            depth -= 1
            return elements
        }
        while true {
            skipSpace()
            elements.append(try value())
            skipSpace()
            if try !another(closing: UInt8(ascii: "]")) { return elements }
        }
    }

    /// After an element: takes the comma and tells that another one follows, or takes the closing bracket.
    private mutating func another(closing bracket: UInt8) throws(JSONError) -> Bool {
        switch try peek() {
        case UInt8(ascii: ","):
            index += 1
            return true
        case bracket:
            index += 1
            depth -= 1
            return false
        case let other: throw JSONError(.unexpectedByte(other), at: index)
        }
    }

    private func isDuplicate(
        _ name: String,
        _ members: [WireObject.Member],
        _ names: inout Set<NameBytes>
    ) -> Bool {
        if members.count < Self.smallObjectMax {
            return members.contains { sameBytes($0.name, name) }
        }
        if names.isEmpty { names = Set(members.map { NameBytes(name: $0.name) }) }
        return !names.insert(NameBytes(name: name)).inserted
    }

    // MARK: Numbers

    private mutating func number() throws(JSONError) -> WireValue {
        let start = index
        if bytes[index] == UInt8(ascii: "-") { index += 1 }
        let firstDigit = index
        skipDigits()
        guard index > firstDigit else { throw JSONError(.badNumber, at: start) }
        if index - firstDigit > 1, bytes[firstDigit] == UInt8(ascii: "0") {
            throw JSONError(.badNumber, at: start)
        }
        var isInteger = true
        if index < bytes.count, bytes[index] == UInt8(ascii: ".") {
            isInteger = false
            index += 1
            try requireDigits(from: start)
        }
        if index < bytes.count, bytes[index] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            index += 1
            if index < bytes.count, [UInt8(ascii: "+"), UInt8(ascii: "-")].contains(bytes[index]) {
                index += 1
            }
            try requireDigits(from: start)
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if isInteger {
            guard let integer = Int64(text), integer.magnitude <= WireValue.integerMax.magnitude
            else { throw JSONError(.integerOutOfRange, at: start) }
            return .integer(integer)
        }
        guard let double = Double(text), double.isFinite else {
            throw JSONError(.badNumber, at: start)
        }
        return .number(double)
    }

    private mutating func skipDigits() {
        while index < bytes.count,
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index])
        { index += 1 }
    }

    private mutating func requireDigits(from start: Int) throws(JSONError) {
        let first = index
        skipDigits()
        if index == first { throw JSONError(.badNumber, at: start) }
    }

    // MARK: Strings

    private mutating func string() throws(JSONError) -> String {
        let start = index
        index += 1
        let contentStart = index
        // Most strings hold no escape: check them in place.
        while index < bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "\"") {
                let content = bytes[contentStart..<index]
                index += 1
                return try text(content, at: start)
            }
            if byte == UInt8(ascii: "\\") { break }
            if byte < 0x20 { throw JSONError(.controlCharacter(byte), at: index) }
            index += 1
        }
        return try escapedString(start: start, plain: bytes[contentStart..<index])
    }

    private mutating func escapedString(
        start: Int,
        plain: ArraySlice<UInt8>
    ) throws(JSONError) -> String {
        var content = Array(plain)
        while index < bytes.count {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return try text(content[...], at: start)
            case UInt8(ascii: "\\"): try escape(into: &content)
            case 0..<0x20: throw JSONError(.controlCharacter(byte), at: index)
            default:
                content.append(byte)
                index += 1
            }
        }
        throw JSONError(.unexpectedEnd, at: index)
    }

    private mutating func escape(into content: inout [UInt8]) throws(JSONError) {
        let start = index
        index += 1
        let kind = try peek()
        index += 1
        switch kind {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(kind)
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "u"):
            let scalar = try unicodeEscape(from: start)
            content.append(contentsOf: Array(String(Character(scalar)).utf8))
        default: throw JSONError(.badEscape, at: start)
        }
    }

    /// Reads the four digits behind `\u`, and a second escape when they are half of a pair.
    private mutating func unicodeEscape(from start: Int) throws(JSONError) -> UnicodeScalar {
        let first = try hexadecimal(from: start)
        if let scalar = UnicodeScalar(first) { return scalar }
        guard (0xD800..<0xDC00).contains(first), index + 1 < bytes.count,
            bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
        else { throw JSONError(.loneSurrogate, at: start) }
        index += 2
        let second = try hexadecimal(from: start)
        guard (0xDC00..<0xE000).contains(second) else { throw JSONError(.loneSurrogate, at: start) }
        let combined = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        guard let scalar = UnicodeScalar(combined) else {
            throw JSONError(.loneSurrogate, at: start)
        }
        return scalar
    }

    private mutating func hexadecimal(from start: Int) throws(JSONError) -> UInt32 {
        guard index + 4 <= bytes.count else { throw JSONError(.unexpectedEnd, at: bytes.count) }
        var value: UInt32 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = Character(UnicodeScalar(byte)).hexDigitValue else {
                throw JSONError(.badEscape, at: start)
            }
            value = value << 4 | UInt32(digit)
        }
        index += 4
        return value
    }

    private func text(_ content: ArraySlice<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let text = String(validating: content, as: UTF8.self) else {
            throw JSONError(.badUTF8, at: start)
        }
        return text
    }

    // MARK: Bytes

    private func peek() throws(JSONError) -> UInt8 {
        guard index < bytes.count else { throw JSONError(.unexpectedEnd, at: index) }
        return bytes[index]
    }

    private mutating func expect(_ byte: UInt8) throws(JSONError) {
        let found = try peek()
        guard found == byte else { throw JSONError(.unexpectedByte(found), at: index) }
        index += 1
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        for expected in String(describing: word).utf8 { try expect(expected) }
    }

    private mutating func skipSpace() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x09, 0x0A, 0x0D: index += 1
            default: return
            }
        }
    }

    private mutating func descend() throws(JSONError) {
        guard depth < Self.depthMax else { throw JSONError(.tooDeep, at: index) }
        depth += 1
        index += 1
    }
}

/// A member's name, compared and hashed by its bytes.
private struct NameBytes: Hashable {
    let name: String

    static func == (left: NameBytes, right: NameBytes) -> Bool { sameBytes(left.name, right.name) }

    func hash(into hasher: inout Hasher) {
        for byte in name.utf8 { hasher.combine(byte) }
    }
}
