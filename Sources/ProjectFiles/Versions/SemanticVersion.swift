// SPDX-License-Identifier: Apache-2.0

/// A version as Semantic Versioning 2.0.0 defines it: `1.4.2`, `2.0.0-rc.1+build.5`.
package struct SemanticVersion: Sendable, Hashable, CustomStringConvertible {
    /// One part of a pre-release, between its dots.
    package enum Identifier: Sendable, Hashable, Comparable {
        /// Only digits, without a leading zero. Numbers rank before words.
        case number(UInt64)
        case word(String)
    }

    package let major: UInt64
    package let minor: UInt64
    package let patch: UInt64
    /// Empty for a release.
    package let prerelease: [Identifier]
    /// What follows `+`; tells builds apart, and ranks last of all.
    package let build: String?

    /// Versions may have this many bytes.
    package static let byteLimit = 128

    package init(
        _ major: UInt64,
        _ minor: UInt64,
        _ patch: UInt64,
        prerelease: [Identifier] = [],
        build: String? = nil
    ) {
        self.major = major
        self.minor = minor
        self.patch = patch
        self.prerelease = prerelease
        self.build = build
    }

    /// Reads a version of three numbers.
    ///
    /// - Throws: `value` with what is wrong.
    package init(parsing text: String) throws(ProjectError) {
        let partial = try PartialVersion(parsing: text, what: "version")
        guard let minor = partial.minor, let patch = partial.patch else {
            throw ProjectError(
                .value,
                "cannot parse version \"\(shown(text))\": it has three numbers, such as \(partial.filled)"
            )
        }
        self.init(partial.major, minor, patch, prerelease: partial.prerelease, build: partial.build)
    }

    package var isPrerelease: Bool { !prerelease.isEmpty }

    /// The three numbers alone.
    package var core: SemanticVersion { SemanticVersion(major, minor, patch) }

    package var description: String {
        var text = "\(major).\(minor).\(patch)"
        if !prerelease.isEmpty { text += "-" + prerelease.map(\.description).joined(separator: ".") }
        if let build { text += "+" + build }
        return text
    }
}

extension SemanticVersion: Comparable {
    /// Precedence of the specification; of versions that differ in nothing but their build, the order of its bytes.
    package static func < (left: SemanticVersion, right: SemanticVersion) -> Bool {
        let numbers = ((left.major, left.minor, left.patch), (right.major, right.minor, right.patch))
        if numbers.0 != numbers.1 { return numbers.0 < numbers.1 }
        if left.prerelease != right.prerelease {
            // A release ranks above its own pre-releases.
            if left.prerelease.isEmpty { return false }
            if right.prerelease.isEmpty { return true }
            return left.prerelease.lexicographicallyPrecedes(right.prerelease)
        }
        return (left.build ?? "").utf8.lexicographicallyPrecedes((right.build ?? "").utf8)
    }
}

extension SemanticVersion.Identifier: CustomStringConvertible {
    package var description: String {
        switch self {
        case .number(let number): String(number)
        case .word(let word): word
        }
    }

    package static func < (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.number(let left), .number(let right)): left < right
        case (.number, .word): true
        case (.word, .number): false
        case (.word(let left), .word(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
        }
    }
}

/// A version of which the last numbers may be missing, as constraints and tags have them.
struct PartialVersion: Sendable, Hashable {
    let major: UInt64
    let minor: UInt64?
    let patch: UInt64?
    let prerelease: [SemanticVersion.Identifier]
    let build: String?

    /// - Parameter what: What the text is, for messages.
    init(parsing text: String, what: String) throws(ProjectError) {
        func refuse(_ reason: String) -> ProjectError {
            ProjectError(.value, "cannot parse \(what) \"\(shown(text))\": \(reason)")
        }
        guard text.utf8.count <= SemanticVersion.byteLimit else {
            throw refuse("it has \(text.utf8.count) bytes, at most \(SemanticVersion.byteLimit) are allowed")
        }
        guard let first = text.utf8.first else { throw refuse("it is empty") }
        guard isDigit(first) else {
            throw refuse(first | 0x20 == UInt8(ascii: "v") ? "write it without v" : "it begins with a number")
        }
        let (versionText, buildText) = cut(text, at: "+")
        let (numberText, prereleaseText) = cut(versionText, at: "-")
        let parts = numberText.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 3 else { throw refuse("it has \(parts.count) numbers, at most 3 are allowed") }
        var numbers: [UInt64] = []
        for part in parts {
            guard !part.isEmpty, part.utf8.allSatisfy(isDigit) else {
                throw refuse("\"\(shown(part))\" is no number")
            }
            guard part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0") else {
                throw refuse("\(part) has a leading zero")
            }
            guard let number = UInt64(part) else { throw refuse("\(part) is too large") }
            numbers.append(number)
        }
        if prereleaseText != nil || buildText != nil, numbers.count < 3 {
            throw refuse("only three numbers can be followed by - or +")
        }
        var identifiers: [SemanticVersion.Identifier] = []
        if let prereleaseText {
            for part in prereleaseText.split(separator: ".", omittingEmptySubsequences: false) {
                guard isIdentifier(part) else { throw refuse("pre-release part \"\(shown(part))\" is not valid") }
                guard part.utf8.allSatisfy(isDigit) else {
                    identifiers.append(.word(String(part)))
                    continue
                }
                guard part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0") else {
                    throw refuse("pre-release number \(part) has a leading zero")
                }
                guard let number = UInt64(part) else { throw refuse("pre-release number \(part) is too large") }
                identifiers.append(.number(number))
            }
        }
        if let buildText {
            for part in buildText.split(separator: ".", omittingEmptySubsequences: false) where !isIdentifier(part) {
                throw refuse("build part \"\(shown(part))\" is not valid")
            }
        }
        major = numbers[0]
        minor = numbers.count > 1 ? numbers[1] : nil
        patch = numbers.count > 2 ? numbers[2] : nil
        prerelease = identifiers
        build = buildText.map(String.init)
    }

    /// The lowest version it stands for.
    var filled: SemanticVersion {
        SemanticVersion(major, minor ?? 0, patch ?? 0, prerelease: prerelease, build: build)
    }

    var description: String {
        guard let minor else { return "\(major)" }
        return patch == nil ? "\(major).\(minor)" : filled.description
    }
}

/// Splits at the first occurrence of a character.
private func cut(_ text: some StringProtocol, at character: Character) -> (Substring, Substring?) {
    let text = Substring(text)
    guard let index = text.firstIndex(of: character) else { return (text, nil) }
    return (text[..<index], text[text.index(after: index)...])
}

private func isIdentifier(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
}

func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

func isAlphanumeric(_ byte: UInt8) -> Bool {
    isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
}
