// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import OCI
package import ProjectFiles
internal import Registry
internal import SystemPackage

/// One difference between an old lock and a new one.
package struct LockChange: Sendable, Hashable {
    package let name: FrontendName
    /// `nil` = it was not locked.
    package let old: LockFile.Frontend?
    /// `nil` = it is not locked any more.
    package let new: LockFile.Frontend?

    package init(name: FrontendName, old: LockFile.Frontend?, new: LockFile.Frontend?) {
        self.name = name
        self.old = old
        self.new = new
    }
}

/// How a project's intent is turned into pins.
package struct LockRequest: Sendable {
    /// Frontends whose version is chosen anew, within their constraint; `nil` = all of them.
    package var updating: Set<FrontendName>? = []
    /// Exact versions that are asked for.
    package var precise: [FrontendName: SemanticVersion] = [:]
    /// Platforms the lock must cover besides the project's own.
    package var platforms: [Platform] = []
    /// What the engine offers, for `F212` and `F213`.
    package var offer: EngineOffer

    package init(offer: EngineOffer) { self.offer = offer }
}

/// Turning constraints into versions, and versions into digests.
extension FrontendService {
    /// The lock of a project.
    ///
    /// Entries that still fit stay as they are, others are made, those of frontends that the project does not list any
    /// more go. Pins of sources are not touched.
    ///
    /// Each entry covers all platforms of its release; none is downloaded, but what a source `path:` holds is kept.
    ///
    /// - Throws: `F205` for an exact version outside the constraint; `F208` for a platform that is not published; `F209`;
    ///   `F211`; `F212` and `F213` when the engine cannot run the version; `F214` when a new version asks for more than
    ///   the old one and than is granted; the errors of trust; `notFound` when no version fits.
    package func lock(
        _ project: ProjectFile,
        old: LockFile?,
        in places: FrontendPlaces,
        _ request: LockRequest
    ) async throws -> (lock: LockFile, changes: [LockChange]) {
        var lock = LockFile(frontends: [:], sources: old?.sources ?? [:])
        var changes: [LockChange] = []
        for requirement in project.frontends {
            guard case .source(let source) = requirement.origin else { continue }
            let before = old?.frontends[requirement.name]
            let entry = try await entry(requirement, source, before, project, places, request)
            lock.frontends[requirement.name] = entry
            if entry != before { changes.append(LockChange(name: requirement.name, old: before, new: entry)) }
        }
        for (name, entry) in old?.frontends ?? [:] where lock.frontends[name] == nil {
            changes.append(LockChange(name: name, old: entry, new: nil))
        }
        return (lock, changes.sorted { $0.name < $1.name })
    }

    private func entry(
        _ requirement: ProjectFile.Requirement,
        _ source: String,
        _ before: LockFile.Frontend?,
        _ project: ProjectFile,
        _ places: FrontendPlaces,
        _ request: LockRequest
    ) async throws -> LockFile.Frontend {
        let isUpdated = request.updating?.contains(requirement.name) ?? true
        let platforms = Self.platforms(project, request)
        if var kept = before, !isUpdated, request.precise[requirement.name] == nil, kept.source == source,
            (kept.package ?? requirement.name) == requirement.package, requirement.version.contains(kept.version)
        {
            kept.constraint = requirement.version.text
            if platforms.allSatisfy({ kept.tree(for: $0) != nil }) { return kept }
            // The release is what it was: only its platforms are written down anew.
            let (_, release) = try await locate(requirement.name, kept, in: places)
            kept.platforms = release.trees
            try Self.require(platforms, release, requirement.name)
            return kept
        }
        let (found, release) = try await choose(requirement, source, before, places, request)
        try Self.require(platforms, release, requirement.name)
        try await TrustCheck(rules: places.trust(of: source)).require(release, at: found)
        let manifest = try await manifest(of: release, at: found)
        try check(manifest, requirement.name, before, project, request)
        let entry = LockFile.Frontend(
            package: requirement.package == requirement.name ? nil : requirement.package,
            constraint: requirement.version.text,
            version: release.version,
            release: release.digest,
            source: source,
            platforms: release.trees,
            permissions: manifest.permissions,
            protocolText: manifest.protocolText
        )
        try await keep(entry, requirement.name, in: places)
        return entry
    }

    /// Takes what a directory holds into the store: it may hold something else when somebody builds.
    private func keep(_ entry: LockFile.Frontend, _ name: FrontendName, in places: FrontendPlaces) async throws {
        guard case .directory = try FrontendOrigin(parsing: entry.source, relativeTo: places.root),
            let tree = entry.tree(for: .host)
        else { return }
        _ = try await obtain(LockedFrontend(name: name, entry: entry, tree: tree, grant: .nothing), in: places)
    }

    /// The platforms an entry must have: the project's, those asked for, and at least this machine's.
    private static func platforms(_ project: ProjectFile, _ request: LockRequest) -> [Platform] {
        let wanted = project.platforms + request.platforms
        return wanted.isEmpty ? [.host] : wanted
    }

    private static func require(_ platforms: [Platform], _ release: FrontendRelease, _ name: FrontendName) throws {
        for platform in platforms where release.variant(for: platform) == nil {
            throw ProjectError.noPlatform(
                name,
                release.version,
                platform: platform.normalized.description,
                has: Array(release.trees.keys),
                isPublished: false
            )
        }
    }

    /// The newest release that a requirement allows, where it is to be had.
    private func choose(
        _ requirement: ProjectFile.Requirement,
        _ source: String,
        _ before: LockFile.Frontend?,
        _ places: FrontendPlaces,
        _ request: LockRequest
    ) async throws -> (source: any ReleaseSource, release: FrontendRelease) {
        let (found, versions) = try await versions(of: requirement.package, source, in: places)
        let candidates: [(version: SemanticVersion, tag: String)]
        if let precise = request.precise[requirement.name] {
            guard requirement.version.contains(precise) else {
                throw ProjectError(
                    .lockOutdated,
                    "cannot pin \(requirement.name) \(precise): kiln.toml says \(requirement.version). Change it first: kiln frontend add \(requirement.name)@=\(precise)",
                    file: ProjectFile.fileName,
                    line: requirement.line
                )
            }
            candidates = versions.filter { $0.version == precise }
        } else {
            candidates = versions.filter { requirement.version.contains($0.version) }
        }
        guard let newest = candidates.last else {
            let wanted =
                request.precise[requirement.name].map { "version \($0)" } ?? "version for \(requirement.version)"
            let all = versions.suffix(8).map(\.version.description).joined(separator: ", ")
            throw FrontendStoreError(
                .notFound,
                "cannot find a \(wanted) of \(requirement.package) in \(found.place): it has \(all.isEmpty ? "none" : all)"
            )
        }
        let release = try await found.release(tagged: newest.tag)
        guard release.name == requirement.package, release.version == newest.version else {
            throw FrontendStoreError(
                .badRelease,
                "cannot lock \(requirement.package) \(newest.version) from \(found.place): what is tagged \(newest.tag) there is \(release.name) \(release.version)"
            )
        }
        return (found, release)
    }

    /// The versions of a package at the first of its places that answers; mirrors come first.
    package func versions(
        of package: FrontendName,
        _ source: String,
        in places: FrontendPlaces
    ) async throws -> [SemanticVersion] {
        try await versions(of: package, source, in: places).versions.map(\.version)
    }

    private func versions(
        of package: FrontendName,
        _ source: String,
        in places: FrontendPlaces
    ) async throws -> (source: any ReleaseSource, versions: [(version: SemanticVersion, tag: String)]) {
        var last: (any Error)?
        for origin in try places.additional + places.origins(of: source) {
            if places.isOffline && origin.isRemote { continue }
            if case .vendor = origin { continue }
            do {
                let found = try await releases(at: origin, of: package)
                return (found, try await found.versions())
            } catch let error as RegistryError {
                last = error
            } catch let error as FrontendStoreError {
                guard error.code == .notFound else { throw error }
                last = error
            }
        }
        throw last
            ?? FrontendStoreError(
                .notFound,
                "cannot look for versions of \(package): \(source) needs a network, and --offline is set"
            )
    }

    /// The manifest of a release, from the config of its first platform, checked against what the release says.
    func manifest(of release: FrontendRelease, at source: any ReleaseSource) async throws -> FrontendManifest {
        guard let variant = release.variants.first else {
            throw FrontendStoreError(.badRelease, "cannot use \(release.name) from \(source.place): it has no platform")
        }
        do {
            let document = try FrontendVariantManifest(
                parsing: await source.checkedDocument(variant.manifest.digest),
                from: source.place
            )
            let bytes = try await source.bytes(document.config, byteLimit: FrontendLimit.manifestByteCount)
            let manifest = try FrontendManifest(json: bytes, file: "\(release.name) \(release.version)")
            guard manifest.name == release.name, manifest.version == release.version else {
                throw FrontendStoreError(
                    .badRelease,
                    "cannot use \(release.name) \(release.version) from \(source.place): its manifest is of \(manifest.name) \(manifest.version)"
                )
            }
            return manifest
        } catch let error as WrongBytes {
            throw FrontendStoreError(
                .badRelease,
                "cannot use \(release.name) \(release.version): \(error)",
                cause: error
            )
        }
    }

    private func check(
        _ manifest: FrontendManifest,
        _ name: FrontendName,
        _ before: LockFile.Frontend?,
        _ project: ProjectFile,
        _ request: LockRequest
    ) throws(ProjectError) {
        // What it asked for before is no news; what is not granted is refused by the build, not by the lock.
        let granted = project.grants[name] ?? .nothing
        let known = before.map { granted.merging($0.permissions) } ?? granted.merging(manifest.permissions)
        try manifest.check(as: name, offer: request.offer, grant: known, previous: before?.version)
    }
}

extension Grant {
    /// What either of two grants allows.
    func merging(_ other: Grant) -> Grant {
        Grant(
            secrets: secrets + other.secrets,
            entitlements: entitlements + other.entitlements,
            frontends: frontends + other.frontends,
            network: network || other.network,
            exec: exec || other.exec,
            hostRuntime: hostRuntime || other.hostRuntime
        )
    }
}
