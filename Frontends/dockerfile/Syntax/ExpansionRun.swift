// SPDX-License-Identifier: Apache-2.0

/// One expansion under way: a reader over the text, and what has been found so far.
struct ExpansionRun<Variables: VariableLookup> {
    private let source: String
    private let scalars: [Unicode.Scalar]
    private let options: Expander
    private let variables: Variables
    private var index: Int
    private var depth = 0
    /// How many operands of modifiers have been expanded.
    private var operandCount = 0
    private(set) var producedByteCount = 0
    private(set) var patternStepCount = 0
    private(set) var matched: Set<String> = []
    private(set) var unmatched: Set<String> = []

    init(_ text: String, options: Expander, variables: Variables) {
        source = text
        scalars = Array(text.unicodeScalars)
        self.options = options
        self.variables = variables
        // A byte order mark at the start is no part of the text.
        index = scalars.first == "\u{FEFF}" ? 1 : 0
    }

    /// Expands the whole text.
    mutating func expandAll(words: inout WordCollector) throws(DockerfileError) -> String {
        do {
            return try expand(until: nil, keepsEscapes: options.keepsEscapes, words: &words)
        } catch {
            var wrapped = error
            wrapped.message = "cannot expand \"\(excerpt(source))\": \(error.message)"
            throw wrapped
        }
    }

    private var peek: Unicode.Scalar? { index < scalars.count ? scalars[index] : nil }

    private mutating func next() -> Unicode.Scalar? {
        guard let scalar = peek else { return nil }
        index += 1
        return scalar
    }

    /// Expands up to an unquoted stop character, which is taken, or to the end.
    private mutating func expand(
        until stop: Unicode.Scalar?,
        keepsEscapes: Bool,
        words: inout WordCollector
    ) throws(DockerfileError) -> String {
        var text = String.UnicodeScalarView()
        while let scalar = peek {
            if let stop, scalar == stop {
                index += 1
                return String(text)
            }
            switch scalar {
            case "$":
                let operandsBefore = operandCount
                let value = try expandDollar(keepsEscapes: keepsEscapes)
                text.append(value)
                forgetWord(&words, ifOperandsSince: operandsBefore)
                words.add(value)
            case "'" where !options.ignoresQuotes:
                let value = try singleQuoted()
                text.append(value)
                words.addQuoted(value)
            case "\"" where !options.ignoresQuotes:
                let operandsBefore = operandCount
                let value = try doubleQuoted(keepsEscapes: keepsEscapes)
                text.append(value)
                forgetWord(&words, ifOperandsSince: operandsBefore)
                words.addQuoted(value)
            case "<":
                let value = possibleHeredoc()
                text.append(value)
                words.addQuoted(value)
            case options.escape:
                index += 1
                if keepsEscapes {
                    text.append(scalar)
                    words.addQuoted(scalar)
                }
                // An escape character at the very end says nothing.
                guard let escaped = next() else { continue }
                text.append(escaped)
                words.addQuoted(escaped)
            default:
                index += 1
                text.append(scalar)
                words.add(scalar)
            }
        }
        if let stop {
            throw DockerfileError(.badExpansion, "unexpected end of text while looking for \(stop)")
        }
        return String(text)
    }

    private func forgetWord(_ words: inout WordCollector, ifOperandsSince count: Int) {
        if options.modifiersBeginWords, operandCount != count { words.forgetCurrent() }
    }

    private mutating func singleQuoted() throws(DockerfileError) -> String {
        var text = String.UnicodeScalarView()
        let quote = next()
        if options.keepsQuotes, let quote { text.append(quote) }
        while let scalar = next() {
            if scalar == "'" {
                if options.keepsQuotes { text.append(scalar) }
                return String(text)
            }
            text.append(scalar)
        }
        throw DockerfileError(.badExpansion, "single quote is not closed")
    }

    private mutating func doubleQuoted(keepsEscapes: Bool) throws(DockerfileError) -> String {
        var text = String.UnicodeScalarView()
        let quote = next()
        if options.keepsQuotes, let quote { text.append(quote) }
        while let scalar = peek {
            if scalar == "\"" {
                index += 1
                if options.keepsQuotes { text.append(scalar) }
                return String(text)
            }
            if scalar == "$" {
                text.append(try expandDollar(keepsEscapes: keepsEscapes))
                continue
            }
            index += 1
            guard scalar == options.escape else {
                text.append(scalar)
                continue
            }
            if keepsEscapes { text.append(scalar) }
            guard let escaped = peek else { continue }
            // Before anything else the escape character is an ordinary one.
            if escaped == "\"" || escaped == "$" || escaped == options.escape {
                index += 1
                text.append(escaped)
            } else {
                text.append(scalar)
            }
        }
        throw DockerfileError(.badExpansion, "double quote is not closed")
    }

    /// `<<` and the blanks behind it stay in one word with what follows.
    private mutating func possibleHeredoc() -> String {
        index += 1
        guard peek == "<" else { return "<" }
        index += 1
        var text = "<<"
        while let scalar = peek, scalar == " " || scalar == "\t" || scalar == "\r" {
            text.unicodeScalars.append(scalar)
            index += 1
        }
        return text
    }

    // MARK: Variables

    private mutating func value(of name: String) throws(DockerfileError) -> String? {
        guard let value = variables.value(of: name) else {
            unmatched.insert(name)
            return nil
        }
        matched.insert(name)
        try account(value)
        return value
    }

    private mutating func account(_ text: String) throws(DockerfileError) {
        producedByteCount += text.utf8.count
        guard producedByteCount <= Limit.expandedByteCount else {
            throw DockerfileError(.tooLarge, "the result exceeds \(Limit.expandedByteCount) bytes")
        }
    }

    private mutating func expandDollar(keepsEscapes: Bool) throws(DockerfileError) -> String {
        index += 1
        guard peek == "{" else {
            let name = readName()
            if name.isEmpty { return "$" }
            if let value = try value(of: name) { return value }
            return options.keepsUnsetVariables ? "$" + name : ""
        }
        guard depth < Limit.expansionDepth else {
            throw DockerfileError(
                .tooLarge,
                "variables nest deeper than \(Limit.expansionDepth) levels"
            )
        }
        depth += 1
        defer { depth -= 1 }
        index += 1
        switch peek {
        case nil: throw Self.missingBrace
        case "{", "}", ":": throw DockerfileError(.badExpansion, "bad substitution")
        default: break
        }
        let name = readName()
        guard let modifier = next() else { throw Self.missingBrace }
        switch modifier {
        case "}":
            if let value = try value(of: name) { return value }
            return options.keepsUnsetVariables ? "${\(name)}" : ""
        case ":":
            guard let second = next() else { throw Self.missingBrace }
            return try expandModifier(second, name: name, emptyIsUnset: true)
        case "+", "-", "?", "#", "%":
            return try expandModifier(modifier, name: name, emptyIsUnset: false)
        case "/":
            return try expandReplacement(name: name)
        default:
            throw Self.unsupported(String(Character(modifier)))
        }
    }

    private mutating func expandModifier(
        _ modifier: Unicode.Scalar,
        name: String,
        emptyIsUnset: Bool
    ) throws(DockerfileError) -> String {
        let written = (emptyIsUnset ? ":" : "") + String(Character(modifier))
        let isPattern = modifier == "#" || modifier == "%"
        if emptyIsUnset, isPattern { throw Self.unsupported(written) }
        let word = try operand(until: "}", keepsEscapes: isPattern, missing: Self.missingBrace)
        let value = try value(of: name)
        if value == nil, options.keepsUnsetVariables { return "${\(name)\(written)\(word)}" }
        let isUnset = value == nil || (emptyIsUnset && value?.isEmpty == true)
        switch modifier {
        case "-": return isUnset ? word : value ?? ""
        case "+": return isUnset ? "" : word
        case "?":
            guard isUnset else { return value ?? "" }
            let reason = value == nil ? "is not allowed to be unset" : "is not allowed to be empty"
            throw DockerfileError(.unsetVariable, "\(name): \(word.isEmpty ? reason : word)")
        case "#", "%":
            var pattern = word.unicodeScalars[...]
            let isGreedy = pattern.first == modifier
            if isGreedy { pattern = pattern.dropFirst() }
            let glob = try ShellGlob(String(pattern))
            return modifier == "#"
                ? try glob.removingPrefix(from: value ?? "", longest: isGreedy, steps: &patternStepCount)
                : try glob.removingSuffix(from: value ?? "", longest: isGreedy, steps: &patternStepCount)
        default:
            throw Self.unsupported(written)
        }
    }

    private mutating func expandReplacement(name: String) throws(DockerfileError) -> String {
        let isAll = peek == "/"
        if isAll { index += 1 }
        let missingSlash = DockerfileError(.badExpansion, "missing / in ${}")
        let pattern = try operand(until: "/", keepsEscapes: true, missing: missingSlash)
        let replacement = try operand(until: "}", keepsEscapes: true, missing: Self.missingBrace)
        guard let value = try value(of: name) else {
            if options.keepsUnsetVariables { return "${\(name)/\(pattern)/\(replacement)}" }
            return try ShellGlob(pattern).replacing(in: "", with: replacement, all: isAll, steps: &patternStepCount)
        }
        let result = try ShellGlob(pattern).replacing(
            in: value,
            with: replacement,
            all: isAll,
            steps: &patternStepCount
        )
        try account(result)
        return result
    }

    /// The text of a modifier, expanded itself.
    private mutating func operand(
        until stop: Unicode.Scalar,
        keepsEscapes: Bool,
        missing: DockerfileError
    ) throws(DockerfileError) -> String {
        var unused = WordCollector(isDiscarding: true)
        operandCount += 1
        do {
            return try expand(until: stop, keepsEscapes: keepsEscapes, words: &unused)
        } catch {
            if error.code == .badExpansion, peek == nil { throw missing }
            throw error
        }
    }

    /// Letters, digits and `_`; a run of digits, or one special parameter, stands alone.
    private mutating func readName() -> String {
        guard let first = peek else { return "" }
        if first.isDigit {
            let start = index
            while let scalar = peek, scalar.isDigit { index += 1 }
            return text(start..<index)
        }
        switch first {
        case "@", "*", "#", "?", "-", "$", "!":
            index += 1
            return String(Character(first))
        default:
            let start = index
            while let scalar = peek, scalar.isLetter || scalar.isDigit || scalar == "_" {
                index += 1
            }
            return text(start..<index)
        }
    }

    private func text(_ range: Range<Int>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars[range])
        return String(view)
    }

    private static var missingBrace: DockerfileError {
        DockerfileError(.badExpansion, "missing } after ${")
    }

    private static func unsupported(_ modifier: String) -> DockerfileError {
        DockerfileError(
            .badExpansion,
            "unsupported modifier \(modifier) in substitution; allowed are :- - :+ + :? ? # ## % %% / and //"
        )
    }
}

/// Gathers the words of an expansion: unquoted white space separates them.
struct WordCollector {
    private var words: [String] = []
    private var current = String.UnicodeScalarView()
    private let isDiscarding: Bool

    init(isDiscarding: Bool = false) {
        self.isDiscarding = isDiscarding
    }

    mutating func add(_ scalar: Unicode.Scalar) {
        if isDiscarding { return }
        guard scalar.isWhiteSpace else {
            current.append(scalar)
            return
        }
        if !current.isEmpty {
            words.append(String(current))
            current = String.UnicodeScalarView()
        }
    }

    mutating func add(_ text: String) {
        if isDiscarding { return }
        for scalar in text.unicodeScalars { add(scalar) }
    }

    mutating func addQuoted(_ scalar: Unicode.Scalar) {
        if !isDiscarding { current.append(scalar) }
    }

    mutating func addQuoted(_ text: String) {
        if !isDiscarding { current.append(text) }
    }

    /// Drops what has been gathered of the word that is not finished.
    mutating func forgetCurrent() {
        current = String.UnicodeScalarView()
    }

    mutating func finish() -> [String] {
        if !current.isEmpty { words.append(String(current)) }
        current = String.UnicodeScalarView()
        return words
    }
}
