// SPDX-License-Identifier: Apache-2.0

// Small text helpers with the meaning of Go's strings package, which the Dockerfile format
// inherits: white space is Unicode's White_Space, and CR LF is two characters. Swift's Character
// would join them.

extension Unicode.Scalar {
    var isWhiteSpace: Bool {
        if value < 0x80 { return value == 0x20 || (value >= 0x09 && value <= 0x0D) }
        return properties.isWhitespace
    }

    /// A letter of any script.
    var isLetter: Bool {
        if value < 0x80 { return (value | 0x20) >= 0x61 && (value | 0x20) <= 0x7A }
        return switch properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
            true
        default: false
        }
    }

    /// A decimal digit of any script.
    var isDigit: Bool {
        if value < 0x80 { return value >= 0x30 && value <= 0x39 }
        return properties.generalCategory == .decimalNumber
    }
}

extension String.UnicodeScalarView {
    /// Adds a text in time that does not depend on what is there, which `append(contentsOf:)` copies.
    mutating func append(_ text: String) {
        var whole = String(self)
        self = String.UnicodeScalarView()
        whole += text
        self = whole.unicodeScalars
    }
}

func trimmingWhiteSpace(_ text: String) -> String {
    var scalars = text.unicodeScalars[...]
    while let first = scalars.first, first.isWhiteSpace { scalars.removeFirst() }
    while let last = scalars.last, last.isWhiteSpace { scalars.removeLast() }
    return String(scalars)
}

/// The text before and after the first separator, an ASCII character; nil if there is none.
func cut(_ text: String, at separator: Unicode.Scalar) -> (before: String, after: String)? {
    let bytes = text.utf8
    guard let index = bytes.firstIndex(of: UInt8(truncatingIfNeeded: separator.value)) else {
        return nil
    }
    return (String(text[..<index]), String(text[bytes.index(after: index)...]))
}

/// The spellings of Go's `strconv.ParseBool`.
func parseBoolean(_ text: String) -> Bool? {
    switch text {
    case "1", "t", "T", "true", "TRUE", "True": true
    case "0", "f", "F", "false", "FALSE", "False": false
    default: nil
    }
}

/// A message that can be read: the middle of one that is longer than ``messageByteLimit`` is left out.
package func bounded(_ message: String) -> String {
    let count = message.utf8.count
    if count <= messageByteLimit { return message }
    let bytes = message.utf8
    // Slices of a text begin and end at whole scalars.
    let head = message[..<bytes.index(bytes.startIndex, offsetBy: messageByteLimit / 4 * 3)]
    let tail = message[bytes.index(bytes.endIndex, offsetBy: -messageByteLimit / 8)...]
    return "\(head) … (\(count) bytes) … \(tail)"
}

/// How long a message may be, in bytes.
package let messageByteLimit = 4096

/// What a message shows of a text that may be long.
func excerpt(_ text: String) -> String {
    let characterCountMax = 120
    let scalars = text.unicodeScalars
    if scalars.count <= characterCountMax { return text }
    return String(scalars.prefix(characterCountMax)) + "…"
}

/// Bytes read as scalars; bytes that are not UTF-8 read as U+FFFD.
extension Array<UInt8> {
    /// The scalar that starts at an index before `end`, and its length in bytes.
    func scalar(at index: Int, end: Int) -> (scalar: Unicode.Scalar, length: Int) {
        let first = self[index]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard first >= 0xC2, first < 0xF5, index + length <= end else { return ("\u{FFFD}", 1) }
        var value = UInt32(first) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
        for offset in 1..<length {
            let next = self[index + offset]
            guard next & 0xC0 == 0x80 else { return ("\u{FFFD}", 1) }
            value = value << 6 | UInt32(next & 0x3F)
        }
        guard let scalar = Unicode.Scalar(value),
            value >= (length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000)
        else {
            return ("\u{FFFD}", 1)
        }
        return (scalar, length)
    }

    /// The range without the white space at its start.
    func trimmingStart(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        while start < range.upperBound {
            let (scalar, length) = scalar(at: start, end: range.upperBound)
            guard scalar.isWhiteSpace else { break }
            start += length
        }
        return start..<range.upperBound
    }

    /// The range without the white space at its end.
    func trimmingEnd(_ range: Range<Int>) -> Range<Int> {
        var end = range.upperBound
        while end > range.lowerBound {
            var start = end - 1
            while start > range.lowerBound, end - start < 4, self[start] & 0xC0 == 0x80 {
                start -= 1
            }
            let (scalar, length) = scalar(at: start, end: end)
            guard scalar.isWhiteSpace, start + length == end else { break }
            end = start
        }
        return range.lowerBound..<end
    }

    func trimming(_ range: Range<Int>) -> Range<Int> {
        trimmingEnd(trimmingStart(range))
    }

    func text(_ range: Range<Int>) -> String {
        String(decoding: self[range], as: UTF8.self)
    }
}

extension UInt8 {
    static let lineFeed = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")

    var isASCIISpace: Bool { self == 0x20 || (self >= 0x09 && self <= 0x0D) }

    /// The separators between keyword and arguments: all ASCII white space but the line feed.
    var isSeparator: Bool {
        self == 0x20 || self == 0x09 || (self >= 0x0B && self <= 0x0D)
    }
}
