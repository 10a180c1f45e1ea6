// SPDX-License-Identifier: Apache-2.0

internal import Engine

/// `--call=WHAT[,format=json]`: what is wanted of the build file, when it is not a build.
struct CallOption: Hashable {
    /// `nil` for a build.
    var question: BuildQuestion?
    /// A question by the name BuildKit gives it, without `frontend.`, that is asked by an option of the build.
    var subrequest: String?
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
        case "subrequests.describe", "convertllb": subrequest = String(name)
        default:
            throw UsageError(
                "unknown --call \"\(name)\"; allowed are build, check, outline, targets, convert and "
                    + "subrequests.describe"
            )
        }
        for part in parts {
            guard part == "format=json" || part == "format=text" else {
                throw UsageError(
                    "cannot read --call \"\(text)\": allowed after the comma are format=json and format=text"
                )
            }
            isJSON = part == "format=json"
        }
        // A graph has one form only.
        if subrequest == "convertllb" { isJSON = true }
    }

    /// `--check`.
    static func check(isJSON: Bool) -> CallOption { CallOption(question: .lint, isJSON: isJSON) }

    /// The option of a build that asks for a subrequest.
    var frontendOptions: [String: String] { subrequest.map { ["requestid": "frontend." + $0] } ?? [:] }

    private init(question: BuildQuestion?, isJSON: Bool) {
        self.question = question
        self.isJSON = isJSON
    }
}
