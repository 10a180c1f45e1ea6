// SPDX-License-Identifier: Apache-2.0

/// An ordered list of ignore patterns: the last one that matches a path, or a parent of it,
/// decides.
///
/// The semantics are those of BuildKit's ignore files and include and exclude lists: `*` and `?`
/// stay within one element, `**` spans any number of them, `[…]` is a class, `\` takes the next
/// character literally, and `!` makes an exception. Paths are relative, slash-separated and clean.
/// Matching is by bytes: `é` in its two Unicode spellings is two names, as it is to the kernel.
package struct PatternMatcher: Sendable {
    package let patterns: [Pattern]
    /// Whether any pattern is an exception (`!`).
    package let hasExceptions: Bool
    /// The patterns' edges side by side: most patterns are ruled out from here, without touching
    /// the pattern.
    private let edges: [Pattern.Edges]

    /// Blank patterns are dropped; the others are trimmed and cleaned.
    ///
    /// - Throws: `malformedPattern`, or `emptyException` for `!` alone.
    package init(patterns texts: [String]) throws(PathPatternError) {
        var patterns: [Pattern] = []
        patterns.reserveCapacity(texts.count)
        for text in texts {
            let trimmed = trimmingWhiteSpace(text[...])
            if trimmed.isEmpty { continue }
            var cleaned = Substring(cleanPath(String(trimmed)))
            let isException = cleaned.utf8.first == UInt8(ascii: "!")
            if isException {
                cleaned = Substring(cleaned.unicodeScalars.dropFirst())
                if cleaned.isEmpty {
                    throw PathPatternError(
                        .emptyException,
                        "cannot use pattern \"!\": it makes an exception to nothing; write a path after the !"
                    )
                }
            }
            patterns.append(try Pattern(cleaned: String(cleaned), isException: isException))
        }
        self.patterns = patterns
        hasExceptions = patterns.contains { $0.isException }
        edges = patterns.map(\.edges)
    }

    package var isEmpty: Bool { patterns.isEmpty }

    /// Whether the list matches this path itself, whatever it says about its parents.
    package func matches(_ path: String) -> Bool {
        let bytes = path.utf8Span.span
        let ends = EdgeBytes(path: bytes, withParents: false)
        return decide(ends) { $0.matches(bytes) }
    }

    /// Whether the list matches the path: a pattern that matches a parent directory counts as
    /// matching it.
    package func matchesOrParentMatches(_ path: String) -> Bool {
        let bytes = path.utf8Span.span
        let ends = EdgeBytes(path: bytes, withParents: true)
        return decide(ends) { $0.matchesPathOrParent(bytes) }
    }

    /// Like ``matchesOrParentMatches(_:)``, given what was found for the parent directory: the way
    /// to walk a tree.
    ///
    /// - Parameters:
    ///   - path: The path to look at.
    ///   - parent: What this method returned for the directory that holds `path`; nil at the top, or
    ///     when nothing is known.
    /// - Returns: Whether the path matches, and what to hand on to its children.
    package func matches(
        _ path: String,
        parent: ParentMatches?
    ) -> (isMatch: Bool, results: ParentMatches) {
        let bytes = path.utf8Span.span
        let ends = EdgeBytes(path: bytes, withParents: parent == nil)
        var isMatch = false
        var results = ParentMatches(patternCount: patterns.count)
        for index in edges.indices {
            var matched = parent?.contains(index) ?? false
            if !matched, ends.allow(edges[index]) {
                let pattern = patterns[index]
                // A pattern that could not change the answer is not asked.
                if pattern.isException != isMatch { continue }
                matched =
                    parent == nil ? pattern.matchesPathOrParent(bytes) : pattern.matches(bytes)
            }
            if matched {
                results.insert(index)
                isMatch = !patterns[index].isException
            }
        }
        return (isMatch, results)
    }

    /// Whether the list may match something below this directory.
    ///
    /// False means: do not descend for its sake.
    package func couldMatch(below directory: String) -> Bool {
        let bytes = directory.utf8Span.span
        for pattern in patterns where !pattern.isException && pattern.couldMatch(below: bytes) {
            return true
        }
        return false
    }

    /// Whether an exception (`!`) may apply to something below this directory.
    ///
    /// When the directory matches and this is false, everything below matches too.
    package func couldExcept(below directory: String) -> Bool {
        guard hasExceptions else { return false }
        let bytes = directory.utf8Span.span
        for pattern in patterns where pattern.isException && pattern.couldMatch(below: bytes) {
            return true
        }
        return false
    }

    private func decide(_ ends: EdgeBytes, by match: (Pattern) -> Bool) -> Bool {
        var isMatch = false
        for index in edges.indices where ends.allow(edges[index]) {
            let pattern = patterns[index]
            if pattern.isException == isMatch, match(pattern) { isMatch.toggle() }
        }
        return isMatch
    }
}

/// The first byte of a path, and the bytes that it, or one of its parents, ends with.
private struct EdgeBytes {
    private var first: UInt8 = 0
    private var isEmpty: Bool
    /// One bit for each of the 256 bytes.
    private var lasts = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))

    init(path: borrowing Span<UInt8>, withParents: Bool) {
        isEmpty = path.isEmpty
        if isEmpty { return }
        first = path[0]
        insert(path[path.count - 1])
        guard withParents else { return }
        for index in 1..<path.count where path[index] == slash { insert(path[index - 1]) }
    }

    private mutating func insert(_ byte: UInt8) {
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: lasts.0 |= bit
        case 1: lasts.1 |= bit
        case 2: lasts.2 |= bit
        default: lasts.3 |= bit
        }
    }

    /// Whether a pattern with these edges could match.
    @inline(__always)
    func allow(_ edges: Pattern.Edges) -> Bool {
        if edges.hasFirst, isEmpty || edges.first != first { return false }
        guard edges.hasLast else { return true }
        let word =
            switch edges.last >> 6 {
            case 0: lasts.0
            case 1: lasts.1
            case 2: lasts.2
            default: lasts.3
            }
        return word & (1 << UInt64(edges.last & 63)) != 0
    }
}

/// Which patterns of a list matched a directory; what a tree walk hands from a directory to its
/// children.
///
/// It belongs to the matcher that made it: another matcher reads nonsense from it.
package struct ParentMatches: Sendable, Equatable {
    private var indices: BitSet

    init(patternCount: Int) { indices = BitSet(capacity: patternCount) }

    mutating func insert(_ index: Int) { indices.insert(index) }

    func contains(_ index: Int) -> Bool { indices.contains(index) }
}
