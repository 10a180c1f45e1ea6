// SPDX-License-Identifier: Apache-2.0

package import ProjectFiles

/// Changes single entries of a `kiln.toml` and leaves every other line as it is: comments, order, blanks.
///
/// The text is edited by lines, and what comes out is read again: unless it says exactly what was meant, and nothing else
/// changed, the edit is refused and left to its author.
package struct ProjectFileEdit: Sendable {
    private var lines: [String]
    private let file: String

    /// - Parameter text: The file as it is; `nil` for a new one.
    package init(_ text: [UInt8]?, file: String = ProjectFile.fileName) throws(FrontendStoreError) {
        self.file = file
        guard let text else {
            lines = ["version = 1"]
            return
        }
        guard let text = String(validating: text, as: UTF8.self) else {
            throw FrontendStoreError(.failed, "cannot edit \(file): it is not UTF-8")
        }
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        while lines.last?.isEmpty == true { lines.removeLast() }
    }

    /// The file's bytes.
    package var bytes: [UInt8] { Array((lines.joined(separator: "\n") + "\n").utf8) }

    // MARK: [frontends]

    /// Adds a frontend or changes its entry.
    ///
    /// - Parameters:
    ///   - source: `nil` for a bundled one.
    ///   - package: What its publisher calls it, where that differs.
    package mutating func setFrontend(
        _ name: FrontendName,
        version: VersionConstraint,
        source: String?,
        package: FrontendName? = nil
    ) throws {
        let before = try parsed()
        var fields: [String] = []
        if let package, package != name { fields.append("package = \(Self.quoted(package.text))") }
        fields.append("version = \(Self.quoted(version.text))")
        if let source { fields.append("source = \(Self.quoted(source))") }
        let value = source == nil ? Self.quoted(version.text) : "{ \(fields.joined(separator: ", ")) }"
        let line = before?.requirement(name)?.line
        if let line, lines.indices.contains(line - 1), let table = Self.header(lines[line - 1]) {
            // A table of its own: its keys are set one by one.
            try set("version", to: Self.quoted(version.text), in: table, after: line - 1)
            if let source { try set("source", to: Self.quoted(source), in: table, after: line - 1) }
            if let package, package != name {
                try set("package", to: Self.quoted(package.text), in: table, after: line - 1)
            }
        } else {
            try set(Self.key(name), to: value, in: "frontends", line: line)
        }
        let after = try requireReadable()
        let origin = after.requirement(name)?.origin
        guard origin == (source.map { .source($0) } ?? .bundled), after.requirement(name)?.version == version,
            Self.others(after, but: name) == Self.others(before, but: name)
        else { throw byHand("\(Self.key(name)) = \(value)") }
    }

    /// Takes a frontend out.
    ///
    /// - Returns: `false` when it is not listed.
    package mutating func removeFrontend(_ name: FrontendName) throws -> Bool {
        guard let before = try parsed(), let requirement = before.requirement(name) else { return false }
        let index = requirement.line - 1
        guard lines.indices.contains(index) else { throw byHand("[frontends] without \(name)") }
        if Self.header(lines[index]) != nil {
            var end = index + 1
            while end < lines.count, Self.header(lines[end]) == nil { end += 1 }
            // Comments before the next header belong to that.
            while end > index + 1, lines[end - 1].isBlankOrComment { end -= 1 }
            lines.removeSubrange(index..<end)
        } else {
            lines.remove(at: index)
        }
        let after = try requireReadable()
        guard after.requirement(name) == nil, Self.others(after, but: name) == Self.others(before, but: name) else {
            throw byHand("[frontends] without \(name)")
        }
        return true
    }

    // MARK: [trust]

    /// Adds a key that the releases of some sources are trusted by.
    ///
    /// - Returns: `false` when it is there already.
    package mutating func addTrust(_ key: TrustedKey, for pattern: String, isRequired: Bool) throws -> Bool {
        let before = try rules()
        let standing = before.trust.first { $0.match == pattern }
        if let standing, standing.keys.contains(key.description), standing.isRequired || !isRequired { return false }
        let header = "[trust.\(Self.quoted(pattern))]"
        let keys = (standing?.keys ?? []).filter { $0 != key.description } + [key.description]
        let list = "[" + keys.map(Self.quoted).joined(separator: ", ") + "]"
        if standing != nil {
            guard let index = lines.firstIndex(where: { Self.header($0) == "trust.\(Self.quoted(pattern))" }) else {
                throw byHand("\(header) keys = \(list)")
            }
            try set("keys", to: list, in: "trust", after: index)
            if isRequired { try set("required", to: "true", in: "trust", after: index) }
        } else {
            lines += ["", header, "keys = \(list)"]
            if isRequired { lines.append("required = true") }
        }
        let after = try rules()
        guard after.trust.first(where: { $0.match == pattern })?.keys == keys,
            after.trust.filter({ $0.match != pattern }) == before.trust.filter({ $0.match != pattern }),
            after.mirrors == before.mirrors
        else { throw byHand("\(header) keys = \(list)") }
        return true
    }

    // MARK: Lines

    /// Puts `key = value` in a table: in the place of the line that has the key, else at the table's end.
    ///
    /// - Parameters:
    ///   - line: Where the key stands, counted from 1, if that is known.
    ///   - start: The table's header, counted from 0, if that is known: then the key is looked for below it.
    private mutating func set(
        _ key: String,
        to value: String,
        in table: String,
        line: Int? = nil,
        after start: Int? = nil
    ) throws {
        if let line, lines.indices.contains(line - 1) {
            let old = lines[line - 1]
            guard let equals = old.firstIndex(of: "="), Self.isWholeValue(old[old.index(after: equals)...]) else {
                throw byHand("\(key) = \(value)")
            }
            lines[line - 1] = old[..<equals] + "= " + value + Self.comment(old)
            return
        }
        guard let header = start ?? lines.firstIndex(where: { Self.header($0) == table }) else {
            if lines.last?.isEmpty == false { lines.append("") }
            lines += ["[\(table)]", "\(key) = \(value)"]
            return
        }
        var end = header + 1
        while end < lines.count, Self.header(lines[end]) == nil {
            if start != nil, Self.keyText(lines[end]) == key {
                guard let equals = lines[end].firstIndex(of: "="),
                    Self.isWholeValue(lines[end][lines[end].index(after: equals)...])
                else { throw byHand("\(key) = \(value)") }
                lines[end] = "\(key) = \(value)" + Self.comment(lines[end])
                return
            }
            end += 1
        }
        while end > header + 1, lines[end - 1].isBlankOrComment { end -= 1 }
        lines.insert("\(key) = \(value)", at: end)
    }

    /// What stands between the brackets of a table's header; `nil` for any other line.
    private static func header(_ line: String) -> String? {
        let trimmed = line.trimmingSpaces
        guard trimmed.hasPrefix("[") else { return nil }
        // Arrays of tables end a table as well.
        var inner = trimmed.dropFirst()
        guard let close = inner.lastIndex(of: "]") else { return nil }
        inner = inner[..<close]
        return String(inner)
    }

    private static func keyText(_ line: String) -> String? {
        guard let equals = line.firstIndex(of: "=") else { return nil }
        return String(line[..<equals]).trimmingSpaces
    }

    /// Whether a value ends on its line: its quotes and brackets are closed.
    private static func isWholeValue(_ text: Substring) -> Bool {
        var depth = 0
        var quote: Character?
        var isEscaped = false
        for character in text {
            if let open = quote {
                if isEscaped {
                    isEscaped = false
                } else if character == "\\", open == "\"" {
                    isEscaped = true
                } else if character == open {
                    quote = nil
                }
                continue
            }
            switch character {
            case "\"", "'": quote = character
            case "[", "{": depth += 1
            case "]", "}": depth -= 1
            case "#": return depth == 0
            default: continue
            }
        }
        return depth == 0 && quote == nil
    }

    /// The comment at a line's end, with the blanks before it; empty without one.
    private static func comment(_ line: String) -> String {
        var quote: Character?
        var isEscaped = false
        for index in line.indices {
            let character = line[index]
            if let open = quote {
                if isEscaped {
                    isEscaped = false
                } else if character == "\\", open == "\"" {
                    isEscaped = true
                } else if character == open {
                    quote = nil
                }
                continue
            }
            if character == "\"" || character == "'" { quote = character }
            if character == "#" {
                var start = index
                while start > line.startIndex, line[line.index(before: start)].isWhitespace {
                    start = line.index(before: start)
                }
                return String(line[start...])
            }
        }
        return ""
    }

    private static func key(_ name: FrontendName) -> String {
        let isBare = name.text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isBare ? name.text : quoted(name.text)
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let hex = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    // MARK: Reading again

    private func parsed() throws -> ProjectFile? {
        lines == ["version = 1"] ? nil : try ProjectFile(toml: bytes, file: file)
    }

    private func requireReadable() throws -> ProjectFile {
        do {
            return try ProjectFile(toml: bytes, file: file)
        } catch {
            throw FrontendStoreError(.failed, "cannot edit \(file) by itself (\(error)); edit it by hand", cause: error)
        }
    }

    private func rules() throws -> OriginRules {
        if file == ProjectFile.fileName { return try ProjectFile(toml: bytes, file: file).origins }
        return try OriginRules(toml: bytes, file: file)
    }

    /// What an edit of one frontend must leave as it was, but for line numbers.
    private struct Others: Equatable {
        var frontends: [FrontendName: String] = [:]
        var order: [FrontendName] = []
        var rest: [String] = []
    }

    private static func others(_ project: ProjectFile?, but name: FrontendName) -> Others {
        guard let project else { return Others() }
        var others = Others()
        for requirement in project.frontends where requirement.name != name {
            others.order.append(requirement.name)
            others.frontends[requirement.name] = "\(requirement.package) \(requirement.version) \(requirement.origin)"
        }
        others.rest = [
            "\(project.platforms)", "\(project.filePatterns.map { "\($0.pattern)=\($0.frontend)" })",
            "\(project.aliases.sorted { $0.key < $1.key })", "\(project.grants.sorted { $0.key < $1.key })",
            "\(String(describing: project.unlistedPolicy))", "\(project.origins)",
        ]
        if others.rest == Self.emptyRest { others.rest = [] }
        return others
    }

    private static let emptyRest = ["[]", "[]", "[]", "[]", "nil", "\(OriginRules.none)"]

    private func byHand(_ text: String) -> FrontendStoreError {
        FrontendStoreError(
            .conflict,
            "cannot edit \(file) by itself: it is written in a way of its own; write by hand: \(text)"
        )
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text.removeFirst() }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    fileprivate var isBlankOrComment: Bool {
        let text = trimmingSpaces
        return text.isEmpty || text.hasPrefix("#")
    }
}
