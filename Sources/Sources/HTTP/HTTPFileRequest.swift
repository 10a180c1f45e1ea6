// SPDX-License-Identifier: Apache-2.0

internal import FoundationEssentials
package import OCI

/// A file of the web that a build names: the identifier and attributes of a source operation, read and checked.
package struct HTTPFileRequest: Sendable, Hashable {
    /// A request header the build file sets.
    package struct Header: Sendable, Hashable {
        package let name: String
        package let value: String
    }

    /// `http` or `https`.
    package let url: String
    /// ``url`` without a login in it.
    package var shownURL: String { withoutLogin(url) }
    /// What the body must hash to.
    package private(set) var checksum: Checksum?
    /// Whether that is somebody else's demand than the build's: ``demand(_:)``.
    package private(set) var isPinned = false
    /// What the file is called; `nil` lets the server or else the address decide.
    package private(set) var filename: String?
    /// Mode bits.
    package private(set) var permissions: UInt32 = 0o600
    package private(set) var user: UInt32 = 0
    package private(set) var group: UInt32 = 0
    /// The secret with the `Authorization` header.
    package private(set) var authHeaderSecret: String?
    /// Sorted by name.
    package private(set) var headers: [Header] = []

    /// Headers a build file may set; others are passed over, as BuildKit does.
    private static let settableHeaders = ["accept": "Accept", "user-agent": "User-Agent"]

    /// Reads the identifier and attributes of a source operation.
    ///
    /// - Throws: `SourcesError` with code `invalid` or `unsupported`.
    package init(identifier: String, attributes: [String: String]) throws {
        url = identifier
        guard let parsed = URL(string: identifier), let host = parsed.host(), !host.isEmpty,
            ["http", "https"].contains(parsed.scheme?.lowercased() ?? "")
        else {
            throw SourcesError(
                .invalid,
                "cannot use the source \"\(identifier.prefix(200))\": it is no address of the web"
            )
        }
        for (name, value) in attributes.sorted(by: { $0.key < $1.key }) { try take(name, value) }
    }

    private mutating func take(_ name: String, _ value: String) throws {
        switch name {
        case "http.checksum": checksum = try Checksum(value)
        case "http.filename": filename = value.isEmpty ? nil : value
        case "http.perm":
            let mode = try Self.number(name, value)
            if mode != 0 { permissions = mode }
        case "http.uid": user = try Self.number(name, value)
        case "http.gid": group = try Self.number(name, value)
        case "http.authheadersecret": authHeaderSecret = value.isEmpty ? nil : value
        case "http.sig.pubkey", "http.sig.signature":
            throw SourcesError(.unsupported, "cannot fetch \(url): signatures of files are not checked yet")
        case _ where name.hasPrefix("http.header."):
            let header = name.dropFirst("http.header.".count).lowercased()
            guard let known = Self.settableHeaders[header] else { return }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw SourcesError(.invalid, "cannot use the attribute \(name): its value holds a control character")
            }
            headers.append(Header(name: known, value: value))
        default: return
        }
    }

    /// The secrets that may log a build in, in the order in which they are looked for, by the names BuildKit gives them;
    /// the first that is there counts.
    package var login: [LoginSecret] {
        if let authHeaderSecret { return [LoginSecret(id: authHeaderSecret, name: authHeaderSecret)] }
        guard let host = URL(string: url)?.host(percentEncoded: false) else { return [] }
        return [Self.loginHeader, Self.loginToken].map { LoginSecret(id: "\($0)_\(host)", name: $0) }
    }

    static let loginHeader = "HTTP_AUTH_HEADER"
    static let loginToken = "HTTP_AUTH_TOKEN"

    /// Demands a body, where the build does not name one itself.
    package mutating func demand(_ body: Digest) {
        checksum = Checksum(body)
        isPinned = true
    }

    /// A number as Go reads it with base 0: octal behind `0`, hexadecimal behind `0x`.
    private static func number(_ name: String, _ value: String) throws -> UInt32 {
        let number: UInt32? =
            if value.hasPrefix("0x") || value.hasPrefix("0X") {
                UInt32(value.dropFirst(2), radix: 16)
            } else if value.hasPrefix("0o") || value.hasPrefix("0O") {
                UInt32(value.dropFirst(2), radix: 8)
            } else if value.hasPrefix("0"), value.utf8.count > 1 {
                UInt32(value.dropFirst(), radix: 8)
            } else {
                UInt32(value)
            }
        guard let number, number != .max else {
            throw SourcesError(.invalid, "cannot use the attribute \(name)=\"\(value.prefix(40))\": expected a number")
        }
        return number
    }

    /// A digest in any of the algorithms of the OCI specifications.
    package struct Checksum: Sendable, Hashable, CustomStringConvertible {
        package enum Algorithm: String, Sendable { case sha256, sha384, sha512 }

        package let algorithm: Algorithm
        package let hex: String

        package var description: String { "\(algorithm.rawValue):\(hex)" }

        private static let lengths: [Algorithm: Int] = [.sha256: 64, .sha384: 96, .sha512: 128]

        init(_ digest: Digest) {
            algorithm = .sha256
            hex = digest.hex
        }

        init(_ text: String) throws {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let algorithm = Algorithm(rawValue: String(parts[0])),
                parts[1].utf8.count == Self.lengths[algorithm],
                parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) })
            else {
                throw SourcesError(
                    .invalid,
                    "cannot use the checksum \"\(text.prefix(160))\": expected sha256:, sha384: or sha512: and its hexadecimal "
                        + "digits in lower case"
                )
            }
            self.algorithm = algorithm
            hex = String(parts[1])
        }
    }
}

/// A file of the web as it was found.
package struct HTTPFile: Sendable, Hashable {
    /// SHA-256 of the body, which is in the store.
    package let digest: Digest
    /// What it is called; never empty, without slashes.
    package let name: String
    /// In seconds since 1970, where the server told.
    package let lastModified: Int64?
}
