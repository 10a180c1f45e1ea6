// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// Writes an engine's messages in any of the forms the protocol allows.
struct MessageForm: Sendable {
    let behaviour: EngineBehaviour
    private var nextStream: UInt32 = 2

    init(_ behaviour: EngineBehaviour) { self.behaviour = behaviour }

    /// The bytes of a message and its blobs.
    ///
    /// - Parameter isGivenUp: Whether every blob ends before its announced size.
    mutating func bytes(of message: WireObject, isGivenUp: Bool = false) -> [UInt8] {
        var blobs: [(stream: UInt32, bytes: [UInt8])] = []
        var text: [UInt8] = []
        write(.object(message), to: &text, &blobs)
        var bytes = Self.frame(0, text[...])
        for blob in blobs {
            if isGivenUp {
                bytes += Self.frame(blob.stream, blob.bytes.dropLast()) + Self.frame(blob.stream, [])
                continue
            }
            let length = behaviour.blobFrameByteCount ?? behaviour.limits.frameBytes
            for start in stride(from: 0, to: blob.bytes.count, by: length) {
                bytes += Self.frame(blob.stream, blob.bytes[start..<min(start + length, blob.bytes.count)])
            }
            if behaviour.blobForm == .open { bytes += Self.frame(blob.stream, []) }
        }
        return bytes
    }

    /// One frame.
    static func frame(_ stream: UInt32, _ payload: ArraySlice<UInt8>) -> [UInt8] {
        let header = [UInt32(truncatingIfNeeded: payload.count), stream].flatMap { number in
            [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
        }
        return header + payload
    }

    // MARK: JSON

    private mutating func write(
        _ value: WireValue,
        to text: inout [UInt8],
        _ blobs: inout [(stream: UInt32, bytes: [UInt8])]
    ) {
        let isSpaced = behaviour.jsonForm == .spaced
        switch value {
        case .null: text += Array("null".utf8)
        case .bool(let flag): text += Array((flag ? "true" : "false").utf8)
        case .integer(let number): text += Array(String(number).utf8)
        case .number(let number): text += Array(String(number).utf8)
        case .string(let string): Self.write(string, to: &text, isSpaced: isSpaced)
        case .array(let elements):
            text += Array((isSpaced ? "[\t" : "[").utf8)
            for (index, element) in elements.enumerated() {
                if index > 0 { text += Array((isSpaced ? " ,\r\n" : ",").utf8) }
                write(element, to: &text, &blobs)
            }
            text += Array((isSpaced ? " ]" : "]").utf8)
        case .object(let object):
            text += Array((isSpaced ? "{\n  " : "{").utf8)
            for (index, member) in object.members.enumerated() {
                if index > 0 { text += Array((isSpaced ? "\n, " : ",").utf8) }
                Self.write(member.name, to: &text, isSpaced: isSpaced)
                text += Array((isSpaced ? " :\t" : ":").utf8)
                write(member.value, to: &text, &blobs)
            }
            text += Array((isSpaced ? "\n}" : "}").utf8)
        case .bytes(let bytes): announce(bytes, in: &text, &blobs)
        }
    }

    private mutating func announce(
        _ bytes: [UInt8],
        in text: inout [UInt8],
        _ blobs: inout [(stream: UInt32, bytes: [UInt8])]
    ) {
        if behaviour.blobForm == .text, let string = String(validating: bytes, as: UTF8.self) {
            return Self.write(string, to: &text, isSpaced: behaviour.jsonForm == .spaced)
        }
        let size: WireValue = behaviour.blobForm == .open ? .null : .integer(Int64(bytes.count))
        let stream = nextStream
        nextStream += 2
        blobs.append((stream, bytes))
        write(.object(["blob": .integer(Int64(stream)), "size": size]), to: &text, &blobs)
    }

    private static func write(_ string: String, to text: inout [UInt8], isSpaced: Bool) {
        text.append(UInt8(ascii: "\""))
        if isSpaced {
            for (index, scalar) in string.unicodeScalars.enumerated() {
                // The first character, and whatever is not ASCII, as escapes; a slash as JSON allows it.
                if index == 0 || !scalar.isASCII || scalar.value < 0x20 || scalar == "\"" || scalar == "\\" {
                    for unit in String(scalar).utf16 {
                        let digits = String(unit, radix: 16, uppercase: index % 2 == 0)
                        text += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
                    }
                } else {
                    text += Array((scalar == "/" ? "\\/" : String(scalar)).utf8)
                }
            }
        } else {
            for byte in string.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
                case 0x0A: text += Array("\\n".utf8)
                case 0..<0x20:
                    text += Array((byte < 16 ? "\\u000" : "\\u00").utf8) + Array(String(byte, radix: 16).utf8)
                default: text.append(byte)
                }
            }
        }
        text.append(UInt8(ascii: "\""))
    }
}
