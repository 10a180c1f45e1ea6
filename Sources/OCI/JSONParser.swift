// SPDX-License-Identifier: Apache-2.0

extension JSONValue {
    /// How deep arrays and objects may be nested; a deeper text is refused rather than exhausting the stack.
    public static let nestingLimit = 256

    /// Reads one JSON text with nothing but white space around it.
    ///
    /// Bytes that are no UTF-8 and lone surrogates become U+FFFD, as in Go.
    ///
    /// - Throws: `invalidJSON` with the offset in bytes where reading stopped.
    public init(parsing bytes: [UInt8]) throws(OCIError) {
        var parser = JSONParser(bytes: bytes)
        self = try parser.parseDocument()
    }

    /// Reads one JSON text.
    public init(parsing text: String) throws(OCIError) {
        try self.init(parsing: Array(text.utf8))
    }
}

/// A recursive-descent reader of RFC 8259 texts.
struct JSONParser {
    let bytes: [UInt8]
    var position = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func parseDocument() throws(OCIError) -> JSONValue {
        let value = try parseValue(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw failure("text follows the value") }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func failure(_ reason: String) -> OCIError {
        OCIError(.invalidJSON, "cannot read JSON at byte \(position): \(reason)")
    }

    private mutating func skipBlanks() {
        while let byte = current, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
            position += 1
        }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func parseValue(depth: Int) throws(OCIError) -> JSONValue {
        guard depth < JSONValue.nestingLimit else {
            throw failure("nested deeper than \(JSONValue.nestingLimit) levels")
        }
        skipBlanks()
        switch current {
        case UInt8(ascii: "{"): return try parseObject(depth: depth)
        case UInt8(ascii: "["): return try parseArray(depth: depth)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"):
            try expect("true")
            return .bool(true)
        case UInt8(ascii: "f"):
            try expect("false")
            return .bool(false)
        case UInt8(ascii: "n"):
            try expect("null")
            return .null
        case nil: throw failure("the text ends where a value is expected")
        default: return .number(try parseNumber())
        }
    }

    private mutating func expect(_ word: String) throws(OCIError) {
        guard bytes[position...].starts(with: word.utf8) else {
            throw failure("expected \(word)")
        }
        position += word.utf8.count
    }

    private mutating func parseObject(depth: Int) throws(OCIError) -> JSONValue {
        position += 1
        var members: [JSONMember] = []
        skipBlanks()
        if take(UInt8(ascii: "}")) { return .object([]) }
        while true {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw failure("expected a member name") }
            let name = try parseString()
            skipBlanks()
            guard take(UInt8(ascii: ":")) else { throw failure("expected ':'") }
            members.append(JSONMember(name, try parseValue(depth: depth + 1)))
            skipBlanks()
            if take(UInt8(ascii: "}")) { return .object(members) }
            guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or '}'") }
        }
    }

    private mutating func parseArray(depth: Int) throws(OCIError) -> JSONValue {
        position += 1
        var elements: [JSONValue] = []
        skipBlanks()
        if take(UInt8(ascii: "]")) { return .array([]) }
        while true {
            elements.append(try parseValue(depth: depth + 1))
            skipBlanks()
            if take(UInt8(ascii: "]")) { return .array(elements) }
            guard take(UInt8(ascii: ",")) else { throw failure("expected ',' or ']'") }
        }
    }

    private mutating func takeDigits() -> Int {
        let start = position
        while let byte = current, byte >= 0x30, byte <= 0x39 { position += 1 }
        return position - start
    }

    private mutating func parseNumber() throws(OCIError) -> String {
        let start = position
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) {
            guard takeDigits() > 0 else { throw failure("expected a value") }
        }
        if take(UInt8(ascii: ".")) {
            guard takeDigits() > 0 else { throw failure("expected a digit after '.'") }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard takeDigits() > 0 else { throw failure("expected a digit in the exponent") }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func parseString() throws(OCIError) -> String {
        position += 1
        var text: [UInt8] = []
        var runStart = position
        while let byte = current {
            switch byte {
            case UInt8(ascii: "\""):
                text.append(contentsOf: bytes[runStart..<position])
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                text.append(contentsOf: bytes[runStart..<position])
                position += 1
                let scalar = try parseEscape()
                text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
                runStart = position
            case 0..<0x20: throw failure("a string holds a control character")
            default: position += 1
            }
        }
        throw failure("the text ends inside a string")
    }

    private mutating func parseEscape() throws(OCIError) -> Unicode.Scalar {
        let byte = current
        position += 1
        switch byte {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try parseHex()
            guard unit & 0xfc00 == 0xd800 else { return Unicode.Scalar(unit) ?? "\u{fffd}" }
            let mark = position
            if take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
                let low = try parseHex()
                if low & 0xfc00 == 0xdc00 {
                    return Unicode.Scalar(0x10000 + (unit & 0x3ff) << 10 + low & 0x3ff)
                        ?? "\u{fffd}"
                }
            }
            position = mark
            return "\u{fffd}"
        default:
            position -= 1
            throw failure("unknown escape in a string")
        }
    }

    private mutating func parseHex() throws(OCIError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            switch current {
            case .some(let byte) where byte >= 0x30 && byte <= 0x39:
                value = value << 4 | UInt32(byte - 0x30)
            case .some(let byte) where byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66:
                value = value << 4 | UInt32((byte | 0x20) - 0x61 + 10)
            default: throw failure("expected four hexadecimal digits")
            }
            position += 1
        }
        return value
    }
}
