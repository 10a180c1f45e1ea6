// SPDX-License-Identifier: Apache-2.0

/// Reads the two JSON shapes a Dockerfile needs, by the rules of Go's decoder; anything else is
/// only checked.
///
/// It does not recurse: nesting costs a byte a level, up to ``Limit/jsonDepth``.
struct JSONText {
    enum List {
        /// Not JSON, or not an array.
        case none
        /// A valid array with an element that is not a string.
        case notOnlyStrings
        /// The elements and where they stand.
        case strings([(text: String, range: Range<Int>)])
    }

    private let bytes: [UInt8]
    private var index: Int
    private let end: Int

    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        index = range.lowerBound
        end = range.upperBound
    }

    /// Reads a range that must be one array and nothing else.
    static func list(_ bytes: [UInt8], _ range: Range<Int>) -> List {
        var reader = JSONText(bytes, range)
        return reader.readList() ?? .none
    }

    /// The value of a string member of the object that the whole document must be.
    ///
    /// The last one of a name counts.
    static func stringMember(_ name: String, of bytes: [UInt8], from offset: Int) -> String? {
        var reader = JSONText(bytes, offset..<bytes.count)
        return reader.readMember(name) ?? nil
    }

    private mutating func readList() -> List? {
        skipSpace()
        guard take("[") else { return nil }
        var elements: [(text: String, range: Range<Int>)] = []
        var onlyStrings = true
        skipSpace()
        if !take("]") {
            repeat {
                skipSpace()
                let start = index
                if peek == UInt8(ascii: "\"") {
                    guard let text = readString() else { return nil }
                    elements.append((text, start..<index))
                } else {
                    guard skipValue() else { return nil }
                    onlyStrings = false
                }
                skipSpace()
            } while take(",")
            guard take("]") else { return nil }
        }
        skipSpace()
        guard index == end else { return nil }
        return onlyStrings ? .strings(elements) : .notOnlyStrings
    }

    private mutating func readMember(_ name: String) -> String?? {
        skipSpace()
        guard take("{") else { return nil }
        var found: String?
        skipSpace()
        if !take("}") {
            repeat {
                skipSpace()
                guard let key = readString() else { return nil }
                skipSpace()
                guard take(":") else { return nil }
                skipSpace()
                var value: String?
                if peek == UInt8(ascii: "\"") {
                    value = readString()
                    if value == nil { return nil }
                } else if !skipValue() {
                    return nil
                }
                if key == name { found = value }
                skipSpace()
            } while take(",")
            guard take("}") else { return nil }
        }
        skipSpace()
        return index == end ? found : nil
    }

    /// Skips one value of any kind; false if there is none.
    private mutating func skipValue() -> Bool {
        var closers: [UInt8] = []
        while true {
            skipSpace()
            guard let byte = peek else { return false }
            var isValueDone = true
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                guard closers.count < Limit.jsonDepth else { return false }
                index += 1
                let closer = byte + 2
                skipSpace()
                if peek == closer {
                    index += 1
                } else {
                    closers.append(closer)
                    if closer == UInt8(ascii: "}"), !skipKey() { return false }
                    isValueDone = false
                }
            case UInt8(ascii: "\""):
                guard readString() != nil else { return false }
            default:
                guard skipScalar() else { return false }
            }
            guard isValueDone else { continue }
            // After a value: close what ends here, or go on after a comma.
            var continues = false
            while let closer = closers.last, !continues {
                skipSpace()
                if peek == closer {
                    index += 1
                    closers.removeLast()
                } else if take(",") {
                    skipSpace()
                    if closer == UInt8(ascii: "}"), !skipKey() { return false }
                    continues = true
                } else {
                    return false
                }
            }
            if !continues { return true }
        }
    }

    private mutating func skipKey() -> Bool {
        guard readString() != nil else { return false }
        skipSpace()
        return take(":")
    }

    private mutating func skipScalar() -> Bool {
        for word in ["true", "false", "null"] where bytes[index..<end].starts(with: word.utf8) {
            index += word.utf8.count
            return true
        }
        return skipNumber()
    }

    private mutating func skipNumber() -> Bool {
        _ = take("-")
        if !take("0"), !skipDigits() { return false }
        if take("."), !skipDigits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            if !skipDigits() { return false }
        }
        return true
    }

    /// At least one digit.
    private mutating func skipDigits() -> Bool {
        let start = index
        while let byte = peek, byte >= 0x30, byte <= 0x39 { index += 1 }
        return index > start
    }

    private mutating func readString() -> String? {
        guard take("\"") else { return nil }
        var text: [UInt8] = []
        while let byte = peek {
            index += 1
            switch byte {
            case UInt8(ascii: "\""):
                return String(decoding: text, as: UTF8.self)
            case 0..<0x20:
                return nil
            case UInt8(ascii: "\\"):
                guard let scalar = readEscape() else { return nil }
                text.append(contentsOf: String(Character(scalar)).utf8)
            default:
                text.append(byte)
            }
        }
        return nil
    }

    private mutating func readEscape() -> Unicode.Scalar? {
        guard let byte = peek else { return nil }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            guard let first = readHex() else { return nil }
            guard first & 0xFC00 == 0xD800 else { return Unicode.Scalar(first) ?? "\u{FFFD}" }
            // The second half of a pair, if it is one; a half alone reads as U+FFFD.
            let afterFirst = index
            if take("\\"), take("u"), let second = readHex(), second & 0xFC00 == 0xDC00 {
                return Unicode.Scalar(0x10000 + (first & 0x3FF) << 10 + second & 0x3FF)
            }
            index = afterFirst
            return "\u{FFFD}"
        default: return nil
        }
    }

    private mutating func readHex() -> UInt32? {
        guard index + 4 <= end else { return nil }
        var value: UInt32 = 0
        for byte in bytes[index..<index + 4] {
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
            value = value << 4 | UInt32(digit)
        }
        index += 4
        return value
    }

    private var peek: UInt8? { index < end ? bytes[index] : nil }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard peek == UInt8(truncatingIfNeeded: scalar.value) else { return false }
        index += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek,
            byte == 0x20 || (byte >= 0x09 && byte <= 0x0D && byte != 0x0B && byte != 0x0C)
        {
            index += 1
        }
    }
}
