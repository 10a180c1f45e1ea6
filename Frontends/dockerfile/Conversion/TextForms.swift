// SPDX-License-Identifier: Apache-2.0

// Texts as Go writes them. History entries and JSON attributes hold them, and an image's identifier is made from those.

/// A string in double quotes with the escapes of Go's `%q`.
func quoted(_ text: String) -> String {
    func hex(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\u{7}": result += "\\a"
        case "\u{8}": result += "\\b"
        case "\u{c}": result += "\\f"
        case "\n": result += "\\n"
        case "\r": result += "\\r"
        case "\t": result += "\\t"
        case "\u{b}": result += "\\v"
        case _ where isPrintable(scalar): result.unicodeScalars.append(scalar)
        case _ where scalar.value < 0x20 || scalar.value == 0x7f:
            result += "\\x" + hex(scalar.value, 2)
        case _ where scalar.value < 0x10000: result += "\\u" + hex(scalar.value, 4)
        default: result += "\\U" + hex(scalar.value, 8)
        }
    }
    return result + "\""
}

private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == " " { return true }
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter,
        .nonspacingMark,
        .spacingMark, .enclosingMark, .decimalNumber, .letterNumber, .otherNumber,
        .connectorPunctuation,
        .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
        .finalPunctuation,
        .otherPunctuation, .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol:
        return true
    default: return false
    }
}

/// A list as Go's `%v`: `[a b]`.
func bracketed(_ list: [String]) -> String { "[" + list.joined(separator: " ") + "]" }

/// A list as Go's `%q`: `["a" "b"]`.
func bracketedQuoted(_ list: [String]) -> String { bracketed(list.map(quoted)) }

/// Nanoseconds as Go's `time.Duration`: `1m30s`, `1.5s`, `500ms`, `0s`.
func durationText(_ nanoseconds: Int64) -> String {
    guard nanoseconds != 0 else { return "0s" }
    let sign = nanoseconds < 0 ? "-" : ""
    let magnitude = nanoseconds.magnitude
    func decimal(_ value: UInt64, per unit: UInt64) -> String {
        var fraction = String(unit + value % unit).dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        return "\(value / unit)" + (fraction.isEmpty ? "" : "." + fraction)
    }
    switch magnitude {
    case ..<1000: return sign + "\(magnitude)ns"
    case ..<1_000_000: return sign + decimal(magnitude, per: 1000) + "µs"
    case ..<1_000_000_000: return sign + decimal(magnitude, per: 1_000_000) + "ms"
    default:
        let minutes = magnitude / 60_000_000_000
        let seconds = decimal(magnitude % 60_000_000_000, per: 1_000_000_000) + "s"
        if minutes == 0 { return sign + seconds }
        if minutes < 60 { return sign + "\(minutes)m" + seconds }
        return sign + "\(minutes / 60)h\(minutes % 60)m" + seconds
    }
}

/// A truth value as Go's `strconv.ParseBool` reads it.
func parseBoolean(_ text: String) -> Bool? {
    switch text {
    case "1", "t", "T", "true", "TRUE", "True": true
    case "0", "f", "F", "false", "FALSE", "False": false
    default: nil
    }
}

/// The fields of one line of comma-separated values; `nil` when its quotes do not match.
func commaSeparatedFields(_ line: String) -> [String]? {
    var fields: [String] = []
    var field = ""
    var rest = Substring(line)
    while true {
        if rest.first == "\"" {
            rest.removeFirst()
            while true {
                guard let character = rest.popFirst() else { return nil }
                guard character == "\"" else {
                    field.append(character)
                    continue
                }
                guard rest.first == "\"" else { break }
                rest.removeFirst()
                field.append("\"")
            }
            guard rest.isEmpty || rest.first == "," else { return nil }
        } else {
            let end = rest.firstIndex(of: ",") ?? rest.endIndex
            field = String(rest[..<end])
            guard !field.contains("\"") else { return nil }
            rest = rest[end...]
        }
        fields.append(field)
        field = ""
        guard rest.popFirst() != nil else { return fields }
    }
}

/// An IP address in its one canonical spelling; `nil` for anything else.
func canonicalAddress(_ text: String) -> String? {
    if let bytes = versionFour(text) { return bytes.map { "\($0)" }.joined(separator: ".") }
    guard let groups = versionSix(text) else { return nil }
    if groups.prefix(5).allSatisfy({ $0 == 0 }), groups[5] == 0xffff {
        return groups[6...].flatMap { ["\($0 >> 8)", "\($0 & 255)"] }.joined(separator: ".")
    }
    // The longest run of at least two zero groups, the first of equals, becomes "::".
    var best = 0..<0
    var start = 0
    while start < 8 {
        let end = groups[start...].firstIndex { $0 != 0 } ?? 8
        if end - start >= 2, end - start > best.count { best = start..<end }
        start = max(end, start + 1)
    }
    func joined(_ groups: some Sequence<UInt16>) -> String {
        groups.map { String($0, radix: 16) }.joined(separator: ":")
    }
    guard !best.isEmpty else { return joined(groups) }
    return joined(groups[..<best.lowerBound]) + "::" + joined(groups[best.upperBound...])
}

private func versionFour(_ text: String) -> [UInt8]? {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bytes: [UInt8] = []
    for part in parts {
        guard part.count == 1 || !part.hasPrefix("0"),
            part.allSatisfy({ $0.isASCII && $0.isNumber }),
            let byte = UInt8(part)
        else { return nil }
        bytes.append(byte)
    }
    return bytes
}

private func versionSix(_ text: String) -> [UInt16]? {
    func groups(_ text: Substring) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var result: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if index == parts.count - 1, part.contains(".") {
                guard let bytes = versionFour(String(part)) else { return nil }
                result.append(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
                result.append(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
                continue
            }
            guard (1...4).contains(part.count), part.allSatisfy(\.isHexDigit),
                let group = UInt16(part, radix: 16)
            else { return nil }
            result.append(group)
        }
        return result
    }
    guard let gap = text.firstRange(of: "::") else {
        guard let all = groups(text[...]), all.count == 8 else { return nil }
        return all
    }
    guard let head = groups(text[..<gap.lowerBound]), let tail = groups(text[gap.upperBound...]),
        head.count + tail.count < 8
    else { return nil }
    return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
}
