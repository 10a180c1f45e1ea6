// SPDX-License-Identifier: Apache-2.0

/// A checkout that a build names.
package struct GitRequest: Sendable, Hashable {
    /// What git is given: `https://…`, `http://…`, `git://…`, `ssh://…` or `user@host:path`.
    package var remote: String
    /// Branch, tag, full ref name or commit; empty for the remote's own choice.
    package var reference = ""
    /// Only this directory of the checkout, clean and without a leading slash; empty for all.
    package var subdirectory = ""
    /// The object that must be found, or a prefix of it, in hexadecimal; empty for any.
    package var checksum = ""
    /// Whether `.git` stays; only for checkouts without a subdirectory.
    package var keepsGitDirectory = false
    /// Whether submodules stay empty.
    package var skipsSubmodules = false
    /// Whether files get the time of the commit instead of the time of the checkout.
    package var usesCommitTime = false
    /// Whether ``checksum``, a whole commit, is fetched whatever the reference points at now.
    package var fetchesByCommit = false
    /// The secret with a token for HTTP, unless the build was not given it.
    package var authTokenSecret = usualTokenSecret
    /// The secret with a header for HTTP, which comes before the token.
    package var authHeaderSecret = usualHeaderSecret

    /// The agent that keys for SSH are in, by its name in the build; empty for none.
    package var agent = ""
    /// Lines of a known_hosts file; empty for those of the machine.
    package var knownHosts = ""

    package static let usualTokenSecret = "GIT_AUTH_TOKEN"
    package static let usualHeaderSecret = "GIT_AUTH_HEADER"

    package init(remote: String) { self.remote = remote }

    /// Refuses what git would misread.
    ///
    /// - Throws: `SourcesError` with `invalid` or `unsupported`.
    package func validate() throws {
        let scheme = remote.firstRange(of: "://").map { remote[..<$0.lowerBound] } ?? ""
        guard isSSH || ["http", "https", "git"].contains(scheme) else {
            throw SourcesError(
                .unsupported,
                "cannot fetch \(shownRemote): only http, https, git and ssh addresses are fetched"
            )
        }
        // Neither ssh nor a shell may take a part of it for something else.
        if isSSH, host.isEmpty || host.hasPrefix("-") || !host.utf8.allSatisfy(Self.isHostByte) {
            throw SourcesError(.invalid, "cannot fetch \(shownRemote): \"\(host.prefix(200))\" is no name of a host")
        }
        for (what, text) in [("address", remote), ("reference", reference), ("checksum", checksum)] {
            guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }), !text.hasPrefix("-"), text.utf8.count <= 4096
            else {
                throw SourcesError(
                    .invalid,
                    "cannot fetch \(shownRemote): its \(what) holds white space or control characters, begins with \"-\", or is "
                        + "too long"
                )
            }
        }
        if reference.contains("..") || reference.utf8.contains(where: { ":?*[\\^~".utf8.contains($0) }) {
            throw SourcesError(.invalid, "cannot fetch \(shownRemote): \"\(reference)\" names no branch, tag or commit")
        }
        if !checksum.isEmpty, !Self.isHexadecimal(checksum) {
            throw SourcesError(
                .invalid,
                "cannot fetch \(shownRemote): the checksum \"\(checksum)\" is no commit in lower-case hexadecimal digits"
            )
        }
        if fetchesByCommit, !Self.isCommit(checksum) {
            throw SourcesError(
                .invalid,
                "cannot fetch \(shownRemote): fetching by commit needs the whole commit as checksum, not \"\(checksum)\""
            )
        }
    }

    /// Whether git reaches the remote by SSH.
    package var isSSH: Bool { remote.hasPrefix("ssh://") || shortHost != nil }

    /// The host of `user@host:path`.
    private var shortHost: Substring? {
        guard !remote.contains("://"), let at = remote.firstIndex(of: "@") else { return nil }
        let rest = remote[remote.index(after: at)...]
        guard let colon = rest.firstIndex(of: ":") else { return nil }
        return rest[..<colon]
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || "-._:[]".utf8.contains(byte)
    }

    /// The secrets that may log a build in, in the order in which they are looked for; the first that is there counts.
    ///
    /// Empty where a remote takes no login by HTTP.
    package var login: [LoginSecret] { loginHeaders + loginTokens }

    var loginHeaders: [LoginSecret] { secrets(authHeaderSecret) }
    var loginTokens: [LoginSecret] { secrets(authTokenSecret) }

    private func secrets(_ name: String) -> [LoginSecret] {
        guard remote.hasPrefix("http"), !name.isEmpty else { return [] }
        return [LoginSecret(id: "\(name).\(host)", name: name), LoginSecret(id: name, name: name)]
    }

    /// The address without a login in it.
    package var shownRemote: String { withoutLogin(remote) }

    /// The server, without login and port.
    var host: String {
        guard let separator = remote.firstRange(of: "://") else { return shortHost.map(String.init) ?? "" }
        let authority = remote[separator.upperBound...].prefix { $0 != "/" }
        let name = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        if name.hasPrefix("["), let close = name.firstIndex(of: "]") { return String(name[...close]) }
        return String(name.prefix { $0 != ":" })
    }

    /// The part of the address that logins are for: scheme, server and port.
    var origin: String {
        guard let separator = remote.firstRange(of: "://") else { return "" }
        let authority = remote[separator.upperBound...].prefix { $0 != "/" }
        let name = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        return "\(remote[..<separator.upperBound])\(name)/"
    }

    /// Whether a text is the whole name of an object, by SHA-1 or SHA-256.
    package static func isCommit(_ text: String) -> Bool {
        (text.utf8.count == 40 || text.utf8.count == 64) && isHexadecimal(text)
    }

    private static func isHexadecimal(_ text: String) -> Bool {
        text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}

/// A secret that may log a build in to a server.
package struct LoginSecret: Sendable, Hashable {
    /// Its id among the secrets of a build.
    package let id: String
    /// The id without the server that it is for.
    package let name: String
}

/// What a request stands for now.
package struct GitCommit: Sendable, Hashable {
    /// The object the reference points at; for an annotated tag the tag itself.
    package let checksum: String
    /// The full name of the branch or tag; the commit when the request names one.
    package let reference: String
    /// The commit, where `checksum` is a tag.
    package let commit: String?
}
