// SPDX-License-Identifier: Apache-2.0

extension TOMLReader {
    /// Reads the value of a key.
    ///
    /// - Parameter depth: How many tables and arrays it stands in.
    mutating func value(depth: Int) throws(ProjectError) -> TOMLTableBuilder.Entry {
        if current(byte: 0) == UInt8(ascii: "{") { return .table(try inlineTable(depth: depth)) }
        return .value(try node(depth: depth))
    }

    private mutating func node(depth: Int) throws(ProjectError) -> ConfigNode {
        let start = index
        switch current(byte: 0) {
        case UInt8(ascii: "\""): return ConfigNode(.string(try anyBasicString()), offset: start)
        case UInt8(ascii: "'"): return ConfigNode(.string(try anyLiteralString()), offset: start)
        case UInt8(ascii: "["): return ConfigNode(.array(try array(depth: depth)), offset: start)
        case UInt8(ascii: "{"):
            return ConfigNode(.table(try inlineTable(depth: depth).finish()), offset: start)
        default: return ConfigNode(try word(), offset: start)
        }
    }

    private mutating func array(depth: Int) throws(ProjectError) -> [ConfigNode] {
        guard depth <= Self.depthMax else { throw tooDeep(at: index) }
        let start = index
        index += 1
        var elements: [ConfigNode] = []
        while true {
            try skipEmptyLines()
            if take("]") { return elements }
            guard index < bytes.count else { throw failure("this array has no end", at: start) }
            elements.append(try node(depth: depth + 1))
            try skipEmptyLines()
            if take("]") { return elements }
            guard index < bytes.count else { throw failure("this array has no end", at: start) }
            try expect(",", "or ] in an array")
        }
    }

    private mutating func inlineTable(depth: Int) throws(ProjectError) -> TOMLTableBuilder {
        guard depth <= Self.depthMax else { throw tooDeep(at: index) }
        // While it is read, dotted keys may go on from each other.
        let table = TOMLTableBuilder(.inline, offset: index, depth: depth)
        index += 1
        skipBlanks()
        if take("}") { return table }
        while true {
            skipBlanks()
            try pair(into: table)
            skipBlanks()
            if take("}") { return table }
            try expect(",", "or } in an inline table, which stands on one line")
        }
    }

    /// Reads what is written without quotes: a boolean, a number, a date or a time.
    private mutating func word() throws(ProjectError) -> ConfigNode.Value {
        let start = index
        skipWord()
        // A date and a time may be parted by one space.
        if index - start == 10, current(byte: 0) == 0x20, bytes[start + 4] == UInt8(ascii: "-"),
            let first = current(byte: 1), let second = current(byte: 2), isDigit(first), isDigit(second),
            current(byte: 3) == UInt8(ascii: ":")
        {
            index += 1
            skipWord()
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        guard !text.isEmpty else { throw failure("a value is expected, not \(found())", at: start) }
        switch text {
        case "true": return .boolean(true)
        case "false": return .boolean(false)
        case "inf", "+inf": return .float(.infinity)
        case "-inf": return .float(-.infinity)
        case "nan", "+nan", "-nan": return .float(.nan)
        default: break
        }
        if let number = TOMLNumber(text) {
            switch number {
            case .integer(let integer): return .integer(integer)
            case .float(let float): return .float(float)
            case .tooLarge: throw failure("the number \(shown(text, limit: 40)) is too large", at: start)
            }
        }
        if TOMLDateTime.isValid(Array(text.utf8)) { return .dateTime(text) }
        let hint =
            text.utf8.first.map { isDigit($0) || $0 == 0x2B || $0 == 0x2D } == true
            ? "\"\(shown(text, limit: 40))\" is no number, date or time"
            : "\"\(shown(text, limit: 40))\" is no value; a text stands in quotes"
        throw failure(hint, at: start)
    }

    private mutating func skipWord() {
        while let byte = current(byte: 0), isAlphanumeric(byte) || "+-_.:".utf8.contains(byte) { index += 1 }
    }
}

/// The numbers of TOML.
enum TOMLNumber {
    case integer(Int64)
    case float(Double)
    /// Well formed, but beyond what fits.
    case tooLarge

    /// `nil` when the text is no number.
    init?(_ text: String) {
        var digits = Array(text.utf8)[...]
        let sign = digits.first == UInt8(ascii: "+") || digits.first == UInt8(ascii: "-") ? digits.popFirst() : nil
        let radixes: [[UInt8]: Int] = [Array("0x".utf8): 16, Array("0o".utf8): 8, Array("0b".utf8): 2]
        if sign == nil, let radix = radixes[Array(digits.prefix(2))] {
            guard let plain = Self.withoutUnderscores(digits.dropFirst(2), isDigit: { $0.isDigit(radix: radix) })
            else { return nil }
            self = Int64(plain, radix: radix).map(TOMLNumber.integer) ?? .tooLarge
            return
        }
        let exponentIndex = digits.firstIndex { $0 | 0x20 == UInt8(ascii: "e") }
        let mantissa = digits[..<(exponentIndex ?? digits.endIndex)]
        let pointIndex = mantissa.firstIndex(of: UInt8(ascii: "."))
        let whole = mantissa[..<(pointIndex ?? mantissa.endIndex)]
        guard let wholeText = Self.withoutUnderscores(whole, isDigit: isDigit),
            wholeText.utf8.count == 1 || wholeText.utf8.first != UInt8(ascii: "0")
        else { return nil }
        var plain = (sign.map { String(Unicode.Scalar($0)) } ?? "") + wholeText
        if pointIndex == nil, exponentIndex == nil {
            self = Int64(plain).map(TOMLNumber.integer) ?? .tooLarge
            return
        }
        if let pointIndex {
            guard let fraction = Self.withoutUnderscores(mantissa[(pointIndex + 1)...], isDigit: isDigit) else {
                return nil
            }
            plain += "." + fraction
        }
        if let exponentIndex {
            var exponent = digits[(exponentIndex + 1)...]
            var exponentSign = ""
            if let first = exponent.first, first == UInt8(ascii: "+") || first == UInt8(ascii: "-") {
                exponentSign = String(Unicode.Scalar(first))
                exponent = exponent.dropFirst()
            }
            guard let exponentText = Self.withoutUnderscores(exponent, isDigit: isDigit) else { return nil }
            plain += "e" + exponentSign + exponentText
        }
        self = Double(plain).flatMap { $0.isFinite ? .float($0) : nil } ?? .tooLarge
    }

    /// Digits with single underscores between them, without these.
    private static func withoutUnderscores(_ bytes: ArraySlice<UInt8>, isDigit: (UInt8) -> Bool) -> String? {
        var text: [UInt8] = []
        var lastWasDigit = false
        for byte in bytes {
            if byte == UInt8(ascii: "_") {
                guard lastWasDigit else { return nil }
                lastWasDigit = false
            } else {
                guard isDigit(byte) else { return nil }
                text.append(byte)
                lastWasDigit = true
            }
        }
        return lastWasDigit ? String(decoding: text, as: UTF8.self) : nil
    }
}

extension UInt8 {
    fileprivate func isDigit(radix: Int) -> Bool {
        Character(Unicode.Scalar(self)).hexDigitValue.map { $0 < radix } ?? false
    }
}
