// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// A text from outside as a message may show it: at most `limit` scalars, control characters as `?`.
func shown(_ text: some StringProtocol, limit: Int = 200) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars.prefix(limit) {
        let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || isInvisible(scalar)
        result.append(isControl ? "?" : scalar)
    }
    return String(result) + (text.unicodeScalars.count > limit ? "…" : "")
}

/// Scalars that turn the direction of text around or take no room: they make a message say something else.
private func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: true
    default: false
    }
}

/// The word nearest to what was written, if at most two edits lead to it; `nil` also when it is one of them.
func nearestWord(to written: String, among words: some Sequence<String>) -> String? {
    let wanted = Array(written.lowercased().unicodeScalars)
    guard wanted.count <= 64 else { return nil }
    var best: (distance: Int, word: String)?
    for word in words where word != written {
        let scalars = Array(word.lowercased().unicodeScalars)
        guard abs(scalars.count - wanted.count) <= 2 else { continue }
        let distance = editDistance(wanted, scalars)
        // Of a very short word nearly every other is near.
        guard distance <= min(2, max(1, scalars.count / 2)) else { continue }
        if let current = best, (current.distance, current.word) <= (distance, word) { continue }
        best = (distance, word)
    }
    return best?.word
}
