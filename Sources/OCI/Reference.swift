// SPDX-License-Identifier: Apache-2.0

/// The full name of an image: registry, repository and, perhaps, tag and digest.
///
/// Short names mean what they mean to Docker: `alpine` is `docker.io/library/alpine`. Source: distribution/reference.
public struct Reference: Hashable, Sendable {
    /// Registry host, with a port if one was given.
    ///
    /// `docker.io`, `localhost:5000`. Empty only for the rare names whose first component looks
    /// like a host but is none.
    public let domain: String
    /// Repository below the registry: `library/alpine`.
    public let path: String
    /// A name for a moving version; `nil` without one.
    public var tag: String?
    /// Of the manifest; `nil` without one.
    public var digest: Digest?

    /// Repositories may have this many bytes.
    public static let pathByteLimit = 255
    /// Tags may have this many bytes.
    public static let tagByteLimit = 128

    /// Reads a reference and fills in `docker.io` and `library/`, but no tag.
    ///
    /// - Throws: `invalidReference` with what is wrong.
    public init(parsing text: String) throws(OCIError) {
        func refuse(_ reason: String) -> OCIError {
            OCIError(.invalidReference, "cannot parse image reference \"\(Reference.shown(text))\": \(reason)")
        }
        guard !text.isEmpty else { throw refuse("it is empty") }
        if text.utf8.count == 64, Digest(hex: text) != nil {
            throw refuse("64 hexadecimal digits are an image identifier, not a name")
        }
        let (host, remainder) = Reference.split(text)
        let repositoryPart = remainder[..<(remainder.utf8.firstIndex(of: UInt8(ascii: ":")) ?? remainder.endIndex)]
        guard !Reference.hasUpperCase(repositoryPart) else {
            throw refuse("repository name \"\(Reference.shown(repositoryPart))\" must be lower case")
        }
        var name = host + "/" + remainder
        var digest: Digest?
        if let at = name.utf8.firstIndex(of: UInt8(ascii: "@")) {
            let digestText = name[name.utf8.index(after: at)...]
            guard let value = Digest(digestText) else {
                throw refuse(
                    "\"\(Reference.shown(digestText))\" is no digest; expected sha256: and 64 hexadecimal digits"
                )
            }
            digest = value
            name = String(name[..<at])
        }
        var tag: String?
        if let colon = name.utf8.lastIndex(of: UInt8(ascii: ":")), !name.utf8[colon...].contains(UInt8(ascii: "/")) {
            let text = String(name[name.utf8.index(after: colon)...])
            guard Reference.isTag(text) else { throw refuse("invalid tag \"\(Reference.shown(text))\"") }
            tag = text
            name = String(name[..<colon])
        }
        guard let slash = name.utf8.firstIndex(of: UInt8(ascii: "/")) else { throw refuse("it names no repository") }
        let domain = String(name[..<slash])
        let path = String(name[name.utf8.index(after: slash)...])
        if Reference.isDomain(domain), Reference.isPath(path) {
            self.domain = domain
            self.path = path
        } else if Reference.isPath(name) {
            self.domain = ""
            self.path = name
        } else {
            throw refuse("invalid reference format")
        }
        guard self.path.utf8.count <= Reference.pathByteLimit else {
            throw refuse(
                "repository name has \(self.path.utf8.count) bytes, at most \(Reference.pathByteLimit) are allowed"
            )
        }
        self.tag = tag
        self.digest = digest
    }

    /// What a message shows of a text that may be long.
    private static func shown(_ text: some StringProtocol) -> String {
        text.utf8.count <= 400 ? String(text) : "\(text.prefix(200))…"
    }

    /// The name without tag and digest.
    public var name: String { domain.isEmpty ? path : domain + "/" + path }

    /// The same reference, with the tag `latest` if it had neither tag nor digest.
    public var withDefaultTag: Reference {
        var copy = self
        if tag == nil, digest == nil { copy.tag = "latest" }
        return copy
    }

    /// The short form people write: `alpine:3` for `docker.io/library/alpine:3`.
    public var familiar: String {
        var name = name
        if domain == "docker.io" {
            name = path
            let library = "library/"
            if path.hasPrefix(library), !path.dropFirst(library.count).contains("/") {
                name = String(path.dropFirst(library.count))
            }
        }
        return name + suffix
    }

    private var suffix: String { (tag.map { ":" + $0 } ?? "") + (digest.map { "@\($0)" } ?? "") }
}

extension Reference: CustomStringConvertible {
    /// The full form, which ``init(parsing:)`` reads back.
    public var description: String { name + suffix }
}

extension Reference {
    /// Separates the registry, real or implied, from the rest.
    private static func split(_ text: String) -> (domain: String, remainder: String) {
        let dockerHub = "docker.io"
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return (dockerHub, "library/" + text) }
        let first = String(text[..<slash])
        let rest = String(text[text.utf8.index(after: slash)...])
        var result: (domain: String, remainder: String)
        if first == "localhost" {
            result = (first, rest)
        } else if first == "index.docker.io" {
            result = (dockerHub, rest)
        } else if first.utf8.contains(where: { $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") })
            || hasUpperCase(first[...])
        {
            result = (first, rest)
        } else {
            result = (dockerHub, text)
        }
        if result.domain == dockerHub, !result.remainder.utf8.contains(UInt8(ascii: "/")) {
            result.remainder = "library/" + result.remainder
        }
        return result
    }

    /// Whether lower case would be another text.
    private static func hasUpperCase(_ text: Substring) -> Bool {
        var isASCII = true
        for byte in text.utf8 {
            if byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") { return true }
            if byte >= 0x80 { isASCII = false }
        }
        return !isASCII && text.lowercased() != text
    }

    private static func isTag(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, bytes.count <= tagByteLimit, isWord(first) else {
            return false
        }
        return bytes.allSatisfy { isWord($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func isDomain(_ text: String) -> Bool {
        var host = Array(text.utf8)[...]
        if host.first == UInt8(ascii: "[") {
            guard let close = host.firstIndex(of: UInt8(ascii: "]")), close > 1,
                host[1..<close].allSatisfy({ isHexDigit($0) || $0 == UInt8(ascii: ":") })
            else { return false }
            return isPort(host[(close + 1)...])
        }
        if let colon = host.firstIndex(of: UInt8(ascii: ":")) {
            guard isPort(host[colon...]) else { return false }
            host = host[..<colon]
        }
        return host.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            guard let first = label.first, let last = label.last else { return false }
            return isAlphanumeric(first) && isAlphanumeric(last)
                && label.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: "-") }
        }
    }

    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard !bytes.isEmpty else { return true }
        return bytes.first == UInt8(ascii: ":") && bytes.count > 1
            && bytes.dropFirst().allSatisfy(isDigit)
    }

    /// Components of lower-case letters and digits, joined inside by `.`, `_`, `__` or any number of `-`.
    private static func isPath(_ text: String) -> Bool {
        /// What joins two words, as far as it was read.
        var separator: (byte: UInt8, count: Int)?
        var isInWord = false
        for byte in text.utf8 {
            if isDigit(byte) || isLower(byte) {
                isInWord = true
                separator = nil
                continue
            }
            if isInWord {
                switch byte {
                case UInt8(ascii: "/"): break
                case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): separator = (byte, 1)
                default: return false
                }
                isInWord = false
                continue
            }
            switch (byte, separator) {
            case (UInt8(ascii: "_"), (UInt8(ascii: "_"), 1)?): separator = (byte, 2)
            case (UInt8(ascii: "-"), (UInt8(ascii: "-"), _)?): break
            default: return false
            }
        }
        return isInWord
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }
    private static func isLower(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7a }
    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        isDigit(byte) || isLower(byte | 0x20)
    }
    private static func isWord(_ byte: UInt8) -> Bool {
        isAlphanumeric(byte) || byte == UInt8(ascii: "_")
    }
    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x66)
    }
}
