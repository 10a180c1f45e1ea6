// SPDX-License-Identifier: Apache-2.0

extension Heredoc {
    /// The heredocs a line announces, in order; their contents are not read yet.
    ///
    /// A line whose quotes do not close announces none.
    static func heredocs(in line: String) throws(DockerfileError) -> [Heredoc] {
        // Every line is asked, and hardly any has one.
        var before: UInt8 = 0
        let mayAnnounce = line.utf8.contains { byte in
            defer { before = byte }
            return byte == UInt8(ascii: "<") && before == byte
        }
        guard mayAnnounce else { return [] }
        var expander = Expander()
        expander.keepsQuotes = true
        expander.keepsEscapes = true
        expander.keepsUnsetVariables = true
        expander.modifiersBeginWords = true
        guard let words = try? expander.words(line, NoVariables()) else { return [] }
        var result: [Heredoc] = []
        for word in words {
            if let heredoc = try Heredoc(word: word) { result.append(heredoc) }
        }
        return result
    }

    /// Reads `3<<-"NAME"`; nil for any other word.
    ///
    /// - Throws: `badExpansion` when the quotes of the name do not close.
    package init?(word: String) throws(DockerfileError) {
        var rest = word.unicodeScalars[...]
        let digits = rest.prefix { $0.value >= 0x30 && $0.value <= 0x39 }
        rest = rest.dropFirst(digits.count)
        guard rest.starts(with: "<<".unicodeScalars) else { return nil }
        rest = rest.dropFirst(2)
        let stripsTabs = rest.first == "-"
        if stripsTabs { rest = rest.dropFirst() }
        rest = rest.drop { $0.value < 0x80 && $0.isWhiteSpace && $0.value != 0x0B }
        guard !rest.isEmpty, !rest.contains("<") else { return nil }

        var expander = Expander()
        expander.keepsUnsetVariables = true
        expander.modifiersBeginWords = true
        let names = try expander.words(String(rest), NoVariables())
        guard names.count == 1, let name = names.first else { return nil }
        expander.keepsQuotes = true
        let rawNames = try expander.words(String(rest), NoVariables())
        guard rawNames.count == 1, let rawName = rawNames.first else {
            throw DockerfileError(.badHeredoc, "cannot read heredoc name \(excerpt(String(rest)))")
        }
        self.init(
            name: name,
            fileDescriptor: UInt(String(digits)) ?? (digits.isEmpty ? 0 : UInt.max),
            isExpanded: Self.quoteCount(name) == Self.quoteCount(rawName),
            stripsTabs: stripsTabs,
            content: [],
            lines: nil
        )
    }

    private static func quoteCount(_ text: String) -> Int {
        text.utf8.reduce(0) { $0 + ($1 == UInt8(ascii: "'") || $1 == UInt8(ascii: "\"") ? 1 : 0) }
    }
}

extension Node {
    /// Whether this instruction, or the one inside ONBUILD, may announce heredocs.
    var canHoldHeredocs: Bool {
        let node = name == "ONBUILD" ? trigger.first ?? self : self
        return ["ADD", "COPY", "RUN"].contains(node.name) && !node.isJSON
    }
}
