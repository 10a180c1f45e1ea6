// SPDX-License-Identifier: Apache-2.0

/// Why a text is not a message's JSON, and at which byte.
package struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    package enum Reason: Sendable, Hashable {
        /// The text does not begin with `{`.
        case notAnObject
        /// The text begins with a byte order mark.
        case byteOrderMark
        /// The text ends inside a value.
        case unexpectedEnd
        /// A byte that cannot stand here.
        case unexpectedByte(UInt8)
        /// More bytes behind the object.
        case trailingBytes
        /// More than ``JSONParser/depthMax`` values inside each other.
        case tooDeep
        /// An object names a member twice.
        case duplicateMember(String)
        /// A number that JSON's grammar does not allow, or that no double can hold.
        case badNumber
        /// An integer beyond ±(2^53 − 1).
        case integerOutOfRange
        /// A backslash before something JSON does not know.
        case badEscape
        /// Half of a surrogate pair.
        case loneSurrogate
        /// A control character that is not escaped.
        case controlCharacter(UInt8)
        /// A string whose bytes are not UTF-8.
        case badUTF8
    }

    package let reason: Reason
    /// Where, counted in bytes from the start of the text.
    package let offset: Int

    package init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    package var description: String { "at byte \(offset): \(reason.sentence)" }
}

extension JSONError.Reason {
    fileprivate var sentence: String {
        switch self {
        case .notAnObject: "a message is one JSON object"
        case .byteOrderMark: "a message has no byte order mark"
        case .unexpectedEnd: "the text ends inside a value"
        case .unexpectedByte(let byte): "unexpected \(shown(byte))"
        case .trailingBytes: "more bytes after the object"
        case .tooDeep: "more than \(JSONParser.depthMax) values inside each other"
        case .duplicateMember(let name): "member \(String(name.prefix(80)).debugDescription) stands twice in one object"
        case .badNumber: "not a number JSON allows"
        case .integerOutOfRange:
            "an integer beyond 2^53 - 1, which must be written as a decimal string"
        case .badEscape: "an escape JSON does not know"
        case .loneSurrogate: "half of a surrogate pair"
        case .controlCharacter(let byte): "control character \(shown(byte)) that is not escaped"
        case .badUTF8: "a string that is not UTF-8"
        }
    }

    private func shown(_ byte: UInt8) -> String {
        (0x21...0x7E).contains(byte)
            ? "\"\(Character(UnicodeScalar(byte)))\""
            : "byte 0x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
