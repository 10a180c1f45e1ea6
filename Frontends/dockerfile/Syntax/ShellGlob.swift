// SPDX-License-Identifier: Apache-2.0

/// The pattern of `${name#pattern}` and its kin: `*`, `?` and escapes, no classes.
///
/// Wildcards do not match a line feed. Matching keeps the set of positions in the pattern that are
/// alive, so its time is bounded by pattern length × value length. These steps are counted into
/// `steps`, which must stay below ``Limit/patternStepCount`` for one expansion.
struct ShellGlob {
    private enum Token: Equatable {
        case literal(Unicode.Scalar)
        case anyScalar
        case anyRun
    }

    private let tokens: [Token]

    /// - Throws: `badExpansion` for an escape of anything but `*`, `?`, `\`, `}` and `/`.
    init(_ pattern: String) throws(DockerfileError) {
        try self.init(tokens: Self.parse(pattern))
    }

    private init(tokens: [Token]) {
        self.tokens = tokens
    }

    private static func parse(_ pattern: String) throws(DockerfileError) -> [Token] {
        var tokens: [Token] = []
        let scalars = Array(pattern.unicodeScalars)
        var index = 0
        while index < scalars.count {
            let scalar = scalars[index]
            index += 1
            switch scalar {
            case "*":
                if tokens.last != .anyRun { tokens.append(.anyRun) }
            case "?":
                tokens.append(.anyScalar)
            case "\\":
                let escaped = index < scalars.count ? scalars[index] : nil
                // What ends the pattern must be escaped in it; the escape is no part of the
                // pattern.
                if escaped == "}" || escaped == "/" { continue }
                guard let escaped, escaped == "*" || escaped == "?" || escaped == "\\" else {
                    let shown = escaped.map { String(Character($0)) } ?? ""
                    throw DockerfileError(
                        .badExpansion,
                        "invalid escape \\\(shown) in pattern \(excerpt(pattern)); allowed are \\* \\? \\\\ \\/ and \\}"
                    )
                }
                index += 1
                tokens.append(.literal(escaped))
            default:
                tokens.append(.literal(scalar))
            }
        }
        return tokens
    }

    func removingPrefix(
        from value: String,
        longest: Bool,
        steps: inout Int
    ) throws(DockerfileError) -> String {
        let scalars = Array(value.unicodeScalars)
        guard let end = try prefixEnd(in: scalars, longest: longest, steps: &steps) else { return value }
        return Self.text(scalars[end...])
    }

    func removingSuffix(
        from value: String,
        longest: Bool,
        steps: inout Int
    ) throws(DockerfileError) -> String {
        let reversed = Array(value.unicodeScalars.reversed())
        let mirrored = ShellGlob(tokens: tokens.reversed())
        guard let end = try mirrored.prefixEnd(in: reversed, longest: longest, steps: &steps) else { return value }
        return Self.text(reversed[end...].reversed())
    }

    /// Replaces the leftmost longest match, or all of them from left to right.
    func replacing(
        in value: String,
        with replacement: String,
        all: Bool,
        steps: inout Int
    ) throws(DockerfileError) -> String {
        let scalars = Array(value.unicodeScalars)
        var result = String.UnicodeScalarView()
        var resultByteCount = 0
        var lastEnd = 0
        var search = 0
        while search <= scalars.count, let match = try firstMatch(in: scalars, from: search, steps: &steps) {
            result.append(contentsOf: scalars[lastEnd..<match.lowerBound])
            // An empty match right behind a match is none.
            if match.upperBound > lastEnd || match.lowerBound == 0 {
                result.append(replacement)
                resultByteCount += replacement.utf8.count
                guard resultByteCount <= Limit.expandedByteCount else {
                    throw DockerfileError(
                        .tooLarge,
                        "the result exceeds \(Limit.expandedByteCount) bytes"
                    )
                }
            }
            lastEnd = match.upperBound
            search = max(match.upperBound, search + 1)
            if !all { break }
        }
        result.append(contentsOf: scalars[min(lastEnd, scalars.count)...])
        return String(result)
    }

    /// Where the shortest or longest match at the start ends.
    private func prefixEnd(
        in scalars: [Unicode.Scalar],
        longest: Bool,
        steps: inout Int
    ) throws(DockerfileError) -> Int? {
        try checkCost(scalars.count)
        var alive = [Bool](repeating: false, count: tokens.count + 1)
        enter(0, &alive)
        var end: Int?
        for index in 0...scalars.count {
            if alive[tokens.count] {
                end = index
                if !longest { return end }
            }
            guard index < scalars.count else { break }
            try count(&steps)
            var next = [Bool](repeating: false, count: tokens.count + 1)
            var isAnyAlive = false
            for (position, token) in tokens.enumerated() where alive[position] {
                guard Self.matches(token, scalars[index]) else { continue }
                enter(token == .anyRun ? position : position + 1, &next)
                isAnyAlive = true
            }
            if !isAnyAlive { break }
            alive = next
        }
        return end
    }

    private func enter(_ position: Int, _ alive: inout [Bool]) {
        alive[position] = true
        if position < tokens.count, tokens[position] == .anyRun { alive[position + 1] = true }
    }

    /// The leftmost match at or after an index; of several with that start, the longest.
    private func firstMatch(
        in scalars: [Unicode.Scalar],
        from: Int,
        steps: inout Int
    ) throws(DockerfileError) -> Range<Int>? {
        try checkCost(scalars.count - from)
        /// For each position of the pattern, the smallest start of a match that has come so far.
        var starts = [Int?](repeating: nil, count: tokens.count + 1)
        var best: Range<Int>?
        for index in from...scalars.count {
            if best == nil { enter(0, start: index, &starts) }
            if let start = starts[tokens.count], best.map({ start <= $0.lowerBound }) ?? true {
                best = start..<index
            }
            guard index < scalars.count else { break }
            try count(&steps)
            var next = [Int?](repeating: nil, count: tokens.count + 1)
            var isAnyAlive = false
            for (position, token) in tokens.enumerated() {
                guard let start = starts[position], best.map({ start <= $0.lowerBound }) ?? true,
                    Self.matches(token, scalars[index])
                else { continue }
                enter(token == .anyRun ? position : position + 1, start: start, &next)
                isAnyAlive = true
            }
            if !isAnyAlive, best != nil { break }
            starts = next
        }
        return best
    }

    private func enter(_ position: Int, start: Int, _ starts: inout [Int?]) {
        starts[position] = min(starts[position] ?? start, start)
        if position < tokens.count, tokens[position] == .anyRun {
            starts[position + 1] = min(starts[position + 1] ?? start, start)
        }
    }

    private static func matches(_ token: Token, _ scalar: Unicode.Scalar) -> Bool {
        switch token {
        case .literal(let expected): scalar == expected
        case .anyScalar, .anyRun: scalar != "\n"
        }
    }

    /// Refuses at once what may take too many steps.
    private func checkCost(_ valueLength: Int) throws(DockerfileError) {
        let (cost, overflow) = (tokens.count + 1).multipliedReportingOverflow(by: valueLength + 1)
        guard !overflow, cost <= Limit.patternStepCount else { throw tooManySteps }
    }

    private var tooManySteps: DockerfileError {
        DockerfileError(
            .tooLarge,
            "patterns take more than \(Limit.patternStepCount) steps: their length times that of the value"
        )
    }

    /// Counts the steps of one scalar of the value: one for each token, and a few for the scalar itself.
    private func count(_ steps: inout Int) throws(DockerfileError) {
        steps += tokens.count + 8
        guard steps <= Limit.patternStepCount else { throw tooManySteps }
    }

    private static func text(_ scalars: some Sequence<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
