// SPDX-License-Identifier: Apache-2.0

/// A text with `${name}` in it.
///
/// `$${` is a plain `${`; a `$` before anything else is a plain `$`.
struct Template {
    enum Part: Equatable {
        case text(String)
        /// `offset` counts bytes from the text's beginning.
        case variable(String, offset: Int)
    }

    /// Why a text is no template.
    struct Failure: Error {
        let message: String
    }

    private(set) var parts: [Part] = []

    init(_ text: String) throws(Failure) {
        let bytes = Array(text.utf8)
        guard bytes.contains(UInt8(ascii: "$")) else {
            parts = [.text(text)]
            return
        }
        var plain: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: "$${".utf8) {
                plain += Array("${".utf8)
                index += 3
                continue
            }
            guard bytes[index...].starts(with: "${".utf8) else {
                plain.append(bytes[index])
                index += 1
                continue
            }
            guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else {
                throw Failure(message: "\"${\" without \"}\"; write $${ for a plain ${")
            }
            let name = String(decoding: bytes[(index + 2)..<end], as: UTF8.self)
            guard Template.isName(name) else {
                throw Failure(
                    message: "\"\(shortened(name))\" is no name of a variable; defaults stand with the variable, "
                        + "and $${ is a plain ${"
                )
            }
            if !plain.isEmpty { parts.append(.text(String(decoding: plain, as: UTF8.self))) }
            plain = []
            parts.append(.variable(name, offset: index))
            index = end + 1
        }
        if !plain.isEmpty { parts.append(.text(String(decoding: plain, as: UTF8.self))) }
    }

    /// Names in the order they are used.
    var names: [String] {
        parts.compactMap { part in
            if case .variable(let name, _) = part { name } else { nil }
        }
    }

    /// Letters, digits, `_`, `-` and `.`; a letter or `_` comes first.
    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 128 else { return false }
        func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte | 0x20) || byte == UInt8(ascii: "_") }
        return isLetter(first)
            && text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || $0 == 0x2d || $0 == 0x2e }
    }
}
