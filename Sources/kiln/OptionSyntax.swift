// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol

/// Fields of one comma-separated line, where a double-quoted field may hold commas and `""` stands for a quote, as
/// `docker buildx` reads its options (RFC 4180).
///
/// - Throws: A ``UsageError`` when a quote is not closed.
func commaSeparatedFields(_ text: String) throws -> [String] {
    var fields: [String] = []
    var field = ""
    var quoted = false
    var characters = text.makeIterator()
    var pending = characters.next()
    while let character = pending {
        pending = characters.next()
        switch (character, quoted) {
        case ("\"", false): quoted = true
        case ("\"", true) where pending == "\"":
            field.append("\"")
            pending = characters.next()
        case ("\"", true): quoted = false
        case (",", false):
            fields.append(field)
            field = ""
        default: field.append(character)
        }
    }
    if quoted { throw UsageError("cannot read \"\(text)\": a double quote is not closed") }
    fields.append(field)
    return fields
}

/// Splits `key=value`; without `=` the value is `nil`.
func keyAndValue(_ text: String) -> (key: String, value: String?) {
    guard let equals = text.firstIndex(of: "=") else { return (text, nil) }
    return (String(text[..<equals]), String(text[text.index(after: equals)...]))
}

/// Reads an option of the form `NAME=VALUE` that may be given again; the last one of a name counts.
func dictionary(_ pairs: [String], option: String) throws -> [String: String] {
    var result: [String: String] = [:]
    for pair in pairs {
        let (key, value) = keyAndValue(pair)
        guard let value, !key.isEmpty else {
            throw UsageError("cannot read \(option) \"\(pair)\": expected NAME=VALUE")
        }
        result[key] = value
    }
    return result
}

/// Reads `--build-arg` as docker does: an argument without a value takes the environment's, and is not given when that has
/// none.
func parseBuildArguments(_ texts: [String]) -> [String: String] {
    var result: [String: String] = [:]
    for text in texts {
        let (name, value) = keyAndValue(text)
        if let value = value ?? environmentVariable(name) { result[name] = value }
    }
    return result
}

/// The word of `choices` that is nearest to a mistyped one, when it is near enough to be meant.
func nearest(to word: String, in choices: some Sequence<String>) -> String? {
    let ranked = choices.map { ($0, editDistance(Array(word.lowercased()), Array($0.lowercased()))) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= max(1, word.count / 3) else {
        return nil
    }
    return best.0
}
