// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
internal import FrontendProtocol

/// The files of a spec put together: what is declared, not yet read with the values of variables.
package struct SpecDocument: Sendable {
    /// A stage or an image.
    package struct Declaration: Sendable {
        package let name: String
        package let isImage: Bool
        package let keyPlace: Place
        package let node: YAMLNode
    }

    /// The build file first.
    package var sources: [SourceText] = []
    /// In order, those of included files before those of the file that includes them.
    package var variables: [Variable] = []
    /// Stages and images, in the same order.
    package var declarations: [Declaration] = []
    /// Which image is built when none is named.
    var defaultTarget: YAMLNode?
    /// Labels of all images.
    var labels: [YAMLNode] = []

    /// Stages and images of one spec; variables of one spec.
    static let declarationCountMax = 1000
    /// Names that mean something else where a stage could be named.
    static let reservedNames: Set<String> = ["context", "scratch"]

    package init() {}

    /// Names that `base` and `from` can use.
    var names: [String] { declarations.map(\.name) }

    func declaration(_ name: String) -> Declaration? { declarations.first { $0.name == name } }

    /// Paths a file includes, with their places.
    static func includes(of root: YAMLNode, _ reader: SpecReader) -> [(path: String, place: Place)] {
        guard case .mapping(let entries) = root.content,
            let node = entries.first(where: { $0.key == "include" })?.value, !node.isNull
        else { return [] }
        return reader.elements(node, "include").compactMap { element in
            reader.rawText(element, "include").map { ($0, element.place) }
        }
    }

    /// Adds what a file declares, without what it includes.
    mutating func add(_ root: YAMLNode, isMain: Bool, _ reader: SpecReader) {
        let extensionKeys = root.keys.filter { $0.hasPrefix("x-") }
        guard let fields = reader.fields(root, isMain ? "the spec" : "an included file", SpecKeys.spec + extensionKeys)
        else { return }
        if let node = fields["variables"] { addVariables(node, reader) }
        for (key, isImage) in [("stages", false), ("images", true)] {
            guard let node = fields[key] else { continue }
            for entry in reader.entries(node, key) { addDeclaration(entry, isImage: isImage, reader) }
        }
        if let node = fields["labels"] { labels.append(node) }
        guard let node = fields["default"] else { return }
        if isMain {
            defaultTarget = node
        } else if let place = fields.keyPlace("default") {
            reader.report("only the build file itself says what is built by default", at: place)
        }
    }

    private mutating func addDeclaration(_ entry: YAMLNode.Entry, isImage: Bool, _ reader: SpecReader) {
        let name = entry.key
        let what = isImage ? "an image" : "a stage"
        guard Self.isName(name) else {
            reader.report(
                "\"\(shortened(name))\" cannot name \(what): expected small letters, digits, \".\", \"_\" and \"-\"",
                at: entry.keyPlace
            )
            return
        }
        guard !Self.reservedNames.contains(name) else {
            reader.report("\"\(name)\" cannot name \(what): it means something else", at: entry.keyPlace)
            return
        }
        if let other = declaration(name) {
            reader.report(
                "\"\(name)\" is already \(other.isImage ? "an image" : "a stage")",
                at: entry.keyPlace,
                notes: ["the first one is at \(other.keyPlace.line)"]
            )
            return
        }
        guard declarations.count < Self.declarationCountMax else {
            reader.report("a spec has at most \(Self.declarationCountMax) stages and images", at: entry.keyPlace)
            return
        }
        declarations.append(
            Declaration(name: name, isImage: isImage, keyPlace: entry.keyPlace, node: entry.value)
        )
    }

    /// Small letters, digits, `.`, `_`, `-`; a letter or digit at both ends; at most 64 bytes.
    static func isName(_ text: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool { (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) }
        guard let first = text.utf8.first, let last = text.utf8.last, isPlain(first), isPlain(last) else {
            return false
        }
        return text.utf8.count <= 64 && text.utf8.allSatisfy { isPlain($0) || "._-".utf8.contains($0) }
    }

    // MARK: Variables

    private mutating func addVariables(_ node: YAMLNode, _ reader: SpecReader) {
        for entry in reader.entries(node, "variables") {
            let name = entry.key
            guard Template.isName(name), !BuiltInVariable.names.contains(name) else {
                let reason =
                    BuiltInVariable.names.contains(name)
                    ? "every spec has it already" : "expected letters, digits, \"_\", \"-\" and \".\""
                reader.report("\"\(shortened(name))\" cannot name a variable: \(reason)", at: entry.keyPlace)
                continue
            }
            if let other = variables.first(where: { $0.name == name }) {
                reader.report(
                    "variable \"\(name)\" is declared twice",
                    at: entry.keyPlace,
                    notes: ["the first time at \(other.place.line)"]
                )
                continue
            }
            guard variables.count < Self.declarationCountMax else {
                reader.report("a spec has at most \(Self.declarationCountMax) variables", at: entry.keyPlace)
                return
            }
            variables.append(Self.variable(entry, reader))
        }
    }

    private static func variable(_ entry: YAMLNode.Entry, _ reader: SpecReader) -> Variable {
        var variable = Variable(name: entry.key, place: entry.keyPlace)
        guard case .mapping = entry.value.content else {
            // `name: value` is short for a default.
            if !entry.value.isNull {
                variable.defaultText = reader.rawText(entry.value, "variable \(entry.key)")
                variable.defaultPlace = entry.value.place
            } else {
                variable.isRequired = true
            }
            return variable
        }
        guard let fields = reader.fields(entry.value, "variable \(entry.key)", SpecKeys.variable) else {
            return variable
        }
        if let node = fields["type"], let kind = reader.word(node, "type", Variable.Kind.self) { variable.kind = kind }
        if let node = fields["description"] { variable.summary = reader.rawText(node, "description") ?? "" }
        if let node = fields["required"] { variable.isRequired = reader.boolean(node, "required") ?? false }
        if let node = fields["default"] {
            variable.defaultText = reader.rawText(node, "default")
            variable.defaultPlace = node.place
            if variable.isRequired {
                reader.report("a required variable has no default", at: node.place)
            }
        } else if fields.keyPlace("default") == nil {
            variable.isRequired = true
        } else {
            // `default:` with nothing behind it: the empty text.
            variable.defaultText = ""
            variable.defaultPlace = fields.keyPlace("default")
        }
        if let node = fields["pattern"], let text = reader.rawText(node, "pattern") {
            do throws(TextPattern.Failure) {
                variable.pattern = (text, try TextPattern(text))
            } catch {
                reader.report("cannot read the pattern \"\(shortened(text))\": \(error.message)", at: node.place)
            }
        }
        if let node = fields["one-of"] {
            let choices = reader.list(node, "one-of").compactMap { reader.rawText($0, "one-of") }
            if choices.isEmpty {
                reader.report("one-of names no value", at: node.place)
            } else {
                variable.choices = choices
            }
        }
        return variable
    }
}

extension YAMLNode {
    fileprivate var keys: [String] {
        guard case .mapping(let entries) = content else { return [] }
        return entries.map(\.key)
    }
}
