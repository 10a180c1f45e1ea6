// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import OCI

// The forms BuildKit's clients read, and those for people.

extension TargetsDescription {
    func subrequestJSON(_ file: SourceText) -> JSONValue {
        let list = targets.map { target in
            var members = [JSONMember("name", .string(target.name))]
            if target.isDefault { members.append(JSONMember("default", .bool(true))) }
            members.add("description", target.description)
            members.add("base", target.base)
            members.add("platform", target.platform)
            members.append(JSONMember("location", locationJSON(target.ranges)))
            return JSONValue.object(members)
        }
        return .object([JSONMember("targets", .array(list)), JSONMember("sources", file.subrequestList)])
    }

    /// A table for people.
    var text: String {
        let rows = targets.map { [$0.isDefault ? "\($0.name) (default)" : $0.name, $0.description ?? ""] }
        return aligned([["TARGET", "DESCRIPTION"]] + rows)
    }
}

extension OutlineDescription {
    func subrequestJSON(_ file: SourceText) -> JSONValue {
        func needs(_ needs: [Need]) -> JSONValue {
            .array(
                needs.map { need in
                    var members = [JSONMember("name", .string(need.name))]
                    if need.isRequired { members.append(JSONMember("required", .bool(true))) }
                    members.append(JSONMember("location", locationJSON(need.ranges)))
                    return .object(members)
                }
            )
        }
        var members: [JSONMember] = []
        members.add("name", name)
        members.add("description", description)
        if !arguments.isEmpty {
            let list = arguments.map { argument in
                var members = [JSONMember("name", .string(argument.name))]
                members.add("description", argument.description)
                members.add("value", argument.value)
                members.append(JSONMember("location", locationJSON(argument.ranges)))
                return JSONValue.object(members)
            }
            members.append(JSONMember("args", .array(list)))
        }
        if !secrets.isEmpty { members.append(JSONMember("secrets", needs(secrets))) }
        if !ssh.isEmpty { members.append(JSONMember("ssh", needs(ssh))) }
        if !caches.isEmpty {
            let list = caches.map {
                JSONValue.object([
                    JSONMember("ID", .string($0.id)), JSONMember("location", locationJSON($0.ranges)),
                ])
            }
            members.append(JSONMember("cache", .array(list)))
        }
        members.append(JSONMember("sources", file.subrequestList))
        return .object(members)
    }

    /// Tables for people.
    var text: String {
        var rows: [[String]] = []
        if let name, !name.isEmpty { rows.append(["TARGET:", name]) }
        if let description, !description.isEmpty { rows.append(["DESCRIPTION:", description]) }
        var tables = rows.isEmpty ? [] : [aligned(rows)]
        if !arguments.isEmpty {
            let rows = arguments.map { [$0.name, $0.value ?? "", $0.description ?? ""] }
            tables.append(aligned([["BUILD ARG", "VALUE", "DESCRIPTION"]] + rows))
        }
        for (title, needs) in [("SECRET", secrets), ("SSH", ssh)] where !needs.isEmpty {
            let rows = needs.map { [$0.name, $0.isRequired ? "true" : ""] }
            tables.append(aligned([[title, "REQUIRED"]] + rows))
        }
        return tables.joined(separator: "\n")
    }
}

extension LintFindings {
    func subrequestJSON(_ file: SourceText) -> JSONValue {
        let warnings = diagnostics.map { diagnostic in
            var members = [
                JSONMember("ruleName", .string(diagnostic.code ?? "")),
                JSONMember("description", .string(diagnostic.detail.first ?? "")),
            ]
            members.add("url", diagnostic.url)
            members.append(JSONMember("detail", .string(diagnostic.message)))
            members.append(JSONMember("location", locationJSON(diagnostic.ranges)))
            return JSONValue.object(members)
        }
        let source = JSONValue.object([
            JSONMember("filename", .string(file.name)), JSONMember("data", .string(base64Encoded(file.bytes))),
        ])
        var members = [JSONMember("warnings", .array(warnings)), JSONMember("sources", .array([source]))]
        if let error {
            let location = JSONMember("location", locationJSON(error.ranges))
            members.append(
                JSONMember("buildError", .object([JSONMember("message", .string(error.message)), location]))
            )
        }
        return .object(members)
    }

    /// The findings with the lines they are about, for people.
    func text(_ file: SourceText) -> String {
        func problem(_ message: String, _ name: String?, _ ranges: [TextRange], _ notes: [String]) -> String {
            let source = name.map { $0 == file.name ? file : SourceText(name: $0, bytes: []) }
            return SourceProblem(message, in: source, at: ranges.first, notes: notes).rendered
        }
        var parts = diagnostics.map { diagnostic in
            "\(diagnostic.severity.rawValue): \(diagnostic.code ?? "")\n"
                + problem(diagnostic.message, diagnostic.fileName, diagnostic.ranges, diagnostic.detail)
        }
        if let error { parts.append("error\n" + problem(error.message, error.fileName, error.ranges, [])) }
        return parts.isEmpty ? "" : parts.joined(separator: "\n\n") + "\n"
    }
}

extension SourceText {
    fileprivate var subrequestList: JSONValue { .array([.string(base64Encoded(bytes))]) }
}

extension [JSONMember] {
    /// Adds a text that is there and not empty.
    fileprivate mutating func add(_ name: String, _ text: String?) {
        if let text, !text.isEmpty { append(JSONMember(name, .string(text))) }
    }
}

/// Ranges as BuildKit's JSON has them: columns count from 0 there, and only lines are certain to be used.
func locationJSON(_ ranges: [TextRange]) -> JSONValue {
    func position(_ line: Int, _ column: Int) -> JSONValue {
        var members = [JSONMember("line", .integer(line))]
        if column > 1 { members.append(JSONMember("character", .integer(column - 1))) }
        return .object(members)
    }
    return .object([
        JSONMember(
            "ranges",
            .array(
                ranges.map { range in
                    .object([
                        JSONMember("start", position(range.startLine, range.startColumn)),
                        JSONMember("end", position(range.endLine, range.endColumn)),
                    ])
                }
            )
        )
    ])
}

/// Rows with their columns below each other, two blanks apart; every row ends with a line feed.
func aligned(_ rows: [[String]]) -> String {
    let columnCount = rows.map(\.count).max() ?? 0
    let widths = (0..<columnCount).map { column in
        (rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0) + 2
    }
    return rows.map { row in
        var line = ""
        for (column, text) in row.enumerated() {
            line += text
            if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - text.count) }
        }
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }.joined()
}

/// Bytes as base64 with padding.
func base64Encoded(_ bytes: [UInt8]) -> String {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let group = bytes[start..<min(start + 3, bytes.count)]
        var bits: UInt32 = 0
        for index in 0..<3 { bits = bits << 8 | (index < group.count ? UInt32(group[start + index]) : 0) }
        for index in 0..<4 {
            text.append(index <= group.count ? digits[Int(bits >> UInt32(18 - 6 * index) & 63)] : UInt8(ascii: "="))
        }
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes of a base64 text with padding; `nil` for anything else.
func base64Decoded(_ text: String) -> [UInt8]? {
    guard text.utf8.count % 4 == 0 else { return nil }
    var bytes: [UInt8] = []
    var bits: UInt32 = 0
    var bitCount = 0
    var paddingCount = 0
    for byte in text.utf8 {
        let value: UInt32
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(byte) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): value = UInt32(byte) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): value = UInt32(byte) + 4
        case UInt8(ascii: "+"): value = 62
        case UInt8(ascii: "/"): value = 63
        case UInt8(ascii: "="):
            paddingCount += 1
            continue
        default: return nil
        }
        guard paddingCount == 0 else { return nil }
        bits = bits << 6 | value
        bitCount += 6
        if bitCount >= 8 {
            bitCount -= 8
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(bitCount)))
        }
    }
    return paddingCount <= 2 ? bytes : nil
}
