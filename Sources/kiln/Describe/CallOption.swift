// SPDX-License-Identifier: Apache-2.0

internal import Engine

/// `--call=WHAT[,format=json]`: what is wanted of the build file, when it is not a build.
struct CallOption: Hashable {
    /// `nil` for a build.
    var question: BuildQuestion?
    /// Whether the answer is printed as JSON instead of text for people.
    var isJSON = false

    /// Reads the option's value.
    init(parsing text: String) throws {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false)[...]
        let name = parts.popFirst() ?? ""
        switch name {
        case "build": question = nil
        case "check", "lint": question = .lint
        case "targets": question = .targets
        case "outline": question = .outline
        case "convert": question = .graph
        default:
            throw UsageError("unknown --call \"\(name)\"; allowed are build, check, outline, targets and convert")
        }
        for part in parts {
            guard part == "format=json" || part == "format=text" else {
                throw UsageError(
                    "cannot read --call \"\(text)\": allowed after the comma are format=json and format=text"
                )
            }
            isJSON = part == "format=json"
        }
    }

    /// `--check`.
    static func check(isJSON: Bool) -> CallOption { CallOption(question: .lint, isJSON: isJSON) }

    private init(question: BuildQuestion?, isJSON: Bool) {
        self.question = question
        self.isJSON = isJSON
    }
}
