// SPDX-License-Identifier: Apache-2.0

/// A regular expression for the values of variables, matched against the whole value.
///
/// Characters, `.`, classes (`[a-z]`, `[^…]`, `\d`, `\w`, `\s` and their opposites), groups, `|`, `*`, `+`, `?` and `{m,n}`;
/// `^` and `$` at the ends change nothing. Matching takes time in proportion to the pattern times the value, whatever
/// both are: a pattern is part of a file that may mean harm, so nothing here goes back.
package struct TextPattern: Sendable {
    /// Why a text is no pattern.
    package struct Failure: Error, Sendable {
        package let message: String
    }

    /// So many states a pattern may have, repetitions unrolled.
    private static let stateCountMax = 2048
    /// Pieces looked at while repetitions are unrolled; empty ones make no state but take time.
    private static let pieceCountMax = 20_000
    /// Groups inside each other.
    private static let depthMax = 50

    private enum State: Sendable {
        case match
        case consume(CharacterSet, next: Int)
        case split(Int, Int)
    }

    private struct CharacterSet: Sendable {
        var ranges: [ClosedRange<UInt32>] = []
        var isInverted = false

        func contains(_ scalar: Unicode.Scalar) -> Bool {
            ranges.contains { $0.contains(scalar.value) } != isInverted
        }
    }

    private indirect enum Tree {
        case empty
        case set(CharacterSet)
        case sequence([Tree])
        case choice([Tree])
        /// `upper` is `nil` without an end.
        case repeated(Tree, lower: Int, upper: Int?)
    }

    private var states: [State] = []
    private var start = 0
    private var pieceCount = 0

    /// Reads a pattern.
    package init(_ text: String) throws(Failure) {
        var parser = Parser(rest: Array(text.unicodeScalars)[...])
        let tree = try parser.choice(depth: 0)
        guard parser.rest.isEmpty else { throw Failure(message: "\")\" without \"(\"") }
        states = [.match]
        start = try build(tree, next: 0)
    }

    /// Whether the whole text fits.
    package func matches(_ text: String) -> Bool {
        var current: Set<Int> = []
        add(start, to: &current)
        for scalar in text.unicodeScalars {
            var following: Set<Int> = []
            for index in current {
                if case .consume(let set, let next) = states[index], set.contains(scalar) { add(next, to: &following) }
            }
            guard !following.isEmpty else { return false }
            current = following
        }
        return current.contains(0)
    }

    private func add(_ index: Int, to set: inout Set<Int>) {
        var waiting = [index]
        while let index = waiting.popLast() {
            guard set.insert(index).inserted else { continue }
            if case .split(let first, let second) = states[index] { waiting += [first, second] }
        }
    }

    /// Adds the states of a tree.
    ///
    /// - Returns: The state to begin with.
    private mutating func build(_ tree: Tree, next: Int) throws(Failure) -> Int {
        pieceCount += 1
        guard pieceCount <= Self.pieceCountMax else { throw Failure(message: "it is too large") }
        switch tree {
        case .empty: return next
        case .set(let set): return try append(.consume(set, next: next))
        case .sequence(let parts):
            var next = next
            for part in parts.reversed() { next = try build(part, next: next) }
            return next
        case .choice(let parts):
            var first = try build(parts[parts.count - 1], next: next)
            for part in parts.dropLast().reversed() {
                first = try append(.split(try build(part, next: next), first))
            }
            return first
        case .repeated(let part, let lower, let upper):
            var next = next
            if let upper {
                let end = next
                for _ in 0..<max(0, upper - lower) { next = try append(.split(try build(part, next: next), end)) }
            } else {
                let loop = try append(.split(0, next))
                states[loop] = .split(try build(part, next: loop), next)
                next = loop
            }
            for _ in 0..<lower { next = try build(part, next: next) }
            return next
        }
    }

    private mutating func append(_ state: State) throws(Failure) -> Int {
        guard states.count < Self.stateCountMax else { throw Failure(message: "it is too large") }
        states.append(state)
        return states.count - 1
    }

    private struct Parser {
        var rest: ArraySlice<Unicode.Scalar>

        mutating func choice(depth: Int) throws(Failure) -> Tree {
            guard depth <= TextPattern.depthMax else { throw Failure(message: "its groups are too deep") }
            var parts = [try sequence(depth: depth)]
            while rest.first == "|" {
                rest.removeFirst()
                parts.append(try sequence(depth: depth))
            }
            return parts.count == 1 ? parts[0] : .choice(parts)
        }

        private mutating func sequence(depth: Int) throws(Failure) -> Tree {
            var parts: [Tree] = []
            while let scalar = rest.first, scalar != "|", scalar != ")" {
                rest.removeFirst()
                // The whole value is matched, so these hold where they usually stand.
                if scalar == "^" || scalar == "$" { continue }
                parts.append(try repetition(of: try atom(scalar, depth: depth)))
            }
            return parts.isEmpty ? .empty : .sequence(parts)
        }

        private mutating func atom(_ scalar: Unicode.Scalar, depth: Int) throws(Failure) -> Tree {
            switch scalar {
            case "(":
                if rest.starts(with: ["?", ":"]) { rest = rest.dropFirst(2) }
                let group = try choice(depth: depth + 1)
                guard rest.popFirst() == ")" else { throw Failure(message: "\"(\" without \")\"") }
                return group
            case "[": return .set(try characterClass())
            case ".": return .set(CharacterSet(ranges: [0x0a...0x0a], isInverted: true))
            case "\\": return .set(try escape())
            case "*", "+", "?", "{": throw Failure(message: "nothing to repeat before \"\(scalar)\"")
            default: return .set(CharacterSet(ranges: [scalar.value...scalar.value]))
            }
        }

        private mutating func repetition(of tree: Tree) throws(Failure) -> Tree {
            switch rest.first {
            case "*":
                rest.removeFirst()
                return .repeated(tree, lower: 0, upper: nil)
            case "+":
                rest.removeFirst()
                return .repeated(tree, lower: 1, upper: nil)
            case "?":
                rest.removeFirst()
                return .repeated(tree, lower: 0, upper: 1)
            case "{":
                rest.removeFirst()
                guard let end = rest.firstIndex(of: "}") else { throw Failure(message: "\"{\" without \"}\"") }
                let text = String(String.UnicodeScalarView(rest[..<end]))
                rest = rest[rest.index(after: end)...]
                let bounds = text.split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
                let upperText = bounds.count > 1 ? bounds[1] : bounds[0]
                guard let lower = Int(bounds[0]), (0...1000).contains(lower) else {
                    throw Failure(message: "\"{\(text)}\" is no count up to 1000")
                }
                if upperText.isEmpty { return .repeated(tree, lower: lower, upper: nil) }
                guard let upper = Int(upperText), (lower...1000).contains(upper) else {
                    throw Failure(message: "\"{\(text)}\" is no count up to 1000")
                }
                return .repeated(tree, lower: lower, upper: upper)
            default: return tree
            }
        }

        private mutating func escape() throws(Failure) -> CharacterSet {
            guard let scalar = rest.popFirst() else { throw Failure(message: "\"\\\" at the end") }
            let digits: [ClosedRange<UInt32>] = [0x30...0x39]
            let words: [ClosedRange<UInt32>] = digits + [0x41...0x5a, 0x5f...0x5f, 0x61...0x7a]
            let blanks: [ClosedRange<UInt32>] = [0x09...0x0d, 0x20...0x20]
            switch scalar {
            case "d": return CharacterSet(ranges: digits)
            case "D": return CharacterSet(ranges: digits, isInverted: true)
            case "w": return CharacterSet(ranges: words)
            case "W": return CharacterSet(ranges: words, isInverted: true)
            case "s": return CharacterSet(ranges: blanks)
            case "S": return CharacterSet(ranges: blanks, isInverted: true)
            case "n": return CharacterSet(ranges: [0x0a...0x0a])
            case "t": return CharacterSet(ranges: [0x09...0x09])
            case _ where scalar.properties.isAlphabetic || (0x30...0x39).contains(scalar.value):
                throw Failure(message: "\"\\\(scalar)\" means nothing")
            default: return CharacterSet(ranges: [scalar.value...scalar.value])
            }
        }

        private mutating func characterClass() throws(Failure) -> CharacterSet {
            var set = CharacterSet()
            if rest.first == "^" {
                rest.removeFirst()
                set.isInverted = true
            }
            var isFirst = true
            while let scalar = rest.popFirst() {
                if scalar == "]", !isFirst { return set }
                isFirst = false
                var single: UInt32? = scalar.value
                if scalar == "\\" {
                    let escaped = try escape()
                    guard !escaped.isInverted else { throw Failure(message: "an opposite cannot stand inside [ ]") }
                    set.ranges += escaped.ranges
                    single = nil
                    if escaped.ranges.count == 1, escaped.ranges[0].count == 1 {
                        single = escaped.ranges[0].lowerBound
                    }
                }
                guard let lower = single else { continue }
                if rest.first == "-", rest.dropFirst().first.map({ $0 != "]" }) == true {
                    rest.removeFirst()
                    guard var upper = rest.popFirst() else { break }
                    if upper == "\\", let escaped = rest.popFirst() { upper = escaped }
                    guard lower <= upper.value else { throw Failure(message: "a range in [ ] goes down") }
                    set.ranges.append(lower...upper.value)
                } else {
                    set.ranges.append(lower...lower)
                }
            }
            throw Failure(message: "\"[\" without \"]\"")
        }
    }
}
