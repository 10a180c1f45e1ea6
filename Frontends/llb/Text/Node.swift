// SPDX-License-Identifier: Apache-2.0

internal import Synchronization

/// Where a value stands below the top of its document.
indirect enum JSONPath: Sendable, CustomStringConvertible {
    case top
    case member(JSONPath, String)
    case element(JSONPath, Int)

    /// `operations.build.mounts["/src"].from`; empty for the top.
    var description: String {
        switch self {
        case .top: return ""
        case .element(let parent, let index): return "\(parent)[\(index)]"
        case .member(let parent, let name):
            let isWord =
                !name.isEmpty && name.utf8.count <= 80
                && name.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "_-".utf8.contains(byte)
                }
            guard isWord else { return "\(parent)[\"\(name.prefix(80))\"]" }
            if case .top = parent { return name }
            return "\(parent).\(name)"
        }
    }
}

/// The reading of one text: gathers what is wrong with it.
final class Reading: Sendable {
    private let text: [UInt8]
    private let lineStarts: [Int]
    private let found = Mutex<[LLBTextError.Problem]>([])

    /// `text` is empty for values that come from no text; places are then left out.
    init(_ text: [UInt8]) {
        self.text = text
        lineStarts = [0] + text.indices.lazy.filter { text[$0] == UInt8(ascii: "\n") }.map { $0 + 1 }
    }

    var problemCount: Int { found.withLock { $0.count } }

    /// Whether it is no use to go on.
    var isFull: Bool { problemCount >= LLBTextError.problemLimit }

    func report(_ message: String, at offset: Int, _ path: JSONPath) {
        let place = text.isEmpty ? nil : position(offset)
        let problem = LLBTextError.Problem(
            line: place?.line,
            column: place?.column,
            path: path.description,
            message: message
        )
        found.withLock { problems in
            guard problems.count < LLBTextError.problemLimit, !problems.contains(problem) else { return }
            problems.append(problem)
        }
    }

    /// The line of a byte, counted from 1.
    func line(of offset: Int) -> Int {
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        return low + 1
    }

    /// Line and column of a byte, counted from 1; takes time in proportion to the line.
    private func position(_ offset: Int) -> (line: Int, column: Int) {
        let line = line(of: offset)
        let start = lineStarts[line - 1]
        // Bytes that continue a character do not count.
        let before = text[start..<min(max(offset, start), text.count)]
        return (line, 1 + before.count { $0 & 0xC0 != 0x80 })
    }

    /// - Throws: What was reported, in the order of the text.
    func finish() throws(LLBTextError) {
        let problems = found.withLock { $0 }
        guard problems.isEmpty else {
            throw LLBTextError(
                problems.sorted { ($0.line ?? 0, $0.column ?? 0) < ($1.line ?? 0, $1.column ?? 0) }
            )
        }
    }
}

/// A value of a document under examination.
///
/// Every accessor gives `nil` and reports when the value is not of its kind.
struct Node: Sendable {
    let value: LocatedValue
    let path: JSONPath
    let reading: Reading

    func report(_ message: String) { reading.report(message, at: value.range.lowerBound, path) }

    private func refuse(_ wanted: String) {
        report("expected \(wanted), found \(value.kind)")
    }

    var isNull: Bool {
        if case .null = value.content { true } else { false }
    }

    // MARK: Objects and lists

    /// The member of a name; `nil` when there is none.
    subscript(_ name: String) -> Node? {
        value[name].map { Node(value: $0, path: .member(path, name), reading: reading) }
    }

    /// The members of an object, in order; `wanted` says what should stand here.
    func members(_ wanted: String = "an object") -> [(name: String, node: Node)]? {
        guard case .object(let members) = value.content else {
            refuse(wanted)
            return nil
        }
        return members.map { member in
            (member.name, Node(value: member.value, path: .member(path, member.name), reading: reading))
        }
    }

    /// Reports members of other names; those that begin with `//` are comments.
    func allow(_ names: [String], in what: String) {
        for member in value.members where !names.contains(member.name) && !member.name.hasPrefix("//") {
            reading.report(
                "unknown member \"\(member.name.prefix(80))\" of \(what)"
                    + suggestion(for: member.name, in: names),
                at: member.offset,
                path
            )
        }
    }

    /// The elements of a list.
    func elements(_ wanted: String = "a list") -> [Node]? {
        guard case .array(let elements) = value.content else {
            refuse(wanted)
            return nil
        }
        return elements.enumerated().map { index, element in
            Node(value: element, path: .element(path, index), reading: reading)
        }
    }

    // MARK: Plain values

    var isString: Bool {
        if case .string = value.content { true } else { false }
    }

    var isObject: Bool {
        if case .object = value.content { true } else { false }
    }

    var isList: Bool {
        if case .array = value.content { true } else { false }
    }

    func string(_ wanted: String = "a string") -> String? {
        guard case .string(let text) = value.content else {
            refuse(wanted)
            return nil
        }
        return text
    }

    func bool() -> Bool? {
        guard case .bool(let flag) = value.content else {
            refuse("true or false")
            return nil
        }
        return flag
    }

    /// A whole number, or its decimal digits in a string where it lies beyond ±(2^53 − 1).
    func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        let digits: String
        switch value.content {
        case .number(let text):
            digits = text
            if let number = Int64(text), number.magnitude >= 1 << 53 {
                report("\(text) is beyond 2^53 - 1, where programs lose digits; write it as a string of digits")
                return nil
            }
        case .string(let text): digits = text
        default:
            refuse("a whole number")
            return nil
        }
        guard let number = Value(digits), !digits.hasPrefix("+") else {
            report("expected a whole number from \(Value.min) to \(Value.max), found \(digits.prefix(40))")
            return nil
        }
        return number
    }

    /// One of some words.
    func choice<Value>(_ choices: KeyValuePairs<String, Value>) -> Value? {
        let words = choices.map(\.key)
        guard let text = string("one of " + words.joined(separator: ", ")) else { return nil }
        guard let found = choices.first(where: { $0.key == text }) else {
            report(
                "\"\(text.prefix(80))\" is none of " + words.joined(separator: ", ") + suggestion(for: text, in: words)
            )
            return nil
        }
        return found.value
    }

    func strings() -> [String]? {
        guard let elements = elements("a list of strings") else { return nil }
        let texts = elements.compactMap { $0.string() }
        return texts.count == elements.count ? texts : nil
    }

    /// The members of an object whose values are all strings, in order.
    func pairs() -> [(name: String, value: String)]? {
        guard let members = members("an object of strings") else { return nil }
        let pairs = members.compactMap { member in member.node.string().map { (name: member.name, value: $0) } }
        return pairs.count == members.count ? pairs : nil
    }

    func stringMap() -> [String: String]? {
        pairs().map { pairs in Dictionary(pairs.map { ($0.name, $0.value) }, uniquingKeysWith: { $1 }) }
    }
}
