// SPDX-License-Identifier: Apache-2.0

/// A stretch of an instruction's logical line that stays as it is; between two there is white space, or nothing.
struct LineToken: Hashable {
    /// In bytes of the logical line; never empty.
    var range: Range<Int>
    /// A word of the language, which is written in capitals: a keyword, AS, the type of a health check.
    var isKeyword = false
    /// Punctuation of a JSON array that follows what is before it without a space.
    var isTight = false
}

extension NodeParser {
    /// The line's tokens, by the same rules by which ``parse(lines:)`` splits it.
    ///
    /// Text for a shell is one token, whatever it holds.
    func tokens() -> [LineToken] {
        let bytes = line.bytes
        let trimmed = bytes.trimming(line.whole)
        let keywordEnd = bytes[trimmed].firstIndex { $0.isSeparator } ?? trimmed.upperBound
        let keyword = trimmed.lowerBound..<keywordEnd
        let name = bytes.text(keyword).lowercased()
        var tokens = [LineToken(range: keyword, isKeyword: true)]
        var rest = keywordEnd..<trimmed.upperBound
        // An image keeps what follows ONBUILD as text: it is nobody's to change.
        if name != "onbuild" {
            let head = splitFlags(rest)
            tokens += head.flags.map { LineToken(range: $0.range) }
            if let terminator = head.terminator { tokens.append(LineToken(range: terminator)) }
            rest = head.argumentStart..<trimmed.upperBound
        }
        return tokens + argumentTokens(bytes.trimming(rest), of: name)
    }

    private func argumentTokens(_ range: Range<Int>, of name: String) -> [LineToken] {
        guard !range.isEmpty else { return [] }
        switch name {
        case "env", "label": return keyValueTokens(range)
        case "arg": return words(range).map { LineToken(range: $0) }
        case "expose": return separated(range).map { LineToken(range: $0) }
        case "from":
            var tokens = separated(range).map { LineToken(range: $0) }
            if tokens.count == 3, line.bytes.text(tokens[1].range).lowercased() == "as" { tokens[1].isKeyword = true }
            return tokens
        case "add", "copy", "volume": return jsonTokens(range) ?? separated(range).map { LineToken(range: $0) }
        case "cmd", "entrypoint", "run", "shell": return jsonTokens(range) ?? [LineToken(range: range)]
        case "healthcheck": return healthcheckTokens(range)
        default: return [LineToken(range: range)]
        }
    }

    private func keyValueTokens(_ range: Range<Int>) -> [LineToken] {
        let words = words(range)
        guard let first = words.first, let legacy = legacyPair(range, firstWord: first) else {
            return words.map { LineToken(range: $0) }
        }
        return [LineToken(range: legacy.key), LineToken(range: legacy.value)]
    }

    private func healthcheckTokens(_ range: Range<Int>) -> [LineToken] {
        let bytes = line.bytes
        let typeEnd = bytes[range].firstIndex { $0.isASCIISpace } ?? range.upperBound
        let type = LineToken(range: range.lowerBound..<typeEnd, isKeyword: true)
        let start = bytes[typeEnd..<range.upperBound].firstIndex { !$0.isASCIISpace } ?? range.upperBound
        let command = start..<range.upperBound
        return [type] + (command.isEmpty ? [] : jsonTokens(command) ?? [LineToken(range: command)])
    }

    /// Brackets, strings and commas of a JSON array; nil for anything else.
    private func jsonTokens(_ range: Range<Int>) -> [LineToken]? {
        let bytes = line.bytes
        guard bytes[range.lowerBound] == UInt8(ascii: "["), case .strings(let elements) = JSONText.list(bytes, range)
        else { return nil }
        var tokens = [LineToken(range: range.lowerBound..<range.lowerBound + 1)]
        var end = range.lowerBound + 1
        for (index, element) in elements.enumerated() {
            if index > 0 {
                guard let comma = bytes[end..<element.range.lowerBound].firstIndex(of: UInt8(ascii: ","))
                else { return nil }
                tokens.append(LineToken(range: comma..<comma + 1, isTight: true))
            }
            tokens.append(LineToken(range: element.range, isTight: index == 0))
            end = element.range.upperBound
        }
        guard let close = bytes[end..<range.upperBound].firstIndex(of: UInt8(ascii: "]")) else { return nil }
        tokens.append(LineToken(range: close..<close + 1, isTight: true))
        return tokens
    }
}
