// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax

/// How much one conversion may make of its file.
///
/// A few bytes of a file can ask for very much: variables double each other, a long environment goes into each step, each
/// stage takes over the history of the one below. What no engine would take is refused before it fills the memory. Real
/// files stay far below.
struct ConversionBudget {
    /// Bytes of text that variables, history, environments and port ranges add up to.
    static let byteLimit = 64 << 20
    /// Steps that all patterns of variables take.
    static let patternStepLimit = 1 << 26
    /// Suggestions for names that are not set.
    static let suggestionLimit = 1000
    /// What an inherited entry of history or argument counts for, in bytes.
    static let inheritedEntryByteCount = 96

    /// What a port counts for, in bytes.
    static let portByteCount = 16

    private var byteCount = 0
    private var patternStepCount = 0
    private var suggestionCount = 0

    mutating func charge(bytes: Int) { byteCount += bytes }

    mutating func charge(_ expansion: Expansion) {
        byteCount += expansion.producedByteCount
        patternStepCount += expansion.patternStepCount
    }

    /// Whether one more suggestion among so many names is worth the time.
    mutating func allowsSuggestion(among nameCount: Int) -> Bool {
        guard suggestionCount < Self.suggestionLimit, nameCount <= Self.suggestionLimit else { return false }
        suggestionCount += 1
        return true
    }

    /// - Throws: `tooLarge`, without a place.
    func check() throws(DockerfileError) {
        guard byteCount <= Self.byteLimit else {
            throw DockerfileError(
                .tooLarge,
                "the file expands to more than \(Self.byteLimit) bytes of values, history and environment, which is the "
                    + "limit"
            )
        }
        guard patternStepCount <= Self.patternStepLimit else {
            throw DockerfileError(
                .tooLarge,
                "patterns of variables take more than \(Self.patternStepLimit) steps in all, which is the limit"
            )
        }
    }
}

extension DockerfileConversion {
    /// Expands a text as far as the budget of the whole file allows.
    func expansion(
        of text: String,
        _ expander: Expander,
        _ variables: some VariableLookup
    ) throws(DockerfileError) -> Expansion {
        try budget.check()
        let expansion = try expander.expand(text, variables)
        budget.charge(expansion)
        return expansion
    }
}
