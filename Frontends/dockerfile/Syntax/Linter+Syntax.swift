// SPDX-License-Identifier: Apache-2.0

// The rules that need nothing but the text.

extension Linter {
    mutating func checkFromCasing(_ node: Node) {
        let words = node.arguments.map(\.text)
        if words.count == 3, words[2] != words[2].lowercased() {
            report(
                .stageNameCasing,
                "Stage name '\(words[2])' should be lowercase",
                lines: node.lines,
                comments: node.comments
            )
        }
        let keyword = node.keyword.text
        guard words.count >= 3 else { return }
        let matches =
            if keyword == keyword.lowercased() {
                words[1] == words[1].lowercased()
            } else if keyword == keyword.uppercased() {
                words[1] == words[1].uppercased()
            } else {
                // A keyword in mixed case is the business of another rule.
                true
            }
        if !matches {
            report(
                .fromAsCasing,
                "'\(words[1])' and '\(keyword)' keywords' casing do not match",
                lines: node.lines,
                comments: node.comments
            )
        }
    }

    /// The last comment line before FROM or ARG, if any, should begin with the name of what it
    /// describes.
    mutating func checkDescription(_ keyword: String, names: [String], of node: Node) {
        guard let comment = node.comments.last, let example = names.first else { return }
        let word = cut(comment, at: " ")?.before ?? comment
        if names.contains(word) { return }
        let name = names.count > 1 ? "<arg_key>" : example
        report(
            .invalidDefinitionDescription,
            "Comment for \(keyword) should follow the format: `# \(name) <description>`",
            lines: node.lines,
            comments: node.comments
        )
    }

    mutating func checkStageNames(_ stages: [Stage]) {
        var seen: Set<String> = []
        for stage in stages where !stage.name.isEmpty {
            if stage.name == "context" || stage.name == "scratch" {
                report(
                    .reservedStageName,
                    "Stage name should not use the same name as reserved stage \"\(stage.name)\"",
                    lines: stage.lines
                )
            }
            if !seen.insert(stage.name).inserted {
                report(
                    .duplicateStageName,
                    "Duplicate stage name \"\(stage.name)\", stage names should be unique",
                    lines: stage.lines
                )
            }
        }
    }

    /// Whether more keywords are written in small letters than in capitals.
    static func areMostLowercase(_ keywords: [String]) -> Bool {
        let lowerCount = keywords.count { $0 == $0.lowercased() }
        let upperCount = keywords.count { $0 != $0.lowercased() && $0 == $0.uppercased() }
        return lowerCount > upperCount
    }

    /// All keywords should have the case that most of them have; a tie goes to capitals.
    mutating func checkKeywordCasing(_ stages: [Stage]) {
        let keywords = stages.flatMap { stage in
            [(stage.keyword, stage.lines)] + stage.instructions.map { ($0.keyword, $0.lines) }
        }
        let isMajorityLower = Self.areMostLowercase(keywords.map(\.0))
        for (keyword, lines) in keywords {
            let expected = isMajorityLower ? keyword.lowercased() : keyword.uppercased()
            if keyword == expected { continue }
            let majority = isMajorityLower ? "lowercase" : "uppercase"
            report(
                .consistentInstructionCasing,
                "Command '\(keyword)' should match the case of the command majority (\(majority))",
                lines: lines
            )
        }
    }
}
