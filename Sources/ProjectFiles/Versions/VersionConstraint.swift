// SPDX-License-Identifier: Apache-2.0

/// Which versions will do: `^1.4`, `~1.4.2`, `>=1.2, <1.9`, `=2.0.0`, `*`.
///
/// As Cargo reads them: a version alone means `^`; a comma means "and"; `*` stands alone for any release. A
/// pre-release is in only if a part of the constraint names a pre-release of the same three numbers.
package struct VersionConstraint: Sendable, Hashable, CustomStringConvertible {
    /// As it was written, without spaces around it.
    package let text: String
    private let comparators: [Comparator]

    /// Constraints may have this many bytes and parts.
    package static let byteLimit = 256
    package static let partLimit = 16

    /// Any release.
    package static let any = VersionConstraint(text: "*", comparators: [])

    private init(text: String, comparators: [Comparator]) {
        self.text = text
        self.comparators = comparators
    }

    /// - Throws: `value` with what is wrong.
    package init(parsing text: String) throws(ProjectError) {
        let trimmed = Self.trimmed(text[...])
        func refuse(_ reason: String) -> ProjectError {
            ProjectError(.value, "cannot parse constraint \"\(shown(text))\": \(reason)")
        }
        guard trimmed.utf8.count <= Self.byteLimit else {
            throw refuse("it has \(trimmed.utf8.count) bytes, at most \(Self.byteLimit) are allowed")
        }
        guard !trimmed.isEmpty else { throw refuse("it is empty; * means any release") }
        self.text = String(trimmed)
        if trimmed == "*" {
            comparators = []
            return
        }
        let parts = trimmed.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Self.partLimit else {
            throw refuse("it has \(parts.count) parts, at most \(Self.partLimit) are allowed")
        }
        var comparators: [Comparator] = []
        for part in parts {
            let part = Self.trimmed(part)
            if part.isEmpty { throw refuse("a part between commas is empty") }
            if part == "*" { throw refuse("* stands alone") }
            let operation = Comparator.Operation.allCases.first { part.hasPrefix($0.rawValue) }
            let rest = Self.trimmed(part.dropFirst(operation?.rawValue.count ?? 0))
            comparators.append(
                Comparator(
                    operation: operation ?? .caret,
                    version: try PartialVersion(parsing: String(rest), what: "constraint")
                )
            )
        }
        self.comparators = comparators
    }

    /// The constraint that a tag of a `# syntax=` directive means; see ``VersionTag``.
    package init(tag: String?) throws(ProjectError) {
        self = try VersionTag(parsing: tag).constraint
    }

    /// Exactly one version.
    package init(exactly version: SemanticVersion) {
        self.init(
            text: "=\(version)",
            comparators: [Comparator(operation: .equal, version: PartialVersion(version))]
        )
    }

    init(caret version: PartialVersion) {
        let comparator = Comparator(operation: .caret, version: version)
        self.init(text: "^\(version.description)", comparators: [comparator])
    }

    init(tilde version: PartialVersion) {
        let comparator = Comparator(operation: .tilde, version: version)
        self.init(text: "~\(version.description)", comparators: [comparator])
    }

    /// Whether a version will do.
    package func contains(_ version: SemanticVersion) -> Bool {
        guard comparators.allSatisfy({ $0.contains(version) }) else { return false }
        return !version.isPrerelease || comparators.contains { $0.namesPrerelease(of: version) }
    }

    /// The same as bounds: `>=1.5.0 <1.6.0`; `any release` for `*`.
    package var range: String {
        comparators.isEmpty ? "any release" : comparators.map(\.range).joined(separator: " ")
    }

    package var description: String { text }

    /// Equal when they let the same parts in, however they are written.
    package static func == (left: VersionConstraint, right: VersionConstraint) -> Bool {
        left.comparators == right.comparators
    }

    package func hash(into hasher: inout Hasher) { hasher.combine(comparators) }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}

/// One part of a constraint.
private struct Comparator: Sendable, Hashable {
    enum Operation: String, Sendable, Hashable, CaseIterable {
        // Longer ones first: they are told apart by their beginning.
        case atLeast = ">="
        case atMost = "<="
        case above = ">"
        case below = "<"
        case equal = "="
        case caret = "^"
        case tilde = "~"
    }

    let operation: Operation
    let version: PartialVersion

    func contains(_ candidate: SemanticVersion) -> Bool {
        // Builds do not count: they are the same version.
        let candidate = SemanticVersion(
            candidate.major,
            candidate.minor,
            candidate.patch,
            prerelease: candidate.prerelease
        )
        let bounds = bounds
        if let lower = bounds.lower, candidate < lower { return false }
        if let upper = bounds.upper {
            return bounds.includesUpper ? candidate <= upper : candidate < upper
        }
        return true
    }

    func namesPrerelease(of candidate: SemanticVersion) -> Bool {
        !version.prerelease.isEmpty && version.filled.core == candidate.core
    }

    /// From `lower` on, up to `upper`.
    private var bounds: (lower: SemanticVersion?, upper: SemanticVersion?, includesUpper: Bool) {
        let lowest = SemanticVersion(
            version.major,
            version.minor ?? 0,
            version.patch ?? 0,
            prerelease: version.prerelease
        )
        let isWhole = version.patch != nil
        switch operation {
        case .atLeast: return (lowest, nil, false)
        case .below: return (nil, lowest, false)
        case .above:
            // Nothing lies between a version and its successor in this order but what begins with it.
            return isWhole ? (successor(of: lowest), nil, false) : (afterPartial, nil, false)
        case .atMost: return isWhole ? (nil, lowest, true) : (nil, afterPartial, false)
        case .equal: return isWhole ? (lowest, lowest, true) : (lowest, afterPartial, false)
        case .tilde: return (lowest, version.minor == nil ? nextMajor : nextMinor, false)
        case .caret:
            if version.major > 0 || version.minor == nil { return (lowest, nextMajor, false) }
            if version.minor ?? 0 > 0 || version.patch == nil { return (lowest, nextMinor, false) }
            return (lowest, nextPatch, false)
        }
    }

    /// The first version above all that begin as the partial one does.
    private var afterPartial: SemanticVersion? { version.minor == nil ? nextMajor : nextMinor }

    /// `nil` = there is none that large.
    private var nextMajor: SemanticVersion? { next(version.major).map { SemanticVersion($0, 0, 0) } }

    private var nextMinor: SemanticVersion? {
        guard let minor = next(version.minor ?? 0) else { return nextMajor }
        return SemanticVersion(version.major, minor, 0)
    }

    private var nextPatch: SemanticVersion? {
        guard let patch = next(version.patch ?? 0) else { return nextMinor }
        return SemanticVersion(version.major, version.minor ?? 0, patch)
    }

    private func next(_ number: UInt64) -> UInt64? { number == .max ? nil : number + 1 }

    /// The next version in order: of a pre-release the one with a further part, of a release the next patch's first.
    private func successor(of version: SemanticVersion) -> SemanticVersion? {
        if version.isPrerelease {
            return SemanticVersion(
                version.major,
                version.minor,
                version.patch,
                prerelease: version.prerelease + [.number(0)]
            )
        }
        return nextPatch.map { SemanticVersion($0.major, $0.minor, $0.patch, prerelease: [.number(0)]) }
    }

    var range: String {
        let bounds = bounds
        if operation == .equal, version.patch != nil { return "=\(version.filled)" }
        if operation == .above, version.patch != nil { return ">\(version.filled)" }
        let lower = bounds.lower.map { ">=\($0)" }
        let upper = bounds.upper.map { (bounds.includesUpper ? "<=" : "<") + "\($0)" }
        return [lower, upper].compactMap { $0 }.joined(separator: " ")
    }
}

extension PartialVersion {
    init(_ version: SemanticVersion) {
        self.init(
            major: version.major,
            minor: version.minor,
            patch: version.patch,
            prerelease: version.prerelease,
            build: nil
        )
    }

    init(
        major: UInt64,
        minor: UInt64?,
        patch: UInt64?,
        prerelease: [SemanticVersion.Identifier],
        build: String?
    ) {
        self.major = major
        self.minor = minor
        self.patch = patch
        self.prerelease = prerelease
        self.build = build
    }
}
