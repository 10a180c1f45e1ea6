// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import FrontendProtocol
internal import LLB
internal import OCI

extension BuildDescription {
    /// The answer for people.
    var text: String {
        switch self {
        case .targets(let description): description.text
        case .outline(let description): description.text
        case .lint(let findings): findings.text
        case .graph(let bytes): Self.text(ofGraph: bytes)
        case .formatted(let bytes): String(decoding: bytes, as: UTF8.self)
        }
    }

    /// The answer for programs: the result of the protocol's method, with a line end.
    var json: String {
        let bytes =
            switch self {
            case .targets(let description): description.members.json
            case .outline(let description): description.members.json
            case .lint(let findings): findings.members.json
            case .graph(let definition): Wire.Converted(definition: .protobuf(definition)).members.json
            case .formatted(let bytes):
                (["content": .string(String(decoding: bytes, as: UTF8.self))] as WireObject).json
            }
        return String(decoding: bytes, as: UTF8.self) + "\n"
    }

    /// A definition in the JSON that frontends hand over, which the frontend llb reads again.
    private static func text(ofGraph bytes: [UInt8]) -> String {
        guard let json = try? Definition(serialized: bytes).json() else { return "\(bytes.count) bytes of LLB\n" }
        return json.encodedPretty() + "\n"
    }

    /// Whether a check found nothing; anything else is always fine.
    var isClean: Bool {
        if case .lint(let findings) = self { findings.isClean } else { true }
    }
}

extension TargetsDescription {
    fileprivate var text: String {
        let rows = targets.map { target in
            let name = target.name.isEmpty ? "(default)" : target.name + (target.isDefault ? " (default)" : "")
            let base = (target.base ?? "") + (target.platform.map { " on \($0)" } ?? "")
            return [name, base, target.description ?? ""]
        }
        return table([["TARGET", "BASE", "DESCRIPTION"]] + rows)
    }
}

extension OutlineDescription {
    fileprivate var text: String {
        var sections: [String] = []
        if name != nil || description != nil {
            var rows = [["TARGET:", name ?? "(default)"]]
            if let description { rows.append(["DESCRIPTION:", description]) }
            sections.append(table(rows))
        }
        if !arguments.isEmpty {
            let rows = arguments.map { [$0.name, $0.value ?? "", $0.description ?? ""] }
            sections.append(table([["BUILD ARG", "VALUE", "DESCRIPTION"]] + rows))
        }
        for (title, needs) in [("SECRET", secrets), ("SSH", ssh)] where !needs.isEmpty {
            sections.append(table([[title, "REQUIRED"]] + needs.map { [$0.name, $0.isRequired ? "yes" : ""] }))
        }
        if !caches.isEmpty { sections.append(table([["CACHE"]] + caches.map { [$0.id] })) }
        return sections.isEmpty ? "It takes nothing.\n" : sections.joined(separator: "\n")
    }
}

extension LintFindings {
    fileprivate var text: String { isClean ? "Check complete, no warnings found.\n" : lines }

    /// One line a finding, for people and editors: `FILE:LINE:COLUMN: warning: RULE: …`; empty when there is none.
    ///
    /// The error stands where it is in the file.
    var lines: String {
        var lines = diagnostics.map { diagnostic in
            let code = diagnostic.code.map { "\($0): " } ?? ""
            let url = diagnostic.url.map { " (\($0))" } ?? ""
            let words = diagnostic.message.hasPrefix(code) ? diagnostic.message : code + diagnostic.message
            return "\(place(diagnostic.fileName, diagnostic.ranges))\(diagnostic.severity.rawValue): \(words)\(url)\n"
        }
        if let error {
            let start = error.ranges.first.map { ($0.startLine, $0.startColumn) }
            let next = diagnostics.firstIndex { diagnostic in
                guard let start, let range = diagnostic.ranges.first else { return false }
                return diagnostic.fileName == error.fileName && (range.startLine, range.startColumn) > start
            }
            let line = "\(place(error.fileName, error.ranges))error: \(error.message)\n"
            lines.insert(line, at: next ?? lines.endIndex)
        }
        return lines.joined()
    }

    private func place(_ file: String?, _ ranges: [TextRange]) -> String {
        guard let file else { return "" }
        guard let range = ranges.first else { return "\(file): " }
        let column = range.startColumn > 0 ? ":\(range.startColumn)" : ""
        return "\(file):\(range.startLine)\(column): "
    }
}

/// Rows with their columns below each other, two blanks apart; blanks at the ends of lines are left out.
private func table(_ rows: [[String]]) -> String {
    let widths = (0..<(rows.map(\.count).max() ?? 0)).map { column in
        rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
    }
    return rows.map { row in
        var line = ""
        for (column, text) in row.enumerated() {
            line += text + String(repeating: " ", count: widths[column] - text.count + 2)
        }
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }.joined()
}
