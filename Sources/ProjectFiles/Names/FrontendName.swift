// SPDX-License-Identifier: Apache-2.0

/// What a frontend is called: `dockerfile`, `acme/spec`, `registry.example:5000/acme/spec`.
///
/// Segments of `a-z 0-9 . _ -`, joined by `/`, that begin and end with a letter or digit; the first of several may end
/// in a port. Names of one segment are the engine's own.
package struct FrontendName: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let text: String

    /// Names may have this many bytes.
    package static let byteLimit = 128

    /// - Throws: `value`: what is wrong with the name, as the end of a sentence.
    package init(parsing text: String) throws(ProjectError) {
        guard !text.isEmpty else { throw ProjectError(.value, "the name is empty") }
        guard text.utf8.count <= Self.byteLimit else {
            throw ProjectError(
                .value,
                "the name has \(text.utf8.count) bytes, at most \(Self.byteLimit) are allowed"
            )
        }
        let segments = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        for (index, segment) in segments.enumerated() {
            var segment = segment
            if index == 0, segments.count > 1, let colon = segment.firstIndex(of: UInt8(ascii: ":")) {
                let port = segment[segment.index(after: colon)...]
                guard (1...5).contains(port.count), port.allSatisfy(isDigit) else {
                    throw ProjectError(.value, "a port is a number")
                }
                segment = segment[..<colon]
            }
            try Self.check(segment)
        }
        self.text = text
    }

    /// A name that this module itself knows to be well formed.
    init(known text: String) { self.text = text }

    private static func check(_ segment: Substring.UTF8View) throws(ProjectError) {
        guard let first = segment.first, let last = segment.last else {
            throw ProjectError(.value, "a name segment is empty")
        }
        if segment.contains(where: { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }) {
            throw ProjectError(.value, "name segments are lower case")
        }
        guard segment.allSatisfy({ isAlphanumeric($0) || "._-".utf8.contains($0) }) else {
            throw ProjectError(.value, "name segments hold a-z, 0-9, '.', '_' and '-' only")
        }
        guard isAlphanumeric(first), isAlphanumeric(last) else {
            throw ProjectError(.value, "name segments begin and end with a letter or digit")
        }
    }

    /// Whether it has one segment only: then it is one of the engine's own.
    package var isReserved: Bool { !text.utf8.contains(UInt8(ascii: "/")) }

    /// Whether it begins with a host, as an image's name may: `ghcr.io/acme/spec`, `localhost:5000/acme/spec`.
    package var hasRegistry: Bool {
        guard let slash = text.firstIndex(of: "/") else { return false }
        let first = text[..<slash]
        return first == "localhost" || first.contains(".") || first.contains(":")
    }

    package var description: String { text }

    package static func < (left: FrontendName, right: FrontendName) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}
