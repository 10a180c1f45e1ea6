// SPDX-License-Identifier: Apache-2.0

/// Splits one logical line into keyword, flags and arguments.
struct NodeParser {
    let line: LogicalLine
    let escape: Unicode.Scalar

    /// ONBUILD may hold one instruction; a chain of them is refused later, but must not nest
    /// without end here.
    private static let triggerDepthMax = 3

    func parse(lines: ClosedRange<Int>) throws(DockerfileError) -> Node {
        try parse(line.whole, lines: lines, depth: 0)
    }

    private func parse(
        _ range: Range<Int>,
        lines: ClosedRange<Int>,
        depth: Int
    ) throws(DockerfileError) -> Node {
        let bytes = line.bytes
        let trimmed = bytes.trimming(range)
        let keywordEnd = bytes[trimmed].firstIndex { $0.isSeparator } ?? trimmed.upperBound
        let rest =
            bytes[keywordEnd..<trimmed.upperBound].firstIndex { !$0.isSeparator }
            ?? trimmed.upperBound
        let head = splitFlags(rest..<trimmed.upperBound)
        let arguments = bytes.trimming(head.argumentStart..<trimmed.upperBound)

        var node = Node(
            keyword: line.word(trimmed.lowerBound..<keywordEnd),
            flags: head.flags.map { Word($0.text, line.sourceRange($0.range)) },
            arguments: [],
            isJSON: false,
            trigger: [],
            heredocs: [],
            original: bytes.text(range),
            lines: lines,
            range: line.sourceRange(trimmed),
            comments: []
        )
        do {
            try parseArguments(arguments, of: &node, depth: depth)
        } catch {
            throw error.located(range: node.range, lines: lines)
        }
        return node
    }

    private func parseArguments(
        _ range: Range<Int>,
        of node: inout Node,
        depth: Int
    ) throws(DockerfileError) {
        switch node.keyword.text.lowercased() {
        case "env", "label":
            node.arguments = try keyValues(range, keyword: node.name)
        case "arg":
            node.arguments = words(range).map { line.word($0) }
        case "expose", "from":
            node.arguments = separated(range).map { line.word($0) }
        case "maintainer", "stopsignal", "user", "workdir":
            node.arguments = range.isEmpty ? [] : [line.word(range)]
        case "cmd", "entrypoint", "run", "shell":
            (node.arguments, node.isJSON) = try jsonOrLine(range)
        case "add", "copy", "volume":
            (node.arguments, node.isJSON) = try jsonOrSeparated(range)
        case "healthcheck":
            (node.arguments, node.isJSON) = try healthcheck(range)
        case "onbuild":
            guard !range.isEmpty else { return }
            guard depth < Self.triggerDepthMax else {
                throw DockerfileError(.badTrigger, "ONBUILD cannot hold another ONBUILD")
            }
            node.trigger = [try parse(range, lines: node.lines, depth: depth + 1)]
        default:
            // Unknown instructions are reported when they are interpreted, in the order of the
            // file.
            break
        }
    }

    // MARK: Flags

    /// What stands between a keyword and its arguments.
    struct Flags {
        /// Their texts with quotes and escapes resolved, and where they stand in the logical line.
        var flags: [(text: String, range: Range<Int>)] = []
        /// A word `--` that ends them.
        var terminator: Range<Int>?
        var argumentStart: Int
    }

    /// Splits off the leading words that begin with `--`; a word `--` alone ends them and goes.
    ///
    /// Only ASCII white space separates flags.
    func splitFlags(_ range: Range<Int>) -> Flags {
        let bytes = line.bytes
        var result = Flags(argumentStart: range.lowerBound)
        while true {
            var index = result.argumentStart
            while index < range.upperBound, bytes[index].isASCIISpace { index += 1 }
            result.argumentStart = index
            guard bytes[index..<range.upperBound].starts(with: "--".utf8) else { return result }
            let (text, isQuoted) = readFlag(&result.argumentStart, end: range.upperBound)
            let word = index..<result.argumentStart
            if text == "--" {
                result.terminator = word
                return result
            }
            if isQuoted || !text.isEmpty { result.flags.append((text, word)) }
        }
    }

    /// Reads one flag up to white space, taking quotes and escapes away.
    private func readFlag(_ index: inout Int, end: Int) -> (text: String, isQuoted: Bool) {
        let bytes = line.bytes
        var text = String.UnicodeScalarView()
        var quote: Unicode.Scalar?
        var isQuoted = false
        while index < end {
            var (scalar, length) = bytes.scalar(at: index, end: end)
            if quote == nil, bytes[index].isASCIISpace { break }
            index += length
            if let open = quote, scalar == open {
                quote = nil
                continue
            }
            if quote == nil, scalar == "'" || scalar == "\"" {
                quote = scalar
                isQuoted = true
                continue
            }
            if scalar == escape {
                // An escape character at the very end says nothing.
                guard index < end else { break }
                (scalar, length) = bytes.scalar(at: index, end: end)
                index += length
            }
            text.append(scalar)
        }
        return (String(text), isQuoted)
    }

    // MARK: Arguments

    /// Splits at white space that is neither quoted nor escaped.
    ///
    /// Quotes and escapes stay; the expansion takes them away later. An escape character at the
    /// very end goes.
    func words(_ range: Range<Int>) -> [Range<Int>] {
        let bytes = line.bytes
        var words: [Range<Int>] = []
        var index = bytes.trimmingStart(range).lowerBound
        while index < range.upperBound {
            let start = index
            var wordEnd = index
            var quote: Unicode.Scalar?
            while index < range.upperBound {
                let (scalar, length) = bytes.scalar(at: index, end: range.upperBound)
                if quote == nil, scalar.isWhiteSpace { break }
                index += length
                if let open = quote {
                    if scalar == open { quote = nil }
                } else if scalar == "'" || scalar == "\"" {
                    quote = scalar
                }
                if scalar == escape, quote != "'" {
                    guard index < range.upperBound else { break }
                    index += bytes.scalar(at: index, end: range.upperBound).length
                }
                wordEnd = index
            }
            if wordEnd > start { words.append(start..<wordEnd) }
            index = bytes.trimmingStart(index..<range.upperBound).lowerBound
        }
        return words
    }

    /// Splits at ASCII white space, whatever the quotes.
    func separated(_ range: Range<Int>) -> [Range<Int>] {
        line.bytes[range].split { $0.isSeparator }.map { $0.startIndex..<$0.endIndex }
    }

    /// ENV and LABEL: `key=value …`, or the legacy `key value`.
    ///
    /// Three words for each pair.
    private func keyValues(_ range: Range<Int>, keyword: String) throws(DockerfileError) -> [Word] {
        let bytes = line.bytes
        let words = words(range)
        guard let first = words.first else { return [] }
        let equals = UInt8(ascii: "=")
        if let legacy = legacyPair(range, firstWord: first) {
            let value = line.word(legacy.value)
            return [line.word(legacy.key), value, Word("", value.range)]
        }
        guard bytes[first].contains(equals) else {
            throw DockerfileError(
                .badArguments,
                "\(keyword) must have two arguments; write \(keyword) \(bytes.text(first))=value",
                range: line.sourceRange(range)
            )
        }
        var result: [Word] = []
        for word in words {
            guard let index = bytes[word].firstIndex(of: equals) else {
                throw DockerfileError(
                    .badArguments,
                    "cannot find = in \"\(excerpt(bytes.text(word)))\": \(keyword) takes name=value pairs",
                    range: line.sourceRange(word)
                )
            }
            result.append(line.word(word.lowerBound..<index))
            result.append(line.word(index + 1..<word.upperBound))
            result.append(line.word(index..<index + 1))
        }
        return result
    }

    /// Key and value of the form `key value`, whose value is all the rest; nil for any other.
    func legacyPair(_ range: Range<Int>, firstWord: Range<Int>) -> (key: Range<Int>, value: Range<Int>)? {
        let bytes = line.bytes
        guard !bytes[firstWord].contains(UInt8(ascii: "=")),
            let keyEnd = bytes[range].firstIndex(where: { $0.isSeparator }),
            let valueStart = bytes[keyEnd..<range.upperBound].firstIndex(where: { !$0.isSeparator })
        else { return nil }
        return (range.lowerBound..<keyEnd, valueStart..<range.upperBound)
    }

    private func json(_ range: Range<Int>) throws(DockerfileError) -> [Word]? {
        guard !range.isEmpty, line.bytes[range.lowerBound] == UInt8(ascii: "[") else { return nil }
        switch JSONText.list(line.bytes, range) {
        case .none:
            return nil
        case .notOnlyStrings:
            throw DockerfileError(
                .badArguments,
                "a JSON array of arguments must hold strings only",
                range: line.sourceRange(range)
            )
        case .strings(let elements):
            return elements.map { Word($0.text, line.sourceRange($0.range)) }
        }
    }

    private func jsonOrLine(
        _ range: Range<Int>
    ) throws(DockerfileError) -> (words: [Word], isJSON: Bool) {
        if let words = try json(range) { return (words, true) }
        return (range.isEmpty ? [] : [line.word(range)], false)
    }

    private func jsonOrSeparated(
        _ range: Range<Int>
    ) throws(DockerfileError) -> (words: [Word], isJSON: Bool) {
        if let words = try json(range) { return (words, true) }
        return (separated(range).map { line.word($0) }, false)
    }

    /// The type (CMD or NONE), then a command.
    private func healthcheck(
        _ range: Range<Int>
    ) throws(DockerfileError) -> (words: [Word], isJSON: Bool) {
        guard !range.isEmpty else { return ([], false) }
        let bytes = line.bytes
        let typeEnd = bytes[range].firstIndex { $0.isASCIISpace } ?? range.upperBound
        let commandStart =
            bytes[typeEnd..<range.upperBound].firstIndex { !$0.isASCIISpace } ?? range.upperBound
        let command = commandStart..<range.upperBound
        let (words, isJSON) = try jsonOrLine(command)
        return ([line.word(range.lowerBound..<typeEnd)] + words, isJSON)
    }
}
