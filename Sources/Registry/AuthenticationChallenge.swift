// SPDX-License-Identifier: Apache-2.0

/// One challenge of a `WWW-Authenticate` header.
///
/// Source: RFC 9110, section 11.
struct AuthenticationChallenge: Hashable, Sendable {
    /// The scheme in lower case: `basic`, `bearer`.
    var scheme: String
    /// Parameters by their name in lower case.
    var parameters: [String: String] = [:]

    /// Longest header that is read, in bytes.
    private static let headerByteLimit = 16 << 10

    /// Reads all challenges of the header's values; what breaks the grammar ends the reading.
    static func parse(_ headers: [String]) -> [AuthenticationChallenge] {
        headers.flatMap { header in
            guard header.utf8.count <= headerByteLimit else { return [AuthenticationChallenge]() }
            var reader = Reader(bytes: Array(header.utf8))
            return reader.challenges()
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        mutating func challenges() -> [AuthenticationChallenge] {
            var found: [AuthenticationChallenge] = []
            while true {
                skip(blanksAnd: UInt8(ascii: ","))
                let word = token()
                if word.isEmpty { return found }
                skipBlanks()
                // A name that "=" follows is a parameter of the challenge before it; else a scheme
                // begins.
                if peek == UInt8(ascii: "="), !found.isEmpty {
                    position += 1
                    skipBlanks()
                    guard let value = value() else { return found }
                    found[found.count - 1].parameters[word.lowercased()] = value
                } else {
                    found.append(AuthenticationChallenge(scheme: word.lowercased()))
                }
            }
        }

        private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

        private mutating func skipBlanks() {
            while let byte = peek, byte == 0x20 || byte == 0x09 { position += 1 }
        }

        private mutating func skip(blanksAnd separator: UInt8) {
            while let byte = peek, byte == 0x20 || byte == 0x09 || byte == separator {
                position += 1
            }
        }

        private mutating func token() -> String {
            let start = position
            while let byte = peek, Self.isTokenByte(byte) { position += 1 }
            return String(decoding: bytes[start..<position], as: UTF8.self)
        }

        private mutating func value() -> String? {
            guard peek == UInt8(ascii: "\"") else { return token() }
            position += 1
            var text: [UInt8] = []
            while let byte = peek {
                position += 1
                if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
                if byte == UInt8(ascii: "\\"), let escaped = peek {
                    position += 1
                    text.append(escaped)
                } else {
                    text.append(byte)
                }
            }
            return nil
        }

        private static func isTokenByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "!#$%&'*+-.^_`|~:/".utf8.contains(byte)
            }
        }
    }
}
