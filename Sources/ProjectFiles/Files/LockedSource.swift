// SPDX-License-Identifier: Apache-2.0

package import OCI

/// Something outside that a build reads and that may change: an image tag, a git ref, the body of an address.
///
/// Written as LLB writes the source: `docker-image://docker.io/library/alpine:3.20`, `git://host/repository.git#main`,
/// `https://host/file`.
package struct SourceKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        case image, git, http
    }

    package let text: String
    package let kind: Kind

    package static let imageScheme = "docker-image://"

    /// The key of an image; `nil` when the reference names its digest and so needs no pin.
    package init?(_ reference: Reference) {
        guard reference.digest == nil else { return nil }
        self.init(text: Self.imageScheme + reference.withDefaultTag.description, kind: .image)
    }

    private init(text: String, kind: Kind) {
        self.text = text
        self.kind = kind
    }

    /// The key under which the identifier of a source operation is pinned.
    ///
    /// - Returns: `nil` when it needs no pin: it names its content already (a digest, a commit), or comes from the client.
    package init?(identifier: String) {
        if identifier.hasPrefix(Self.imageScheme) {
            let name = String(identifier.dropFirst(Self.imageScheme.count))
            guard let reference = try? Reference(parsing: name) else { return nil }
            self.init(reference)
            return
        }
        if identifier.hasPrefix("git://") {
            // A subdirectory does not change what the ref means.
            let parts = identifier.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let ref = parts.count > 1 ? parts[1].prefix { $0 != ":" } : ""
            guard !Self.isCommit(ref) else { return nil }
            self.init(text: ref.isEmpty ? String(parts[0]) : "\(parts[0])#\(ref)", kind: .git)
            return
        }
        guard identifier.hasPrefix("https://") || identifier.hasPrefix("http://") else { return nil }
        self.init(text: identifier, kind: .http)
    }

    /// Reads a key of the lock.
    ///
    /// - Throws: `value`.
    init(locked text: String) throws(ProjectError) {
        guard let key = SourceKey(identifier: text), key.text == text else {
            throw ProjectError(
                .value,
                """
                "\(shown(text))" is no source that can be pinned; expected docker-image://NAME:TAG, git://…#REF or an \
                http address
                """
            )
        }
        self = key
    }

    /// A name as people write it: `alpine:3.20`.
    package var familiar: String {
        guard kind == .image, let reference = try? Reference(parsing: String(text.dropFirst(Self.imageScheme.count)))
        else { return text }
        return reference.familiar
    }

    /// Whether a user's word means this source: its familiar name, the same without its tag, or the whole key.
    package func isNamed(_ word: String) -> Bool {
        if word == text || word == familiar { return true }
        guard kind == .image, let reference = try? Reference(parsing: word), reference.digest == nil,
            let own = try? Reference(parsing: String(text.dropFirst(Self.imageScheme.count)))
        else { return false }
        return reference.name == own.name && (reference.tag == nil || reference.tag == own.tag)
    }

    static func isCommit(_ text: some StringProtocol) -> Bool {
        [40, 64].contains(text.utf8.count)
            && text.utf8.allSatisfy { isDigit($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0) }
    }

    package var description: String { text }

    package static func < (left: SourceKey, right: SourceKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }
}

/// What a source was when it was locked.
package enum LockedSource: Sendable, Hashable {
    /// What the tag pointed at, an index or a manifest, and the manifest that was chosen by platform.
    case image(Digest, platforms: [String: Digest])
    /// A commit, in hexadecimal digits, and what git is given to fetch it; `nil` where that is the key with `https`.
    case git(commit: String, remote: String?)
    /// The SHA-256 of a body.
    case http(Digest)

    /// What is pinned, for messages.
    package var summary: String {
        switch self {
        case .image(let digest, _), .http(let digest): digest.description
        case .git(let commit, _): commit
        }
    }

    /// The platforms of both, where both are the same image; else the newer one.
    package func joined(_ newer: LockedSource) -> LockedSource {
        guard case .image(let digest, let own) = self, case .image(digest, let others) = newer else { return newer }
        return .image(digest, platforms: own.merging(others) { _, new in new })
    }
}
