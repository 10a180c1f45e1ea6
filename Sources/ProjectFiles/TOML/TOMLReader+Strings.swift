// SPDX-License-Identifier: Apache-2.0

extension TOMLReader {
    /// Reads `"…"` or `"""…"""`.
    mutating func anyBasicString() throws(ProjectError) -> String {
        if current(byte: 1) == UInt8(ascii: "\""), current(byte: 2) == UInt8(ascii: "\"") {
            return try longString(quote: UInt8(ascii: "\""))
        }
        return try basicString()
    }

    /// Reads `'…'` or `'''…'''`.
    mutating func anyLiteralString() throws(ProjectError) -> String {
        if current(byte: 1) == UInt8(ascii: "'"), current(byte: 2) == UInt8(ascii: "'") {
            return try longString(quote: UInt8(ascii: "'"))
        }
        return try literalString()
    }

    /// Reads `"…"`, which stands on one line.
    mutating func basicString() throws(ProjectError) -> String {
        let start = index
        index += 1
        var content: [UInt8] = []
        while let byte = current(byte: 0), byte != 0x0A {
            switch byte {
            case UInt8(ascii: "\""):
                index += 1
                return String(decoding: content, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &content)
            default:
                if isControl(byte) { throw failure("a string holds \(found()); write it as an escape") }
                content.append(byte)
                index += 1
            }
        }
        throw failure("this string has no end on its line", at: start)
    }

    /// Reads `'…'`, which stands on one line and knows no escapes.
    mutating func literalString() throws(ProjectError) -> String {
        let start = index
        index += 1
        let contentStart = index
        while let byte = current(byte: 0), byte != 0x0A {
            if byte == UInt8(ascii: "'") {
                let content = bytes[contentStart..<index]
                index += 1
                return String(decoding: content, as: UTF8.self)
            }
            if isControl(byte) { throw failure("a string holds \(found())") }
            index += 1
        }
        throw failure("this string has no end on its line", at: start)
    }

    /// Reads a string between three quotes.
    private mutating func longString(quote: UInt8) throws(ProjectError) -> String {
        let start = index
        index += 3
        // A line end right behind the quotes is not part of it.
        _ = try takeLineEnd()
        var content: [UInt8] = []
        while let byte = current(byte: 0) {
            if byte == quote {
                let count = bytes[index...].prefix(5).prefix { $0 == quote }.count
                index += count
                if count < 3 {
                    content.append(contentsOf: repeatElement(quote, count: count))
                    continue
                }
                // Up to two quotes may stand right before the closing three.
                content.append(contentsOf: repeatElement(quote, count: count - 3))
                return String(decoding: content, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
                if try takeLineContinuation() { continue }
                try escape(into: &content)
            } else if byte == 0x0A || byte == 0x0D {
                let lineStart = index
                _ = try takeLineEnd()
                content.append(contentsOf: bytes[lineStart..<index])
            } else {
                if isControl(byte) { throw failure("a string holds \(found())") }
                content.append(byte)
                index += 1
            }
        }
        throw failure("this string has no end", at: start)
    }

    /// Passes over a backslash that ends its line, and all white space behind it.
    private mutating func takeLineContinuation() throws(ProjectError) -> Bool {
        let start = index
        index += 1
        skipBlanks()
        guard try takeLineEnd() else {
            index = start
            return false
        }
        repeat { skipBlanks() } while try takeLineEnd()
        return true
    }

    private mutating func escape(into content: inout [UInt8]) throws(ProjectError) {
        let start = index
        index += 1
        guard let kind = current(byte: 0) else { throw failure("this string has no end", at: start) }
        index += 1
        switch kind {
        case UInt8(ascii: "b"): content.append(0x08)
        case UInt8(ascii: "t"): content.append(0x09)
        case UInt8(ascii: "n"): content.append(0x0A)
        case UInt8(ascii: "f"): content.append(0x0C)
        case UInt8(ascii: "r"): content.append(0x0D)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): content.append(kind)
        case UInt8(ascii: "u"): try scalar(digits: 4, from: start, into: &content)
        case UInt8(ascii: "U"): try scalar(digits: 8, from: start, into: &content)
        default: throw failure("an escape that TOML does not know; a single quote keeps backslashes", at: start)
        }
    }

    private mutating func scalar(
        digits: Int,
        from start: Int,
        into content: inout [UInt8]
    ) throws(ProjectError) {
        let text = bytes[index..<min(bytes.count, index + digits)]
        guard text.count == digits, let number = UInt32(String(decoding: text, as: UTF8.self), radix: 16),
            text.first != UInt8(ascii: "+"), let scalar = Unicode.Scalar(number)
        else { throw failure("an escape that is no Unicode scalar of \(digits) hexadecimal digits", at: start) }
        index += digits
        content.append(contentsOf: String(Character(scalar)).utf8)
    }
}
