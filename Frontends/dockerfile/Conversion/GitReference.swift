// SPDX-License-Identifier: Apache-2.0

internal import LLB

/// A git repository as an ADD source or a build context: `https://host/path.git#ref:subdir`, the same with a query, or
/// `user@host:path`.
struct GitReference {
    /// What git is given.
    var remote: String
    var reference: String
    var subdirectory: String
    /// Expected commit; empty for any.
    var checksum = ""
    var keepsGitDirectory: Bool?
    var submodules: Bool?
    /// `checkout`, `commit` or empty.
    var modificationTime = ""
    var fetchesByCommit = false
    /// Written as `github.com/…`, which may as well be a path; only a build context means the repository by it.
    var looksLikePath = false

    /// Reads a source.
    ///
    /// - Returns: `nil` when the text is no git repository.
    /// - Throws: `badSource` when it is one, with a query that means nothing.
    init?(parsing text: String) throws {
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

    private mutating func readQuery(_ query: [GitLocation.QueryItem], of text: String) throws {
        func refuse(_ reason: String) -> ConversionError {
            ConversionError(.badSource, "cannot use git source \"\(text)\": \(reason)")
        }
        var tag = ""
        var branch = ""
        var seen: Set<String> = []
        func truth(_ item: GitLocation.QueryItem) throws -> Bool {
            if item.value.isEmpty { return true }
            guard let value = parseBoolean(item.value) else {
                throw refuse("\(item.name)=\(item.value): expected true or false")
            }
            return value
        }
        func settle(_ old: String, _ new: String, _ name: String) throws -> String {
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

    /// What LLB's git source is told, without the Dockerfile's own flags.
    var options: State.GitOptions {
        var options = State.GitOptions(reference: reference, subdirectory: subdirectory)
        options.keepsGitDirectory = keepsGitDirectory ?? false
        options.checksum = checksum
        options.skipsSubmodules = submodules == false
        options.modificationTime = modificationTime
        options.fetchesByCommit = fetchesByCommit
        return options
    }
}

/// Whether ADD downloads a source rather than copying it or cloning it.
func isHTTPSource(_ source: String) -> Bool {
    (source.hasPrefix("http://") || source.hasPrefix("https://")) && !isGitSource(source)
}

/// Whether a source is a git repository.
func isGitSource(_ source: String) -> Bool { (try? GitReference(parsing: source)) != nil }

/// The name a download gets: the last component of the URL's path.
func downloadName(_ url: String) -> String {
    let unnamed = "__unnamed__"
    guard let scheme = url.firstRange(of: "://") else { return unnamed }
    let location = url[scheme.upperBound...].prefix { $0 != "#" && $0 != "?" }
    guard let slash = location.firstIndex(of: "/") else { return unnamed }
    var bytes: [UInt8] = []
    var rest = Array(location[slash...].utf8)[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            guard byte >= 0x20, byte != 0x7f else { return unnamed }
            bytes.append(byte)
            continue
        }
        let digits = String(decoding: rest.prefix(2), as: UTF8.self)
        guard digits.utf8.count == 2, digits.allSatisfy(\.isHexDigit),
            let value = UInt8(digits, radix: 16)
        else {
            return unnamed
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    let base = SlashPath.base(String(decoding: bytes, as: UTF8.self))
    return base == "." || base == "/" ? unnamed : base
}
