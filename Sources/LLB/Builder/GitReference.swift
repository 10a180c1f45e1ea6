// SPDX-License-Identifier: Apache-2.0

/// A git repository as users name it for a build context or a source: `https://host/path.git#ref:subdir`, the same with a
/// query, or `user@host:path`.
public struct GitReference: Hashable, Sendable {
    /// What git is given.
    public private(set) var remote: String
    /// Branch, tag or commit; empty for the remote's head.
    public private(set) var reference: String
    /// Directory of the checkout; empty for all of it.
    public private(set) var subdirectory: String
    /// Expected commit; empty for any.
    public private(set) var checksum = ""
    /// Whether `.git` stays; `nil` when nothing is said.
    public private(set) var keepsGitDirectory: Bool?
    /// Whether submodules are fetched; `nil` when nothing is said.
    public private(set) var submodules: Bool?
    /// `checkout`, `commit` or empty.
    public private(set) var modificationTime = ""
    /// Whether ``checksum`` itself is fetched.
    public private(set) var fetchesByCommit = false
    /// Written as `github.com/…`, which may as well be a path; only a build context means the repository by it.
    public private(set) var looksLikePath = false

    /// Why a repository cannot be used.
    public struct Refusal: Error, Hashable, Sendable {
        /// The whole text, with the source.
        public let message: String
    }

    /// Reads a source.
    ///
    /// - Returns: `nil` when the text is no git repository.
    /// - Throws: ``Refusal`` when it is one, with a query that means nothing.
    public init?(parsing text: String) throws(Refusal) {
        if text.hasPrefix("./") || text.hasPrefix("../") { return nil }
        let location: GitLocation
        if text.hasPrefix("github.com/") {
            looksLikePath = true
            guard let parsed = try? GitLocation(scheme: "https", schemeless: text) else {
                return nil
            }
            location = parsed
        } else {
            guard let parsed = try? GitLocation(parsing: text) else { return nil }
            if parsed.scheme.hasPrefix("http"), !parsed.path.hasSuffix(".git") { return nil }
            location = parsed
        }
        remote = location.remote
        if looksLikePath { remote = String(remote.dropFirst("https://".count)) }
        reference = location.reference
        subdirectory = location.subdirectory
        try readQuery(location.query, of: text)
    }

    private mutating func readQuery(_ query: [GitLocation.QueryItem], of text: String) throws(Refusal) {
        func refuse(_ reason: String) -> Refusal {
            Refusal(message: "cannot use git source \"\(text)\": \(reason)")
        }
        var tag = ""
        var branch = ""
        var seen: Set<String> = []
        func truth(_ item: GitLocation.QueryItem) throws(Refusal) -> Bool {
            if item.value.isEmpty { return true }
            guard let value = Self.truth(item.value) else {
                throw refuse("\(item.name)=\(item.value): expected true or false")
            }
            return value
        }
        func settle(_ old: String, _ new: String, _ name: String) throws(Refusal) -> String {
            guard old.isEmpty || old == new else {
                throw refuse("\(name) is both \"\(old)\" and \"\(new)\"")
            }
            return new
        }
        for item in query {
            guard seen.insert(item.name).inserted else {
                throw refuse("\(item.name) has several values")
            }
            let isFlag = ["submodules", "keep-git-dir", "fetch-by-commit"].contains(item.name)
            guard !item.value.isEmpty || isFlag else { throw refuse("\(item.name) has no value") }
            switch item.name {
            case "ref": reference = try settle(reference, item.value, "ref")
            case "tag": tag = item.value
            case "branch": branch = item.value
            case "subdir": subdirectory = try settle(subdirectory, item.value, "subdir")
            case "checksum", "commit": checksum = item.value
            case "keep-git-dir": keepsGitDirectory = try truth(item)
            case "submodules": submodules = try truth(item)
            case "fetch-by-commit": fetchesByCommit = try truth(item)
            case "mtime":
                guard ["checkout", "commit"].contains(item.value) else {
                    throw refuse("mtime=\(item.value): expected checkout or commit")
                }
                modificationTime = item.value
            default: throw refuse("unknown query \"\(item.name)\"")
            }
        }
        guard tag.isEmpty || branch.isEmpty else { throw refuse("it has both a tag and a branch") }
        for (name, prefix) in [(tag, "refs/tags/"), (branch, "refs/heads/")] where !name.isEmpty {
            reference = try settle(reference, name.hasPrefix(prefix) ? name : prefix + name, "ref")
        }
    }

    /// A truth value as Go's `strconv.ParseBool` reads it.
    private static func truth(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    /// What LLB's git source is told.
    public var options: State.GitOptions {
        var options = State.GitOptions(reference: reference, subdirectory: subdirectory)
        options.keepsGitDirectory = keepsGitDirectory ?? false
        options.checksum = checksum
        options.skipsSubmodules = submodules == false
        options.modificationTime = modificationTime
        options.fetchesByCommit = fetchesByCommit
        return options
    }
}
