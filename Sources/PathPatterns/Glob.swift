// SPDX-License-Identifier: Apache-2.0

/// A wildcard pattern, compiled to a small nondeterministic automaton.
///
/// Matching looks at each character of the path once and keeps the set of states that are alive, so
/// the time is bounded by path length × pattern length whatever the pattern: there is no
/// backtracking to blow up.
struct Glob: Sendable {
    /// Which wildcards a pattern may use.
    enum Dialect {
        /// Go's `filepath.Match`: `*`, `?`, classes and escapes.
        case shell
        /// `.dockerignore`: those, and `**`.
        case ignoreFile
    }

    /// One state of the automaton.
    ///
    /// A state is entered together with those that follow it for nothing (see `enter`).
    enum Step: Sendable, Equatable {
        case literal(UInt32)
        /// `?`: one character, not a slash.
        case anyCharacter
        /// `[…]`: one character of the class at this index.
        case oneOf(Int)
        /// `*`: any run without a slash.
        case runInElement
        /// `**` at the end: any run at all.
        case run
        /// `**` before something: no directories at all, or go on to the next state, which eats
        /// some.
        case perhapsDirectories
        /// Eats any run that ends in a slash.
        case directories
    }

    struct CharacterClass: Sendable, Equatable {
        var isNegated = false
        var ranges: [ClosedRange<UInt32>] = []

        func contains(_ scalar: UInt32) -> Bool {
            ranges.contains { $0.contains(scalar) } != isNegated
        }
    }

    private let steps: [Step]
    private let classes: [CharacterClass]
    /// Bytes every match begins with.
    let prefix: [UInt8]
    /// State after the prefix.
    private let stateAfterPrefix: Int
    /// Bytes every match ends with.
    let suffix: [UInt8]
    /// Bytes every match contains: the longest run of literals.
    ///
    /// Empty if the prefix or suffix is as good.
    private let inner: [UInt8]

    init(_ pattern: String, dialect: Dialect) throws(PathPatternError) {
        var parser = GlobParser(pattern: pattern, dialect: dialect)
        try parser.parse()
        let steps = parser.steps
        self.steps = steps
        classes = parser.classes

        let literals = steps.map { step -> UInt32? in
            if case .literal(let scalar) = step { scalar } else { nil }
        }
        stateAfterPrefix = literals.prefix { $0 != nil }.count
        prefix = Self.encode(literals.prefix { $0 != nil })
        suffix =
            stateAfterPrefix == steps.count ? prefix : Self.encode(literals.suffix(while: { $0 != nil }))
        let longest = literals.split(separator: nil).max { $0.count < $1.count } ?? []
        let inner = Self.encode(longest)
        self.inner = prefix.isEmpty && suffix.isEmpty ? inner : []
    }

    private static func encode(_ scalars: ArraySlice<UInt32?>) -> [UInt8] {
        var text = String.UnicodeScalarView()
        for case let scalar? in scalars {
            if let scalar = Unicode.Scalar(scalar) { text.append(scalar) }
        }
        return Array(String(text).utf8)
    }

    /// Whether the pattern matches the whole path or, with `orParent`, the path of one of its
    /// parent directories.
    func matches(_ path: borrowing Span<UInt8>, orParent: Bool = false) -> Bool {
        guard path.starts(with: prefix), hasCandidateEnd(path, orParent: orParent),
            inner.isEmpty || path.contains(inner)
        else { return false }
        let accept = steps.count
        let outcome = run(over: path) { alive in orParent && alive.contains(accept) }
        return outcome.stopped || outcome.alive.contains(accept)
    }

    /// Whether some path below this directory could match: the automaton is still alive after
    /// `directory/`.
    func couldMatch(below directory: borrowing Span<UInt8>) -> Bool {
        let common = min(directory.count, prefix.count)
        for index in 0..<common where directory[index] != prefix[index] { return false }
        if directory.count < prefix.count { return prefix[directory.count] == slash }
        var alive = run(over: directory) { _ in false }.alive
        alive = advance(alive, over: UInt32(slash))
        return !alive.isEmpty
    }

    /// Whether the path, or one of its parents, ends as every match must.
    private func hasCandidateEnd(_ path: borrowing Span<UInt8>, orParent: Bool) -> Bool {
        if suffix.isEmpty || path.ends(with: suffix, at: path.count) { return true }
        guard orParent else { return false }
        for index in 0..<path.count where path[index] == slash {
            if path.ends(with: suffix, at: index) { return true }
        }
        return false
    }

    /// Runs over the rest after the prefix, which the caller has checked.
    ///
    /// `stop` is asked before each slash.
    private func run(
        over path: borrowing Span<UInt8>,
        stop: (BitSet) -> Bool
    ) -> (alive: BitSet, stopped: Bool) {
        var alive = BitSet(capacity: steps.count + 1)
        enter(stateAfterPrefix, &alive)
        var offset = prefix.count
        while offset < path.count {
            if path[offset] == slash, stop(alive) { return (alive, true) }
            let (scalar, length) = decodeScalar(path, at: offset)
            alive = advance(alive, over: scalar)
            if alive.isEmpty { return (alive, false) }
            offset += length
        }
        return (alive, false)
    }

    /// Makes a state alive, and those that are reached from it without a character; the number of steps is acceptance.
    ///
    /// A state that is alive has been here before, and so have those behind it: entering all states of a pattern takes time
    /// in proportion to their number.
    private func enter(_ first: Int, _ alive: inout BitSet) {
        var state = first
        while !alive.contains(state) {
            alive.insert(state)
            guard state < steps.count else { return }
            switch steps[state] {
            case .runInElement, .run:
                state += 1
            case .perhapsDirectories:
                // The state after is `.directories`; the one after that always exists.
                alive.insert(state + 1)
                state += 2
            case .literal, .anyCharacter, .oneOf, .directories:
                return
            }
        }
    }

    private func advance(_ alive: BitSet, over scalar: UInt32) -> BitSet {
        var next = BitSet(capacity: steps.count + 1)
        let isSlash = scalar == UInt32(slash)
        alive.forEach { state in
            guard state < steps.count else { return }
            switch steps[state] {
            case .literal(let expected):
                if scalar == expected { enter(state + 1, &next) }
            case .anyCharacter:
                if !isSlash { enter(state + 1, &next) }
            case .oneOf(let index):
                if classes[index].contains(scalar) { enter(state + 1, &next) }
            case .runInElement:
                if !isSlash { enter(state, &next) }
            case .run:
                enter(state, &next)
            case .directories:
                next.insert(state)
                if isSlash { enter(state + 1, &next) }
            case .perhapsDirectories:
                break
            }
        }
        return next
    }
}

extension Array {
    /// The longest tail whose elements all satisfy the condition.
    fileprivate func suffix(while condition: (Element) -> Bool) -> ArraySlice<Element> {
        var start = endIndex
        while start > startIndex, condition(self[start - 1]) { start -= 1 }
        return self[start...]
    }
}

/// The scalar at an offset of valid UTF-8, and its length in bytes.
@inline(__always)
func decodeScalar(_ bytes: borrowing Span<UInt8>, at offset: Int) -> (scalar: UInt32, length: Int) {
    let first = bytes[offset]
    if first < 0x80 { return (UInt32(first), 1) }
    let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
    guard offset + length <= bytes.count else { return (0xFFFD, 1) }
    var scalar = UInt32(first) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
    for index in 1..<length { scalar = scalar << 6 | UInt32(bytes[offset + index] & 0x3F) }
    return (scalar, length)
}

extension Span<UInt8> {
    @inline(__always)
    func starts(with prefix: [UInt8]) -> Bool {
        ends(with: prefix, at: prefix.count)
    }

    /// Whether the bytes before `end` are `suffix`.
    @inline(__always)
    func ends(with suffix: [UInt8], at end: Int) -> Bool {
        guard suffix.count <= end, end <= count else { return false }
        let start = end - suffix.count
        // From the back: file extensions and names differ there first.
        var index = suffix.count
        while index > 0 {
            index -= 1
            if self[start + index] != suffix[index] { return false }
        }
        return true
    }

    func contains(_ run: [UInt8]) -> Bool {
        guard let first = run.first else { return true }
        var start = 0
        while start + run.count <= count {
            if self[start] == first, ends(with: run, at: start + run.count) { return true }
            start += 1
        }
        return false
    }
}
