// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendProtocol
internal import OCI

/// How the findings of a lint are written.
enum LintFormat: String, CaseIterable, ExpressibleByArgument {
    /// A line a finding, for people and editors.
    case text
    /// An array with an object a file: `file`, and the members of the protocol's answer.
    case json
    /// SARIF 2.1.0, for code review.
    case sarif

    /// - Parameter isComplete: Whether every file could be linted.
    func text(of files: [LintedFile], isComplete: Bool) -> String {
        switch self {
        case .text: Self.lines(files)
        case .json: Self.json(files)
        case .sarif: SARIFLog(files, isComplete: isComplete).json.encodedPretty() + "\n"
        }
    }

    private static func lines(_ files: [LintedFile]) -> String {
        let all = files.map(\.namedFindings)
        let text = all.map(\.lines).joined()
        if text.isEmpty { return files.isEmpty ? "" : "Check complete, no warnings found.\n" }
        let diagnostics = all.flatMap(\.diagnostics)
        let count = diagnostics.count + all.count { $0.error != nil }
        let fixable = diagnostics.count { !$0.fixes.isEmpty }
        let fileCount = all.count { !$0.isClean }
        let hint = fixable > 0 ? "; kiln lint --fix fixes \(fixable)" : ""
        return text + "\(counted(count, "finding")) in \(counted(fileCount, "file"))\(hint)\n"
    }

    private static func counted(_ count: Int, _ noun: String) -> String { "\(count) \(noun)\(count == 1 ? "" : "s")" }

    private static func json(_ files: [LintedFile]) -> String {
        let objects = files.map { file in
            var members: WireObject = ["file": .string(file.path)]
            for member in file.namedFindings.members.members { members[member.name] = member.value }
            return String(decoding: members.json, as: UTF8.self)
        }
        return "[" + objects.joined(separator: ",\n ") + "]\n"
    }
}
