// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import ProjectFiles

/// A file of settings for tests that makes no sense.
package struct CaseTextError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// A TOML table with checks, for the files of cases and samples.
struct CaseText {
    let file: String
    /// Where the table stands in the file; empty for the file itself.
    private let path: String
    private let value: JSONValue

    init(_ bytes: [UInt8], file: String) throws(CaseTextError) {
        do throws(ProjectError) {
            value = json(try TOMLReader.parse(bytes, file: file))
        } catch {
            throw CaseTextError(description: error.description)
        }
        self.file = file
        path = ""
    }

    private init(file: String, path: String, value: JSONValue) {
        self.file = file
        self.path = path
        self.value = value
    }

    /// An error about this table.
    func error(_ text: String) -> CaseTextError {
        CaseTextError(description: "\(file): \(path.isEmpty ? "" : "[\(path)] ")\(text)")
    }

    /// Refuses members of other names: a misspelt one must not pass for nothing.
    func checkNames(_ names: Set<String>) throws(CaseTextError) {
        if let unknown = value.members.first(where: { !names.contains($0.name) }) {
            throw error("does not know \"\(unknown.name)\"; known are \(names.sorted().joined(separator: ", "))")
        }
    }

    func text(_ name: String) throws(CaseTextError) -> String? {
        guard let member = value[name] else { return nil }
        guard let text = member.text else { throw error("\(name) must be a string") }
        return text
    }

    func required(_ name: String) throws(CaseTextError) -> String {
        guard let text = try text(name) else { throw error("lacks \"\(name)\"") }
        return text
    }

    /// A whole number that is not negative.
    func number(_ name: String) throws(CaseTextError) -> Int? {
        guard let member = value[name] else { return nil }
        guard let number = member.integer.flatMap({ Int(exactly: $0) }), number >= 0 else {
            throw error("\(name) must be a whole number, not negative")
        }
        return number
    }

    func flag(_ name: String) throws(CaseTextError) -> Bool? {
        guard let member = value[name] else { return nil }
        guard let flag = member.truth else { throw error("\(name) must be true or false") }
        return flag
    }

    func list(_ name: String) throws(CaseTextError) -> [String]? {
        guard let member = value[name] else { return nil }
        let texts = member.elements?.compactMap(\.text)
        guard let texts, texts.count == member.elements?.count else { throw error("\(name) must be a list of strings") }
        return texts
    }

    /// A word of a fixed set.
    func word<Word: RawRepresentable<String> & CaseIterable>(
        _ name: String,
        _ type: Word.Type = Word.self
    ) throws(CaseTextError) -> Word? {
        guard let text = try text(name) else { return nil }
        guard let word = Word(rawValue: text) else {
            let words = Word.allCases.map(\.rawValue).joined(separator: ", ")
            throw error("\(name) is \"\(text)\"; allowed are \(words)")
        }
        return word
    }

    /// The strings of a table; empty when it is missing.
    func strings(in name: String) throws(CaseTextError) -> [String: String] {
        guard let table = try table(name) else { return [:] }
        var strings: [String: String] = [:]
        for member in table.value.members { strings[member.name] = try table.required(member.name) }
        return strings
    }

    func table(_ name: String) throws(CaseTextError) -> CaseText? {
        guard let member = value[name] else { return nil }
        guard case .object = member else { throw error("\(name) must be a table") }
        return CaseText(file: file, path: path.isEmpty ? name : "\(path).\(name)", value: member)
    }

    /// The tables of an array; none when it is missing.
    func tables(_ name: String) throws(CaseTextError) -> [CaseText] {
        guard let member = value[name] else { return [] }
        guard let elements = member.elements else { throw error("\(name) must be an array of tables") }
        return elements.enumerated().map { CaseText(file: file, path: "\(name)[\($0.offset)]", value: $0.element) }
    }
}

/// A table without its places.
private func json(_ table: ConfigTable) -> JSONValue {
    .object(table.members.map { JSONMember($0.key, json($0.node)) })
}

private func json(_ node: ConfigNode) -> JSONValue {
    switch node.value {
    case .string(let text), .dateTime(let text): .string(text)
    case .integer(let number): .integer(number)
    case .float(let number): .number(String(number))
    case .boolean(let flag): .bool(flag)
    case .array(let nodes): .array(nodes.map(json))
    case .table(let table): json(table)
    case .null: .null
    }
}
