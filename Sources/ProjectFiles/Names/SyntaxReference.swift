// SPDX-License-Identifier: Apache-2.0

package import OCI

/// Which frontend is asked for, by a directive, by `--frontend` or by the build argument `BUILDKIT_SYNTAX`.
///
/// Forms: `name`, `name:tag`, `name@sha256:…`, `name:tag@sha256:…`, `path:DIRECTORY` and `image:REFERENCE`. `docker.io/` and
/// `index.docker.io/` before a name say nothing and are dropped.
package struct SyntaxReference: Sendable, Hashable {
    package enum Target: Sendable, Hashable {
        /// A frontend by name; `tag` as it was written.
        case name(FrontendName, tag: String?, digest: Digest?)
        /// A directory or executable on this machine.
        case path(String)
        /// An image that speaks BuildKit's gateway protocol.
        case image(Reference)
    }

    /// As it was written.
    package let text: String
    package let target: Target

    /// References may have this many bytes.
    package static let byteLimit = 1024

    /// Reads a reference.
    ///
    /// - Throws: `value`: what is wrong, as the end of a sentence.
    package init(parsing text: String) throws(ProjectError) {
        guard text.utf8.count <= Self.byteLimit else {
            throw ProjectError(.value, "it has \(text.utf8.count) bytes, at most \(Self.byteLimit) are allowed")
        }
        self.text = text
        if text.hasPrefix("path:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, !path.utf8.contains(0) else {
                throw ProjectError(.value, "path: is followed by a directory")
            }
            target = .path(path)
            return
        }
        if text.hasPrefix("image:") {
            do {
                target = .image(try Reference(parsing: String(text.dropFirst(6))))
            } catch {
                throw ProjectError(.value, error.message)
            }
            return
        }
        target = try Self.named(text)
    }

    /// Reads the value of `--frontend`: as a directive's, but what begins with `/`, `./` or `../` is a path.
    ///
    /// - Throws: `value`: what is wrong, as the end of a sentence.
    package init(option text: String) throws(ProjectError) {
        let isPath = ["/", "./", "../"].contains { text.hasPrefix($0) } || text == "." || text == ".."
        guard isPath, !text.utf8.contains(0) else {
            try self.init(parsing: text)
            return
        }
        self.init(text: text, target: .path(text))
    }

    /// A frontend by its name alone.
    package init(_ name: FrontendName) {
        self.init(text: name.text, target: .name(name, tag: nil, digest: nil))
    }

    private init(text: String, target: Target) {
        self.text = text
        self.target = target
    }

    private static func named(_ text: String) throws(ProjectError) -> Target {
        var rest = text[...]
        var digest: Digest?
        if let at = rest.firstIndex(of: "@") {
            let digestText = rest[rest.index(after: at)...]
            guard let value = Digest(digestText) else {
                throw ProjectError(
                    .value,
                    "\"\(shown(digestText, limit: 80))\" is no digest; expected sha256: and 64 hexadecimal digits"
                )
            }
            digest = value
            rest = rest[..<at]
        }
        var tag: String?
        let afterSlash = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[afterSlash...].firstIndex(of: ":") {
            let tagText = rest[rest.index(after: colon)...]
            guard !tagText.isEmpty else { throw ProjectError(.value, "the tag is empty") }
            tag = String(tagText)
            rest = rest[..<colon]
            do {
                _ = try VersionTag(parsing: tag)
            } catch {
                throw ProjectError(.value, error.message)
            }
        }
        for registry in ["docker.io/", "index.docker.io/"] where rest.hasPrefix(registry) {
            rest = rest.dropFirst(registry.count)
        }
        return .name(try FrontendName(parsing: String(rest)), tag: tag, digest: digest)
    }

    /// The name, where it is one.
    package var name: FrontendName? {
        if case .name(let name, _, _) = target { name } else { nil }
    }

    package var tag: String? {
        if case .name(_, let tag, _) = target { tag } else { nil }
    }

    package var digest: Digest? {
        if case .name(_, _, let digest) = target { digest } else { nil }
    }
}

/// Names that always meant the Dockerfile frontend of BuildKit.
package enum BuiltInAlias {
    /// The bundled frontend that a name means, if it means one.
    package static func target(of name: FrontendName) -> FrontendName? {
        names.contains(name.text) ? dockerfile : nil
    }

    package static let names: Set<String> = ["docker/dockerfile", "docker/dockerfile-upstream", "dockerfile.v0"]

    private static let dockerfile = FrontendName(known: "dockerfile")
}
