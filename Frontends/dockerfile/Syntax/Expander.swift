// SPDX-License-Identifier: Apache-2.0

/// Where variables come from during an expansion.
package protocol VariableLookup {
    /// The value of a variable; nil if it is not set.
    func value(of name: String) -> String?
}

extension Dictionary<String, String>: VariableLookup {
    package func value(of name: String) -> String? { self[name] }
}

/// No variable is set.
package struct NoVariables: VariableLookup, Sendable {
    package init() {}
    package func value(of name: String) -> String? { nil }
}

/// What an expansion gave, and the variables it asked for.
package struct Expansion: Sendable, Equatable {
    /// The whole text, quotes resolved and variables replaced.
    package var text: String
    /// Variables that were asked for and are set.
    package var matched: Set<String>
    /// Variables that were asked for and are not set.
    package var unmatched: Set<String>
    /// Bytes that variables gave, those of modifiers' operands included.
    package var producedByteCount = 0
    /// Steps that patterns took.
    package var patternStepCount = 0
}

/// Shell-word expansion with the rules of BuildKit: quotes, escapes, `$name`, `${name}` and the
/// modifiers `:-` `-` `:+` `+` `:?` `?` `#` `##` `%` `%%` `/` `//`.
///
/// Two oddities of BuildKit's lexer are not copied: there a modifier loses the beginning of its word
/// when text is split into words, and `$` has a meaning of its own in the replacement of `//`.
///
/// Time and memory are bounded: nesting by ``Limit/expansionDepth``, output by
/// ``Limit/expandedByteCount``, pattern work by ``Limit/patternStepCount``.
package struct Expander: Sendable {
    /// `\` or a backtick, as the `escape` directive says.
    package var escape: Unicode.Scalar
    /// Quotes stay in the output; what they quote is still treated as quoted.
    package var keepsQuotes = false
    /// Escape characters stay in the output.
    package var keepsEscapes = false
    /// Quotes are ordinary characters: the content of a heredoc.
    package var ignoresQuotes = false
    /// A variable that is not set stays as it was written.
    package var keepsUnsetVariables = false
    /// In ``words(_:_:)``, a variable with a modifier begins a word: what stands before it is lost.
    ///
    /// BuildKit's lexer does so, which is why `<<${n:-2}` announces no heredoc there; shift operators
    /// in shell arithmetic rely on it.
    var modifiersBeginWords = false

    package init(escape: Unicode.Scalar = "\\") {
        self.escape = escape
    }

    /// An expander for the content of a heredoc of COPY or ADD: there the escape is always a
    /// backslash.
    package static var heredocContent: Expander {
        var expander = Expander()
        expander.ignoresQuotes = true
        return expander
    }

    /// Expands one word or line.
    ///
    /// - Throws: `badExpansion`, `unsetVariable` (for `?`) or `tooLarge`, without a place.
    package func expand(
        _ text: String,
        _ variables: some VariableLookup
    ) throws(DockerfileError) -> Expansion {
        if isPlain(text) { return Expansion(text: text, matched: [], unmatched: []) }
        var run = ExpansionRun(text, options: self, variables: variables)
        var unused = WordCollector(isDiscarding: true)
        let result = try run.expandAll(words: &unused)
        return Expansion(
            text: result,
            matched: run.matched,
            unmatched: run.unmatched,
            producedByteCount: run.producedByteCount,
            patternStepCount: run.patternStepCount
        )
    }

    /// The expanded text alone.
    package func text(
        _ text: String,
        _ variables: some VariableLookup
    ) throws(DockerfileError) -> String {
        try expand(text, variables).text
    }

    /// The expanded text, split at white space that was not quoted; that of values splits too.
    package func words(
        _ text: String,
        _ variables: some VariableLookup
    ) throws(DockerfileError) -> [String] {
        var run = ExpansionRun(text, options: self, variables: variables)
        var words = WordCollector()
        _ = try run.expandAll(words: &words)
        return words.finish()
    }

    /// Whether nothing in the text means anything but itself; true of most words.
    private func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "$"), UInt8(ascii: "'"), UInt8(ascii: "\""): false
            // The first byte of a byte order mark, which an expansion takes off.
            case 0xEF: false
            default: UInt32(byte) != escape.value
            }
        }
    }
}
