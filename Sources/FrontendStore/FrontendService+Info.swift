// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import ProjectFiles
internal import Registry
internal import OCI
internal import SystemPackage

/// What is known of a release before anything of it is run.
package struct FrontendInformation: Sendable {
    package let manifest: FrontendManifest
    package let release: FrontendRelease
    /// Where it was read.
    package let place: String
    /// Keys that signed it, of those that are trusted.
    package let signers: [String]
    /// All signatures it carries, by the names of their keys.
    package let signatures: [String]
}

extension FrontendService {
    /// Looks a locked frontend up at its source; nothing is downloaded but documents.
    ///
    /// - Throws: `F209`, `F211`, the errors of trust.
    package func information(
        _ name: FrontendName,
        _ entry: LockFile.Frontend,
        in places: FrontendPlaces
    ) async throws -> FrontendInformation {
        let (source, release) = try await locate(name, entry, in: places)
        return try await information(release, at: source, places.trust(of: entry.source))
    }

    /// Looks the newest release of a package up that a constraint allows.
    ///
    /// - Throws: `notFound`; the errors of trust and of its place.
    package func information(
        of package: FrontendName?,
        _ constraint: VersionConstraint,
        at origin: FrontendOrigin,
        in places: FrontendPlaces
    ) async throws -> FrontendInformation {
        let source = try await releases(at: origin, of: package)
        let versions = try await source.versions().filter { constraint.contains($0.version) }
        guard let newest = versions.last else {
            throw FrontendStoreError(.notFound, "cannot find a version for \(constraint) in \(source.place)")
        }
        let release = try await source.release(tagged: newest.tag)
        return try await information(release, at: source, places.trust(of: origin.description))
    }

    private func information(
        _ release: FrontendRelease,
        at source: any ReleaseSource,
        _ trust: [OriginRules.Trust]
    ) async throws -> FrontendInformation {
        FrontendInformation(
            manifest: try await manifest(of: release, at: source),
            release: release,
            place: source.place,
            signers: try await TrustCheck(rules: trust).require(release, at: source).map(\.id),
            signatures: try await source.signatures(of: release).map(\.keyID)
        )
    }

    /// What a reference to a frontend that no project lists comes to now, for policy `allow`.
    ///
    /// A name is a repository then, as an image's would be: `ghcr.io/acme/spec:1`.
    ///
    /// - Returns: A pin as a lock would have it, with nothing granted.
    /// - Throws: `notFound`, `badRelease`, `F208`; what asking throws.
    package func resolve(unlisted reference: SyntaxReference, in places: FrontendPlaces) async throws -> LockedFrontend
    {
        guard let name = reference.name else {
            throw FrontendStoreError(.badOrigin, "cannot fetch \(reference.text): it is not the name of a frontend")
        }
        let origin = try FrontendOrigin(parsing: "oci://" + name.text, relativeTo: places.root)
        guard !places.isOffline else {
            throw FrontendStoreError(.notFound, "cannot fetch \(reference.text): --offline is set, and no lock pins it")
        }
        let source = try await releases(at: origin, of: nil)
        let release: FrontendRelease
        if let digest = reference.digest {
            release = try await source.release(digest)
        } else {
            let constraint = try VersionConstraint(tag: reference.tag)
            guard let newest = try await source.versions().last(where: { constraint.contains($0.version) }) else {
                throw FrontendStoreError(.notFound, "cannot find a version for \(constraint) in \(source.place)")
            }
            release = try await source.release(tagged: newest.tag)
        }
        guard let variant = release.variant(for: .host) else {
            throw ProjectError.noPlatform(
                name,
                release.version,
                platform: Platform.host.normalized.description,
                has: Array(release.trees.keys),
                isPublished: false
            )
        }
        let manifest = try await manifest(of: release, at: source)
        let entry = LockFile.Frontend(
            package: release.name == name ? nil : release.name,
            constraint: "*",
            version: release.version,
            release: release.digest,
            source: origin.description,
            platforms: release.trees,
            permissions: manifest.permissions,
            protocolText: manifest.protocolText
        )
        return LockedFrontend(name: name, entry: entry, tree: variant.tree, grant: .nothing)
    }
}
