// SPDX-License-Identifier: Apache-2.0

/// Just enough JSON to be a good frontend where no flaw is asked for.
indirect enum JSON {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([(name: String, value: JSON)])

    /// `nil` for a text that is no JSON object.
    init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let value = reader.value(), case .object = value else { return nil }
        self = value
    }

    subscript(_ name: String) -> JSON? {
        if case .object(let members) = self { members.first { $0.name == name }?.value } else { nil }
    }

    var text: String? { if case .string(let text) = self { text } else { nil } }
    var int: Int? { if case .number(let number) = self { Int(exactly: number) } else { nil } }
    var isTrue: Bool { if case .bool(true) = self { true } else { false } }
    var elements: [JSON] { if case .array(let elements) = self { elements } else { [] } }
    var names: [String] { if case .object(let members) = self { members.map(\.name) } else { [] } }

    /// Sizes of all announced blobs in the order of the text; -1 for one of unknown size.
    var blobSizes: [Int] {
        switch self {
        case .array(let elements): return elements.flatMap(\.blobSizes)
        case .object(let members):
            if members.count == 2, self["blob"]?.int != nil, let size = self["size"] { return [size.int ?? -1] }
            return members.flatMap { $0.value.blobSizes }
        default: return []
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var index = 0

        private mutating func peek() -> UInt8? {
            while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
            return index < bytes.count ? bytes[index] : nil
        }

        private mutating func skip(_ byte: Character) -> Bool {
            guard let next = peek(), next == byte.asciiValue else { return false }
            index += 1
            return true
        }

        mutating func value() -> JSON? {
            switch peek() {
            case UInt8(ascii: "{"): return object()
            case UInt8(ascii: "["): return array()
            case UInt8(ascii: "\""): return string().map { .string($0) }
            default: return word()
            }
        }

        private mutating func object() -> JSON? {
            index += 1
            var members: [(name: String, value: JSON)] = []
            if skip("}") { return .object([]) }
            repeat {
                guard peek() != nil, let name = string(), skip(":"), let value = value() else { return nil }
                members.append((name, value))
            } while skip(",")
            return skip("}") ? .object(members) : nil
        }

        private mutating func array() -> JSON? {
            index += 1
            var elements: [JSON] = []
            if skip("]") { return .array([]) }
            repeat {
                guard let value = value() else { return nil }
                elements.append(value)
            } while skip(",")
            return skip("]") ? .array(elements) : nil
        }

        private mutating func string() -> String? {
            guard skip("\"") else { return nil }
            var units: [UInt16] = []
            while index < bytes.count {
                let start = index
                while index < bytes.count, bytes[index] != UInt8(ascii: "\""), bytes[index] != UInt8(ascii: "\\") {
                    index += 1
                }
                units += Array(String(decoding: bytes[start..<index], as: UTF8.self).utf16)
                guard index + 1 < bytes.count || bytes.last == UInt8(ascii: "\"") else { return nil }
                index += 1
                if bytes[index - 1] == UInt8(ascii: "\"") { return String(decoding: units, as: UTF16.self) }
                guard let unit = escape() else { return nil }
                units.append(unit)
            }
            return nil
        }

        private mutating func escape() -> UInt16? {
            guard index < bytes.count else { return nil }
            index += 1
            switch bytes[index - 1] {
            case UInt8(ascii: "n"): return 10
            case UInt8(ascii: "t"): return 9
            case UInt8(ascii: "r"): return 13
            case UInt8(ascii: "b"): return 8
            case UInt8(ascii: "f"): return 12
            case UInt8(ascii: "u"):
                guard index + 4 <= bytes.count else { return nil }
                index += 4
                return UInt16(String(decoding: bytes[index - 4..<index], as: UTF8.self), radix: 16)
            case let other: return UInt16(other)
            }
        }

        private mutating func word() -> JSON? {
            let start = index
            while index < bytes.count, !" \t\r\n,]}:".utf8.contains(bytes[index]) { index += 1 }
            switch String(decoding: bytes[start..<index], as: UTF8.self) {
            case "null": return .null
            case "true": return .bool(true)
            case "false": return .bool(false)
            case let digits: return Double(digits).map { .number($0) }
            }
        }
    }
}

/// A text as a JSON string.
func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"": result += "\\\""
        case "\\": result += "\\\\"
        case "\n": result += "\\n"
        case _ where scalar.value < 0x20: result += " "
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result + "\""
}
