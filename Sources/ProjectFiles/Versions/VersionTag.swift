// SPDX-License-Identifier: Apache-2.0

/// The tag of a `# syntax=` directive, read as a Docker user means it.
///
/// `1` → `^1`; `1.7` → `~1.7`; `1.7.3` → `=1.7.3`; `latest` or none → `*`. A suffix `-labs`, or any other behind fewer
/// than three numbers, names a channel: `1-labs` → `^1`, channel `labs`. A tag that is no version is a channel of any
/// release: `master`. A tag that begins with an operator is a constraint: `^1.4`.
package struct VersionTag: Sendable, Hashable {
    package let constraint: VersionConstraint
    /// Handed to the frontend as its option `channel`.
    package let channel: String?
    /// Whether it names no version at all, so that it means another one tomorrow.
    package let isFloating: Bool

    /// The tag's version as a minimum; `nil` for operators, which mean what they say.
    private let minimum: VersionConstraint?

    private static let labs = "labs"

    /// - Throws: `value` with what is wrong.
    package init(parsing tag: String?) throws(ProjectError) {
        guard let tag, !tag.isEmpty, tag != "latest" else {
            self.init(.any, nil, isFloating: true)
            return
        }
        if let first = tag.first, "^~=<>*".contains(first) {
            let constraint = try VersionConstraint(parsing: tag)
            self.init(constraint, nil, isFloating: constraint == .any)
            return
        }
        let (version, channel) = Self.split(tag)
        guard let version else {
            guard tag.utf8.allSatisfy({ isAlphanumeric($0) || "._-".utf8.contains($0) }),
                tag.utf8.count <= SemanticVersion.byteLimit
            else { throw ProjectError(.value, "cannot parse tag \"\(shown(tag))\": it is no version and no word") }
            if tag.utf8.first.map({ $0 | 0x20 == UInt8(ascii: "v") }) == true,
                tag.utf8.dropFirst().first.map(isDigit) == true
            {
                throw ProjectError(.value, "cannot parse tag \"\(shown(tag))\": write the version without v")
            }
            self.init(.any, channel, isFloating: true)
            return
        }
        let partial = try PartialVersion(parsing: version, what: "tag")
        if partial.minor == nil {
            self.init(VersionConstraint(caret: partial), channel, minimum: partial)
        } else if partial.patch == nil {
            self.init(VersionConstraint(tilde: partial), channel, minimum: partial)
        } else {
            self.init(VersionConstraint(exactly: partial.filled), channel, minimum: partial)
        }
    }

    private init(
        _ constraint: VersionConstraint,
        _ channel: String?,
        isFloating: Bool = false,
        minimum: PartialVersion? = nil
    ) {
        self.constraint = constraint
        self.channel = channel
        self.isFloating = isFloating
        self.minimum = minimum.map { VersionConstraint(caret: $0) }
    }

    /// Whether a bundled frontend may serve this tag.
    ///
    /// Within a major, a newer Dockerfile frontend reads what was written for an older one, and files ask for old ones
    /// (`docker/dockerfile:1.4`) because they need at least these: so here the tag is a minimum.
    package func isServed(byBundled version: SemanticVersion) -> Bool {
        constraint == .any || constraint.contains(version) || minimum?.contains(version) == true
    }

    /// The version of a tag and its channel.
    private static func split(_ tag: String) -> (version: String?, channel: String?) {
        guard let first = tag.utf8.first, isDigit(first) else {
            return (nil, tag.hasSuffix("-" + labs) ? labs : tag)
        }
        if tag.hasSuffix("-" + labs) { return (String(tag.dropLast(labs.count + 1)), labs) }
        guard let hyphen = tag.firstIndex(of: "-") else { return (tag, nil) }
        let numbers = tag[..<hyphen]
        // Behind three numbers it is a pre-release.
        if numbers.split(separator: ".", omittingEmptySubsequences: false).count >= 3 { return (tag, nil) }
        return (String(numbers), String(tag[tag.index(after: hyphen)...]))
    }
}
