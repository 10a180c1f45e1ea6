// SPDX-License-Identifier: Apache-2.0

/// A remote repository as BuildKit reads its URL: `scheme://user@host/path?query#ref:subdir` or the short form of ssh,
/// `user@host:path?query#ref:subdir`.
public struct GitLocation: Hashable, Sendable {
    /// `http`, `https`, `ssh` or `git`.
    public let scheme: String
    /// With a port if one was given.
    public let host: String
    /// Of the repository on its host.
    public let path: String
    /// What git is given: the URL without query and fragment.
    public let remote: String
    /// What follows `?`, in order.
    public let query: [QueryItem]
    /// Branch, tag or commit of the fragment.
    public let reference: String
    /// Directory of the fragment, cleaned, without a leading slash.
    public let subdirectory: String

    /// One `name=value` of a query; a value left out is empty.
    public struct QueryItem: Hashable, Sendable {
        /// Decoded.
        public let name: String
        /// Decoded.
        public let value: String
    }

    /// Why a text is no location of a repository.
    public enum ParseError: Error, Hashable, Sendable {
        /// It has no scheme and is not the short form of ssh.
        case unknownProtocol
        /// Its scheme is none git is fetched by.
        case unsupportedScheme(String)
        /// It is no URL.
        case invalidURL(String)
    }

    static let schemes: Set<String> = ["http", "https", "ssh", "git"]

    /// Whether a text begins with letters or digits and `://`.
    public static func hasScheme(_ text: String) -> Bool { schemeText(text) != nil }

    private static func schemeText(_ text: String) -> String? {
        guard let separator = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<separator.lowerBound]
        guard !scheme.isEmpty, scheme.utf8.allSatisfy(isAlphanumeric) else { return nil }
        return String(scheme)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20)
    }

    /// Reads a URL or the short form of ssh.
    public init(parsing text: String) throws(ParseError) {
        if let scheme = GitLocation.schemeText(text) {
            guard GitLocation.schemes.contains(scheme.lowercased()) else {
                throw .unsupportedScheme(scheme.lowercased())
            }
            try self.init(url: text, scheme: scheme)
        } else {
            try self.init(short: text)
        }
    }

    /// Reads `host/path…` as a URL of a scheme.
    public init(scheme: String, schemeless text: String) throws(ParseError) {
        try self.init(url: scheme + "://" + text, scheme: scheme)
    }

    private init(url: String, scheme: String) throws(ParseError) {
        guard url.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7f }) else {
            throw .invalidURL(url)
        }
        var rest = url[...]
        var fragment = ""
        if let hash = rest.firstIndex(of: "#") {
            fragment = try GitLocation.unescape(rest[rest.index(after: hash)...])
            rest = rest[..<hash]
        }
        var queryText = ""
        if let mark = rest.firstIndex(of: "?") {
            queryText = String(rest[rest.index(after: mark)...])
            rest = rest[..<mark]
        }
        let afterScheme = rest.dropFirst(scheme.count + 3)
        let slash = afterScheme.firstIndex(of: "/") ?? afterScheme.endIndex
        let authority = afterScheme[..<slash]
        let host =
            authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] }
            ?? authority
        guard GitLocation.isHost(host) else { throw .invalidURL(url) }
        self.scheme = scheme.lowercased()
        self.host = String(host)
        path = try GitLocation.unescape(afterScheme[slash...])
        remote = scheme.lowercased() + "://" + afterScheme
        query = GitLocation.parseQuery(queryText)
        (reference, subdirectory) = GitLocation.splitFragment(fragment)
    }

    private init(short text: String) throws(ParseError) {
        guard let at = text.firstIndex(of: "@") else { throw .unknownProtocol }
        let user = text[..<at]
        let afterUser = text[text.index(after: at)...]
        guard let colon = afterUser.firstIndex(of: ":") else { throw .unknownProtocol }
        let host = afterUser[..<colon]
        func isWord(_ text: Substring, _ extra: String) -> Bool {
            !text.isEmpty
                && text.utf8.allSatisfy {
                    GitLocation.isAlphanumeric($0) || extra.utf8.contains($0)
                }
        }
        guard isWord(user, "-_"), isWord(host, "-.") else { throw .unknownProtocol }
        var path = afterUser[afterUser.index(after: colon)...]
        guard !path.contains("\n") else { throw .unknownProtocol }
        var fragment = ""
        if let hash = path.firstIndex(of: "#") {
            fragment = String(path[path.index(after: hash)...])
            path = path[..<hash]
        }
        var queryText = ""
        if let mark = path.firstIndex(of: "?") {
            queryText = String(path[path.index(after: mark)...])
            path = path[..<mark]
        }
        scheme = "ssh"
        self.host = String(host)
        self.path = String(path)
        remote = "\(user)@\(host):\(path)"
        query = GitLocation.parseQuery(queryText)
        (reference, subdirectory) = GitLocation.splitFragment(fragment)
    }

    private static func splitFragment(_ fragment: String) -> (String, String) {
        guard !fragment.isEmpty else { return ("", "") }
        let parts = fragment.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let directory = SlashPath.join("/", parts.count > 1 ? String(parts[1]) : "")
        return (String(parts[0]), String(directory.dropFirst()))
    }

    private static func isHost(_ host: Substring) -> Bool {
        let name = host.lastIndex(of: ":").map { host[..<$0] } ?? host
        if let colon = host.lastIndex(of: ":"), !host.hasSuffix("]") {
            guard host[host.index(after: colon)...].utf8.allSatisfy({ (0x30...0x39).contains($0) })
            else {
                return false
            }
        }
        return name.utf8.allSatisfy { byte in
            isAlphanumeric(byte) || byte >= 0x80 || "-._~!$&'()*+,;=:[]<>\"%".utf8.contains(byte)
        }
    }

    private static func parseQuery(_ text: String) -> [QueryItem] {
        text.split(separator: "&").compactMap { pair in
            guard !pair.contains(";") else { return nil }
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = try? unescape(parts[0], plusIsBlank: true),
                let value = try? unescape(parts.count > 1 ? parts[1] : "", plusIsBlank: true)
            else { return nil }
            return QueryItem(name: name, value: value)
        }
    }

    private static func unescape(
        _ text: Substring,
        plusIsBlank: Bool = false
    ) throws(ParseError) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                let digits = rest.prefix(2)
                guard digits.count == 2,
                    let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16),
                    digits.allSatisfy({ $0 != UInt8(ascii: "+") })
                else { throw .invalidURL(String(text)) }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "+") where plusIsBlank: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
