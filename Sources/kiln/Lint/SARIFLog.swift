// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI
internal import SystemPackage

/// The findings of a lint as a SARIF log.
///
/// Source: OASIS SARIF 2.1.0, §3.13 log, §3.27 result, §3.30 region, §3.55 fix.
struct SARIFLog {
    private let files: [LintedFile]
    private let isComplete: Bool
    /// Rules in the order in which they were first broken.
    private let rules: [Diagnostic]
    private let ruleIndices: [String: Int]

    init(_ files: [LintedFile], isComplete: Bool) {
        self.files = files
        self.isComplete = isComplete
        var rules: [Diagnostic] = []
        var indices: [String: Int] = [:]
        for diagnostic in files.flatMap(\.findings.diagnostics) {
            guard let code = diagnostic.code, indices[code] == nil else { continue }
            indices[code] = rules.count
            rules.append(diagnostic)
        }
        self.rules = rules
        ruleIndices = indices
    }

    var json: JSONValue {
        .object([
            JSONMember("$schema", .string("https://json.schemastore.org/sarif-2.1.0.json")),
            JSONMember("version", .string("2.1.0")),
            JSONMember("runs", .array([run])),
        ])
    }

    private var run: JSONValue {
        let driver = JSONValue.object([
            JSONMember("name", .string("kiln")),
            JSONMember("semanticVersion", .string(Version.text)),
            JSONMember("rules", .array(rules.map(Self.rule))),
        ])
        let invocation = JSONValue.object([JSONMember("executionSuccessful", .bool(isComplete))])
        return .object([
            JSONMember("tool", .object([JSONMember("driver", driver)])),
            JSONMember("invocations", .array([invocation])),
            JSONMember("columnKind", .string("unicodeCodePoints")),
            JSONMember("results", .array(files.flatMap(results))),
        ])
    }

    private static func rule(_ diagnostic: Diagnostic) -> JSONValue {
        var members = [JSONMember("id", .string(diagnostic.code ?? ""))]
        if let summary = diagnostic.detail.first, !summary.isEmpty {
            members.append(JSONMember("shortDescription", message(summary)))
        }
        if let url = diagnostic.url { members.append(JSONMember("helpUri", .string(url))) }
        return .object(members)
    }

    private func results(_ file: LintedFile) -> [JSONValue] {
        let source = SARIFSource(file)
        let findings = file.namedFindings
        var results = findings.diagnostics.map { diagnostic in
            var members: [JSONMember] = []
            if let code = diagnostic.code {
                members.append(JSONMember("ruleId", .string(code)))
                members.append(JSONMember("ruleIndex", .integer(ruleIndices[code] ?? -1)))
            }
            let level =
                switch diagnostic.severity {
                case .error: "error"
                case .warning: "warning"
                case .hint: "note"
                }
            members.append(JSONMember("level", .string(level)))
            members.append(JSONMember("message", Self.message(diagnostic.message)))
            members.append(JSONMember("locations", source.locations(diagnostic.fileName, diagnostic.ranges)))
            let fixes = diagnostic.fixes.compactMap(source.fix)
            if !fixes.isEmpty { members.append(JSONMember("fixes", .array(fixes))) }
            return JSONValue.object(members)
        }
        if let error = findings.error {
            results.append(
                .object([
                    JSONMember("level", .string("error")), JSONMember("message", Self.message(error.message)),
                    JSONMember("locations", source.locations(error.fileName, error.ranges)),
                ])
            )
        }
        return results
    }

    fileprivate static func message(_ text: String) -> JSONValue { .object([JSONMember("text", .string(text))]) }
}

/// Places in one linted file, as SARIF has them: columns in code points.
private struct SARIFSource {
    let path: String
    let index: LineIndex

    init(_ file: LintedFile) {
        path = file.path
        index = LineIndex(file.source)
    }

    func locations(_ name: String?, _ ranges: [TextRange]) -> JSONValue {
        let isOwn = name == path
        let artifact = JSONMember("artifactLocation", artifact(name ?? path))
        // Of several ranges each is a place of one result; without one the file is.
        let regions = ranges.isEmpty ? [nil] : ranges.map { region($0, isOwn: isOwn) }
        return .array(
            regions.map { region in
                var physical = [artifact]
                if let region { physical.append(JSONMember("region", region)) }
                return .object([JSONMember("physicalLocation", .object(physical))])
            }
        )
    }

    func fix(_ fix: Diagnostic.Fix) -> JSONValue? {
        guard fix.edits.allSatisfy({ index.offsets(of: $0.range) != nil }) else { return nil }
        let replacements = fix.edits.map { edit in
            JSONValue.object([
                JSONMember("deletedRegion", region(edit.range, isOwn: true) ?? .null),
                JSONMember("insertedContent", SARIFLog.message(edit.text)),
            ])
        }
        let change = JSONValue.object([
            JSONMember("artifactLocation", artifact(path)), JSONMember("replacements", .array(replacements)),
        ])
        return .object([
            JSONMember("description", SARIFLog.message(fix.title)), JSONMember("artifactChanges", .array([change])),
        ])
    }

    private func region(_ range: TextRange, isOwn: Bool) -> JSONValue? {
        guard range.startLine > 0 else { return nil }
        var members = [JSONMember("startLine", .integer(range.startLine))]
        let start = isOwn ? column(range.startLine, range.startColumn) : nil
        if let start { members.append(JSONMember("startColumn", .integer(start))) }
        members.append(JSONMember("endLine", .integer(max(range.startLine, range.endLine))))
        if start != nil, let end = column(range.endLine, range.endColumn) {
            members.append(JSONMember("endColumn", .integer(end)))
        }
        return .object(members)
    }

    private func column(_ number: Int, _ column: Int) -> Int? {
        guard column > 0, let line = index.line(number) else { return nil }
        return String(decoding: line.prefix(column - 1), as: UTF8.self).unicodeScalars.count + 1
    }

    /// The address of a file: relative when its path is.
    private func artifact(_ path: String) -> JSONValue {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/".utf8)
        var address = path.hasPrefix("/") ? "file://" : ""
        let digits = Array("0123456789ABCDEF")
        for byte in path.utf8 {
            if plain.contains(byte) {
                address.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                address += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }
        return .object([JSONMember("uri", .string(address))])
    }
}
