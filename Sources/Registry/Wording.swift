// SPDX-License-Identifier: Apache-2.0

/// Text of an outsider, made fit for one line of an error: control characters become blanks, and it
/// is cut.
func singleLine(_ text: String, characterLimit: Int = 300) -> String {
    let cleaned = text.unicodeScalars.map { scalar in
        scalar.properties.generalCategory == .control
            || scalar.properties.generalCategory == .format
            ? " " : String(scalar)
    }
    let words = cleaned.joined().split(separator: " ").joined(separator: " ")
    return words.count > characterLimit ? words.prefix(characterLimit) + "…" : words
}

/// Percent-encodes all but the unreserved characters of RFC 3986, for one value of a query.
func percentEncoded(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            bytes.append(byte)
        default:
            bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: bytes, as: UTF8.self)
}
