// SPDX-License-Identifier: Apache-2.0

/// Edits that together remove what a warning is about.
package struct LintFix: Sendable, Hashable {
    /// One stretch of the file, and what stands there instead.
    package struct Edit: Sendable, Hashable {
        /// Start and end in the same place insert the text there.
        package let range: SourceRange
        package let text: String

        package init(_ range: SourceRange, _ text: String) {
            self.range = range
            self.text = text
        }
    }

    /// What it does, in a few words: `write FROM`.
    package let title: String
    /// Never empty; no two overlap.
    package let edits: [Edit]

    package init(_ title: String, _ edits: [Edit]) {
        self.title = title
        self.edits = edits
    }
}

/// Finds fixes for what the linter found, where fixing it is mechanical.
package struct LintFixer: Sendable {
    let document: SourceDocument
    /// Indices of nodes by their first line.
    private let nodeIndices: [Int: Int]
    /// The stage of each node, counted from 0 for what stands before the first FROM.
    private let stageIndices: [Int]
    /// The keywords in each stage, in capitals.
    private let stageKeywords: [Set<String>]
    private let prefersLowercase: Bool

    package init(_ document: SourceDocument) {
        self.document = document
        let nodes = document.tree.nodes
        var indices: [Int: Int] = [:]
        for (index, node) in nodes.enumerated() { indices[node.lines.lowerBound] = index }
        nodeIndices = indices
        var stages: [Int] = []
        var keywords: [Set<String>] = [[]]
        for node in nodes {
            let name = node.name
            if name == "FROM" { keywords.append([]) }
            keywords[keywords.count - 1].insert(name)
            stages.append(keywords.count - 1)
        }
        stageIndices = stages
        stageKeywords = keywords
        let firstStage = stages.firstIndex { $0 > 0 } ?? nodes.count
        prefersLowercase = Linter.areMostLowercase(nodes[firstStage...].map(\.keyword.text))
    }

    /// The fix for a warning about this file; nil where somebody has to decide something.
    package func fix(for warning: LintWarning) -> LintFix? {
        if warning.rule == .noEmptyContinuation { return emptyLinesFix(endingAt: warning.lines.upperBound) }
        guard let index = nodeIndices[warning.lines.lowerBound] else { return nil }
        let node = document.tree.nodes[index]
        switch warning.rule {
        case .consistentInstructionCasing: return keywordFix(node)
        case .fromAsCasing: return asFix(node)
        case .stageNameCasing: return stageNameFix(node)
        case .legacyKeyValueFormat: return keyValueFix(node)
        case .maintainerDeprecated: return maintainerFix(node)
        case .jsonArgsRecommended: return jsonFix(node, beside: stageKeywords[stageIndices[index]])
        case .exposeProtoCasing: return protocolFix(node, warning)
        case .redundantTargetPlatform: return platformFix(node)
        default: return nil
        }
    }

    /// Replaces words in one line; nil when one of them goes over several.
    func replacing(_ title: String, _ words: [(range: SourceRange, text: String)]) -> LintFix? {
        guard !words.isEmpty, words.allSatisfy({ $0.range.start.line == $0.range.end.line }) else { return nil }
        return LintFix(title, words.map { LintFix.Edit($0.range, $0.text) })
    }

    private func keywordFix(_ node: Node) -> LintFix? {
        let keyword = prefersLowercase ? node.keyword.text.lowercased() : node.keyword.text.uppercased()
        return replacing("write \(keyword)", [(node.keyword.range, keyword)])
    }

    private func asFix(_ node: Node) -> LintFix? {
        guard node.arguments.count == 3 else { return nil }
        let keyword = node.keyword.text
        let word = keyword == keyword.lowercased() ? "as" : "AS"
        return replacing("write \(word)", [(node.arguments[1].range, word)])
    }

    private func stageNameFix(_ node: Node) -> LintFix? {
        guard node.arguments.count == 3 else { return nil }
        let name = node.arguments[2].text.lowercased()
        return replacing("name the stage \(name)", [(node.arguments[2].range, name)])
    }

    private func protocolFix(_ node: Node, _ warning: LintWarning) -> LintFix? {
        // Each port has a warning of its own; a list without end is not searched for each.
        guard node.arguments.count <= 64 else { return nil }
        let ports = node.arguments.filter { warning.message.contains("'\($0.text)'") }
        let words = ports.map { (range: $0.range, text: $0.text.lowercased()) }
        // A variable's name is not to be changed with it.
        guard ports.allSatisfy({ !$0.text.contains("$") }) else { return nil }
        return replacing("write \(words.map(\.text).joined(separator: " "))", words)
    }

    private func platformFix(_ node: Node) -> LintFix? {
        guard node.flags.count == 1, let flag = node.flags.first, let image = node.arguments.first,
            flag.range.start.line == image.range.start.line
        else { return nil }
        let range = SourceRange(start: flag.range.start, end: image.range.start)
        return replacing("take away \(flag.text)", [(range, "")])
    }

    /// Takes away the empty lines between the lines of an instruction.
    private func emptyLinesFix(endingAt last: Int) -> LintFix? {
        guard (1...document.lines.count).contains(last) else { return nil }
        func index(_ number: Int) -> Int? {
            switch document.lines[number - 1].role {
            case .instruction(let index), .innerBlank(let index), .innerComment(let index): index
            default: nil
            }
        }
        guard let instruction = index(last) else { return nil }
        var edits: [LintFix.Edit] = []
        for number in document.tree.nodes[instruction].lines.lowerBound...last {
            let line = document.lines[number - 1]
            guard line.role == .innerBlank(instruction) else { continue }
            let start = SourcePosition(line: number, column: 1)
            let end =
                line.ending.isEmpty
                ? SourcePosition(line: number, column: line.range.count + 1)
                : SourcePosition(line: number + 1, column: 1)
            if start < end { edits.append(LintFix.Edit(SourceRange(start: start, end: end), "")) }
        }
        return edits.isEmpty ? nil : LintFix("take the empty lines away", edits)
    }
}
