// SPDX-License-Identifier: Apache-2.0

/// Reads the text of a pattern into the steps of a ``Glob``.
///
/// The grammar is the one Go documents for `filepath.Match`; the ignore file dialect adds `**`,
/// which also eats one slash after it, so `**/x` matches `x` at the top.
struct GlobParser {
    private let pattern: String
    private let dialect: Glob.Dialect
    private let scalars: [Unicode.Scalar]
    private var position = 0
    private(set) var steps: [Glob.Step] = []
    private(set) var classes: [Glob.CharacterClass] = []

    init(pattern: String, dialect: Glob.Dialect) {
        self.pattern = pattern
        self.dialect = dialect
        scalars = Array(pattern.unicodeScalars)
    }

    mutating func parse() throws(PathPatternError) {
        while let scalar = next() {
            switch scalar {
            case "*":
                if dialect == .ignoreFile, peek() == "*" {
                    position += 1
                    if peek() == "/" { position += 1 }
                    append(peek() == nil ? [.run] : [.perhapsDirectories, .directories])
                } else {
                    append([.runInElement])
                }
            case "?":
                steps.append(.anyCharacter)
            case "[":
                try parseClass()
            case "\\":
                guard let escaped = next() else {
                    throw malformed("nothing follows the last backslash")
                }
                steps.append(.literal(escaped.value))
            default:
                steps.append(.literal(scalar.value))
            }
        }
    }

    /// Appends wildcards, except one that says nothing new: `**` after `**` would only cost time.
    private mutating func append(_ wildcards: [Glob.Step]) {
        if !wildcards.isEmpty, steps.suffix(wildcards.count).elementsEqual(wildcards) { return }
        steps.append(contentsOf: wildcards)
    }

    private mutating func parseClass() throws(PathPatternError) {
        var result = Glob.CharacterClass()
        if peek() == "^" {
            position += 1
            result.isNegated = true
        }
        while result.ranges.isEmpty || peek() != "]" {
            let low = try classMember()
            var high = low
            if peek() == "-" {
                position += 1
                high = try classMember()
            }
            // A reversed range is legal and matches nothing; keep it as a range no scalar is in.
            result.ranges.append(low <= high ? low...high : UInt32.max...UInt32.max)
            if peek() == nil { throw malformed("class is not closed with ]") }
        }
        position += 1
        steps.append(.oneOf(classes.count))
        classes.append(result)
    }

    private mutating func classMember() throws(PathPatternError) -> UInt32 {
        guard let scalar = next() else { throw malformed("class is not closed with ]") }
        switch scalar {
        case "-", "]":
            throw malformed("\(scalar) in a class must be written \\\(scalar)")
        case "\\":
            guard let escaped = next() else {
                throw malformed("nothing follows the last backslash")
            }
            return escaped.value
        default:
            return scalar.value
        }
    }

    private func peek() -> Unicode.Scalar? {
        position < scalars.count ? scalars[position] : nil
    }

    private mutating func next() -> Unicode.Scalar? {
        guard let scalar = peek() else { return nil }
        position += 1
        return scalar
    }

    private func malformed(_ reason: String) -> PathPatternError {
        let shown = scalars.count > 200 ? String(String.UnicodeScalarView(scalars.prefix(200))) + "…" : pattern
        return PathPatternError(.malformedPattern, "cannot read pattern \"\(shown)\": \(reason)")
    }
}
