// SPDX-License-Identifier: Apache-2.0

package import OCI

/// Writes a message's JSON, without white space and in the order of its members.
struct JSONWriter {
    private(set) var text: [UInt8] = []
    /// What ``WireValue/bytes(_:)`` leaves are replaced by.
    private let announce: (_ bytes: [UInt8]) -> WireObject

    /// - Parameter announce: Takes a byte string aside and gives the object that stands for it in the text.
    init(announce: @escaping (_ bytes: [UInt8]) -> WireObject) { self.announce = announce }

    mutating func write(_ object: WireObject) {
        text.append(UInt8(ascii: "{"))
        for (position, member) in object.members.enumerated() {
            if position > 0 { text.append(UInt8(ascii: ",")) }
            write(member.name)
            text.append(UInt8(ascii: ":"))
            write(member.value)
        }
        text.append(UInt8(ascii: "}"))
    }

    private mutating func write(_ value: WireValue) {
        switch value {
        case .null: text.append(contentsOf: "null".utf8)
        case .bool(let flag): text.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let integer): text.append(contentsOf: String(integer).utf8)
        case .number(let double):
            text.append(contentsOf: (double.isFinite ? String(double) : "null").utf8)
        case .string(let string): write(string)
        case .array(let elements):
            text.append(UInt8(ascii: "["))
            for (position, element) in elements.enumerated() {
                if position > 0 { text.append(UInt8(ascii: ",")) }
                write(element)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let object): write(object)
        case .bytes(let bytes): write(announce(bytes))
        }
    }

    private mutating func write(_ string: String) {
        text.append(UInt8(ascii: "\""))
        for byte in string.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                text.append(UInt8(ascii: "\\"))
                text.append(byte)
            case 0x0A: text.append(contentsOf: "\\n".utf8)
            case 0..<0x20:
                text.append(contentsOf: "\\u00".utf8)
                text.append(contentsOf: (byte < 16 ? "0" : "").utf8)
                text.append(contentsOf: String(byte, radix: 16).utf8)
            default: text.append(byte)
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}

extension WireObject {
    /// The object as JSON text, with byte strings as base64; for traces and for content that itself is JSON.
    public var json: [UInt8] {
        var writer = JSONWriter { bytes in ["base64": .string(base64(bytes))] }
        writer.write(self)
        return writer.text
    }

    /// The object as JSON text.
    ///
    /// - Parameter announce: Takes a byte string aside and gives the object that stands for it in the text.
    package func json(announcing announce: @escaping (_ bytes: [UInt8]) -> WireObject) -> [UInt8] {
        var writer = JSONWriter(announce: announce)
        writer.write(self)
        return writer.text
    }

    /// Names the members and byte strings, in their order, by one digest.
    package var digest: Digest {
        Digest.of(json { bytes in ["sha256": .string(Digest.of(bytes).hex)] })
    }
}

private func base64(_ bytes: [UInt8]) -> String {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var index = 0
    while index < bytes.count {
        let count = min(3, bytes.count - index)
        var group: UInt32 = 0
        for position in 0..<3 {
            group = group << 8 | (position < count ? UInt32(bytes[index + position]) : 0)
        }
        for position in 0..<4 {
            let digit = Int(group >> UInt32(18 - 6 * position) & 63)
            text.append(position <= count ? alphabet[digit] : UInt8(ascii: "="))
        }
        index += 3
    }
    return String(decoding: text, as: UTF8.self)
}
