// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
internal import FrontendProtocol

/// Reads the values of a spec, variables replaced, and collects all that is wrong with them.
///
/// A method that cannot give a value has added a problem and gives `nil`, so that reading goes on behind it.
final class SpecReader {
    /// What variables stand for.
    let scope: VariableScope
    private(set) var problems: [SourceProblem] = []
    /// Variables whose values were asked for.
    private(set) var usedVariables: Set<String> = []
    /// Variables of the spec that scripts seem to use, and where.
    private(set) var scriptVariables: [(name: String, place: Place)] = []
    private static let problemCountMax = 100

    init(scope: VariableScope) { self.scope = scope }

    func report(_ message: String, at place: Place, notes: [String] = []) {
        guard problems.count < Self.problemCountMax else { return }
        let problem = place.problem(message, notes: notes)
        // Several steps may share a node by an alias.
        if !problems.contains(problem) { problems.append(problem) }
    }

    // MARK: Scalars

    /// A text with its variables replaced.
    ///
    /// - Parameter what: What it is for, in messages: `"base"`.
    func text(_ node: YAMLNode, _ what: String) -> String? {
        guard let raw = rawText(node, what) else { return nil }
        return expanded(raw, node)
    }

    /// A text as it stands: for shells, which have variables of their own.
    func rawText(_ node: YAMLNode, _ what: String) -> String? {
        guard case .scalar(let text, _) = node.content else {
            report("\(what) is \(node.kindName), expected a text", at: node.place)
            return nil
        }
        guard !node.isNull else {
            report("\(what) has no value", at: node.place)
            return nil
        }
        return text
    }

    private func expanded(_ text: String, _ node: YAMLNode) -> String? {
        let template: Template
        do throws(Template.Failure) {
            template = try Template(text)
        } catch {
            report(error.message, at: node.place)
            return nil
        }
        var result = ""
        for part in template.parts {
            switch part {
            case .text(let text): result += text
            case .variable(let name, let offset):
                usedVariables.insert(name)
                guard let value = scope.value(name) else {
                    reportUnknown(name, offset, node)
                    return nil
                }
                result += value
            }
            guard result.utf8.count <= YAMLLimits.standard.scalarByteCount else {
                report("this text is too long once its variables are replaced", at: node.place)
                return nil
            }
        }
        return result
    }

    /// The value of a variable that is named without `${}`.
    func value(of name: String, at place: Place) -> String? {
        usedVariables.insert(name)
        if let value = scope.value(name) { return value }
        if !scope.isDeclared(name) {
            report("unknown variable \"\(shortened(name))\"" + suggestion(for: name, among: scope.names), at: place)
        }
        return nil
    }

    func noteScriptVariable(_ name: String, at place: Place) { scriptVariables.append((name, place)) }

    private func reportUnknown(_ name: String, _ offset: Int, _ node: YAMLNode) {
        // A variable declared with a fault has been reported where it stands.
        guard !scope.isDeclared(name) else { return }
        var place = node.place
        if case .scalar(let text, isPlain: true) = node.content, !text.contains("\n"),
            place.range.startLine == place.range.endLine
        {
            place = place.part(offset: offset, length: name.utf8.count + 3)
        }
        report(
            "unknown variable \"\(name)\"" + suggestion(for: name, among: scope.names),
            at: place,
            notes: ["declare it under variables:, or write $${\(name)} for a plain ${\(name)}"]
        )
    }

    /// One of a few words.
    func word<Word: RawRepresentable & CaseIterable>(_ node: YAMLNode, _ what: String, _: Word.Type) -> Word?
    where Word.RawValue == String {
        guard let text = text(node, what) else { return nil }
        if let word = Word(rawValue: text) { return word }
        let known = Word.allCases.map(\.rawValue)
        report(
            "\(what) is \"\(shortened(text))\", expected \(known.joined(separator: ", "))"
                + suggestion(for: text, among: known),
            at: node.place
        )
        return nil
    }

    func boolean(_ node: YAMLNode, _ what: String) -> Bool? {
        guard let text = text(node, what) else { return nil }
        switch text {
        case "true": return true
        case "false": return false
        default:
            let notes =
                ["yes", "no", "on", "off", "True", "False"].contains(text)
                ? ["write true or false, in small letters"] : []
            report("\(what) is \"\(shortened(text))\", expected true or false", at: node.place, notes: notes)
            return nil
        }
    }

    func integer(_ node: YAMLNode, _ what: String, in range: ClosedRange<Int64>) -> Int64? {
        guard let text = text(node, what) else { return nil }
        guard let number = Int64(text), range.contains(number) else {
            report(
                "\(what) is \"\(shortened(text))\", expected a number from \(range.lowerBound) to \(range.upperBound)",
                at: node.place
            )
            return nil
        }
        return number
    }

    /// An absolute path in an image, cleaned.
    func absolutePath(_ node: YAMLNode, _ what: String) -> String? {
        guard let text = path(node, what) else { return nil }
        guard text.hasPrefix("/") else {
            report("\(what) is \"\(shortened(text))\", expected a path that begins with /", at: node.place)
            return nil
        }
        return text
    }

    /// A path that is not empty and has no NUL.
    func path(_ node: YAMLNode, _ what: String) -> String? {
        guard let text = text(node, what) else { return nil }
        guard !text.isEmpty, text.utf8.count < 4096, !text.utf8.contains(0) else {
            report("\(what) is no path: \"\(shortened(text))\"", at: node.place)
            return nil
        }
        return text
    }

    // MARK: Collections

    /// Elements of a list; a value alone counts as a list of itself.
    func elements(_ node: YAMLNode, _ what: String) -> [YAMLNode] {
        switch node.content {
        case .sequence(let elements): return elements
        case .scalar where node.isNull:
            report("\(what) has no value", at: node.place)
            return []
        case .scalar, .mapping: return [node]
        }
    }

    /// Elements of a list; a value alone is refused.
    func list(_ node: YAMLNode, _ what: String) -> [YAMLNode] {
        if case .sequence(let elements) = node.content { return elements }
        report("\(what) is \(node.kindName), expected a list", at: node.place)
        return []
    }

    /// A list of texts, or one text.
    func texts(_ node: YAMLNode, _ what: String) -> [String] {
        elements(node, what).compactMap { text($0, what) }
    }

    /// Entries of a mapping whose keys the author chooses.
    func entries(_ node: YAMLNode, _ what: String) -> [YAMLNode.Entry] {
        if case .mapping(let entries) = node.content { return entries }
        report("\(what) is \(node.kindName), expected a mapping", at: node.place)
        return []
    }

    /// A mapping with known keys; others are reported.
    ///
    /// - Returns: `nil` when the node is no mapping.
    func fields(_ node: YAMLNode, _ what: String, _ keys: [String]) -> Fields? {
        guard case .mapping(let entries) = node.content else {
            report("\(what) is \(node.kindName), expected a mapping", at: node.place)
            return nil
        }
        for entry in entries where !keys.contains(entry.key) {
            let hint = suggestion(for: entry.key, among: keys)
            report(
                "unknown key \"\(shortened(entry.key))\" in \(what)" + hint,
                at: entry.keyPlace,
                notes: hint.isEmpty ? ["keys: " + keys.joined(separator: ", ")] : []
            )
        }
        return Fields(entries: entries, place: node.place)
    }

    /// The entries of a mapping with known keys.
    struct Fields {
        let entries: [YAMLNode.Entry]
        let place: Place

        /// The value of a key; `nil` when the key is missing or its value left empty.
        subscript(_ key: String) -> YAMLNode? {
            guard let value = entries.first(where: { $0.key == key })?.value, !value.isNull else { return nil }
            return value
        }

        func keyPlace(_ key: String) -> Place? { entries.first { $0.key == key }?.keyPlace }
    }

    func suggestion(for word: String, among words: some Sequence<String>) -> String {
        nearestWord(to: word, among: words).map { "; did you mean \"\($0)\"?" } ?? ""
    }
}

extension Place {
    /// A part of a stretch within one line.
    func part(offset: Int, length: Int) -> Place {
        var range = range
        range.startColumn += offset
        range.endColumn = range.startColumn + length
        return Place(source, range)
    }
}
