// SPDX-License-Identifier: Apache-2.0

package import OCI

/// What a project wants: `kiln.toml` at its root, written by people.
package struct ProjectFile: Sendable, Hashable {
    /// One entry of `[frontends]`.
    package struct Requirement: Sendable, Hashable {
        package enum Origin: Sendable, Hashable {
            /// Where packages of it are published: `oci://…`, `https://…`, a directory.
            case source(String)
            /// A directory of the project; hashed in each build, never locked.
            case path(String)
            /// The one that comes with the engine.
            case bundled
        }

        /// What the project calls it.
        package let name: FrontendName
        /// What its publisher calls it; differs from ``name`` where two majors stand side by side.
        package let package: FrontendName
        package let version: VersionConstraint
        package let origin: Origin
        /// Where in the file it stands.
        package let line: Int

        package init(
            name: FrontendName,
            package: FrontendName? = nil,
            version: VersionConstraint,
            origin: Origin,
            line: Int
        ) {
            self.name = name
            self.package = package ?? name
            self.version = version
            self.origin = origin
            self.line = line
        }
    }

    /// One entry of `[files]`: which frontend reads files without a directive.
    package struct FilePattern: Sendable, Hashable {
        /// Of the file's name, or of its path from the project's root when it holds a `/`.
        package let pattern: String
        package let frontend: FrontendName
        package let line: Int
    }

    /// What happens to a frontend that the project does not list.
    package enum UnlistedPolicy: String, Sendable, Hashable, CaseIterable {
        /// It is refused, the bundled ones too.
        case deny
        /// Only the bundled ones run.
        case builtin
        /// Whoever builds is asked.
        case ask
        /// It runs, and its digest is told.
        case allow
    }

    /// What messages call the file.
    package let file: String
    /// The platforms the lock must cover, normalized, in the order written.
    package let platforms: [Platform]
    /// In the order written.
    package let frontends: [Requirement]
    /// What names in directives mean here.
    package let aliases: [FrontendName: FrontendName]
    /// The first that matches counts.
    package let filePatterns: [FilePattern]
    package let grants: [FrontendName: Grant]
    /// `nil`: the default, ``UnlistedPolicy/builtin``.
    package let unlistedPolicy: UnlistedPolicy?
    package let origins: OriginRules

    /// The name of the file.
    package static let fileName = "kiln.toml"
    /// `[frontends]`, `[alias]`, `[files]` and `[grant]` may have this many entries each.
    package static let entryLimit = 256
    package static let platformLimit = 32

    /// The entry of a frontend.
    package func requirement(_ name: FrontendName) -> Requirement? { frontends.first { $0.name == name } }

    /// The platforms that images are for; some in ``platforms`` only run frontends.
    package var imagePlatforms: [Platform] { platforms.filter { $0.os != "darwin" } }
}

/// Where packages may come from instead, and whose signatures they need.
///
/// Stands in `kiln.toml` and in the user's own configuration.
package struct OriginRules: Sendable, Hashable {
    /// `[[mirror]]`: changes where something comes from, never what it is.
    package struct Mirror: Sendable, Hashable {
        /// A source without its scheme, with `*` at the end.
        package let match: String
        package let target: String
    }

    /// What a `[trust."…"]` table says.
    package struct Trust: Sendable, Hashable {
        package let match: String
        /// Public ed25519 keys, as written.
        package let keys: [String]
        /// Whether a release without a signature of theirs is refused.
        package let isRequired: Bool
    }

    package var mirrors: [Mirror]
    package var trust: [Trust]

    package init(mirrors: [Mirror] = [], trust: [Trust] = []) {
        self.mirrors = mirrors
        self.trust = trust
    }

    package static let none = OriginRules()
}
