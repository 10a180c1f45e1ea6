// SPDX-License-Identifier: Apache-2.0

package import OCI

/// What a project's intent came down to: `kiln.lock`, written by `kiln`, read by reviewers and by builds.
///
/// A build never changes it. It holds no times, no versions of tools, no hash of `kiln.toml`, and one value a line, so
/// that two branches which lock different things merge.
package struct LockFile: Sendable, Hashable {
    /// One entry of `"frontends"`.
    package struct Frontend: Sendable, Hashable {
        /// What its publisher calls it; `nil` when that is the project's own name of it.
        package var package: FrontendName?
        /// The constraint in `kiln.toml` when it was locked.
        package var constraint: String
        package var version: SemanticVersion
        /// Digest of the release index, which lists all platforms.
        package var release: Digest
        package var source: String
        /// Tree digest by platform (`linux/amd64`, or `any`).
        package var platforms: [String: TreeDigest]
        /// What its manifest asks for.
        package var permissions: Grant
        /// `native 1.0 1.3`.
        package var protocolText: String

        package init(
            package: FrontendName? = nil,
            constraint: String,
            version: SemanticVersion,
            release: Digest,
            source: String,
            platforms: [String: TreeDigest],
            permissions: Grant,
            protocolText: String
        ) {
            self.package = package
            self.constraint = constraint
            self.version = version
            self.release = release
            self.source = source
            self.platforms = platforms
            self.permissions = permissions
            self.protocolText = protocolText
        }

        /// The tree for a platform: its own, else the one for any.
        package func tree(for platform: Platform) -> TreeDigest? {
            platforms[platform.normalized.description] ?? platforms[FrontendManifest.anyPlatform]
        }
    }

    /// By the project's name of the frontend.
    package var frontends: [FrontendName: Frontend]
    /// By ``SourceKey``.
    package var sources: [SourceKey: LockedSource]

    /// The name of the file.
    package static let fileName = "kiln.lock"
    /// The form this module writes, and the newest it reads.
    package static let version = 1
    /// The oldest `kiln` that reads what this module writes.
    package static let minimumReader = SemanticVersion(0, 1, 0)
    /// Files may have this many bytes.
    package static let byteLimit = 8 << 20
    package static let frontendLimit = 1024
    package static let sourceLimit = 16_384

    package init(frontends: [FrontendName: Frontend] = [:], sources: [SourceKey: LockedSource] = [:]) {
        self.frontends = frontends
        self.sources = sources
    }
}
