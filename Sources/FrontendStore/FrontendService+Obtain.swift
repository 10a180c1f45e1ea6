// SPDX-License-Identifier: Apache-2.0

internal import Archives
internal import ContentStore
internal import LinuxSystem
package import OCI
package import ProjectFiles
internal import Registry
internal import SystemPackage

/// Bringing what a lock pins into the store.
extension FrontendService {
    /// The package that a lock pins, from the store, else from the project's vendor directory, else from the additional
    /// places, the mirrors and the source, in this order.
    ///
    /// What comes from anywhere is the release and the tree of the lock, or it is refused: a place with other content is
    /// an error, a place without any is passed over. Without a network (``FrontendPlaces/isOffline``) only places of this
    /// machine are asked.
    ///
    /// - Parameters:
    ///   - platform: The one that the locked tree is for.
    ///   - notice: Is told, in a line, what was fetched from where.
    /// - Throws: `ProjectError` with `F209` when it is nowhere, `F211` when a place has other content; `untrusted` and
    ///   `badSignature` by ``FrontendPlaces/rules``; `badPackage` for content that no package may have; `badRelease` for
    ///   a tree whose `frontend.toml` is of another package or version.
    package func obtain(
        _ locked: LockedFrontend,
        for platform: Platform = .host,
        in places: FrontendPlaces,
        notice: @Sendable (String) -> Void = { _ in }
    ) async throws -> FrontendPackage {
        let package = try await find(locked, for: platform, in: places, notice)
        let manifest = package.manifest
        guard manifest.name == locked.package, manifest.version == locked.version else {
            throw FrontendStoreError(
                .badRelease,
                "cannot use \(locked.package) \(locked.version): the frontend.toml in its tree is of \(manifest.name) \(manifest.version)"
            )
        }
        return package
    }

    private func find(
        _ locked: LockedFrontend,
        for platform: Platform,
        in places: FrontendPlaces,
        _ notice: @Sendable (String) -> Void
    ) async throws -> FrontendPackage {
        if let package = try await stored(locked) { return package }
        if let package = try await vendored(locked, platform, in: places.vendor, notice) { return package }
        var looked = ["\(places.vendor)", "\(store.path)"]
        var reason: String?
        for origin in try places.additional + places.origins(of: locked.source) {
            if places.isOffline && origin.isRemote { continue }
            looked.append(origin.place)
            do {
                if case .vendor(let path) = origin {
                    if let package = try await vendored(locked, platform, in: path, notice) { return package }
                    continue
                }
                return try await fetch(locked, from: origin, places.trust(of: locked.source), notice)
            } catch let error as RegistryError {
                reason = error.message
            } catch let error as FrontendStoreError {
                guard error.code == .notFound else { throw error }
                reason = error.message
            }
        }
        throw ProjectError.unavailable(
            locked.name,
            locked.version,
            locked.tree,
            places: looked,
            reason: places.isOffline ? nil : reason ?? "no place has it"
        )
    }

    private func stored(_ locked: LockedFrontend) async throws -> FrontendPackage? {
        do {
            return try await blocking { [store] in try store.find(locked.tree) }
        } catch let error as FrontendStoreError {
            guard let damaged = error.cause as? DamagedTree else { throw error }
            throw locked.wrongContent(from: damaged.path, found: damaged.found)
        }
    }

    private func vendored(
        _ locked: LockedFrontend,
        _ platform: Platform,
        in vendor: FilePath,
        _ notice: @Sendable (String) -> Void
    ) async throws -> FrontendPackage? {
        let inserted: (package: FrontendPackage, isNew: Bool)? = try await blocking { [store] in
            let folder = VendorDirectory(vendor)
                .path(of: locked.package, locked.version, platform: platform.normalized.description)
            guard let path = folder else { return nil }
            do {
                return try store.insert(locked.tree) { builder in
                    try PackageContents(Directory(host: path)).copy(into: &builder)
                }
            } catch let error as UnexpectedTree {
                throw locked.wrongContent(from: path.string, found: error.found)
            }
        }
        guard let inserted else { return nil }
        if inserted.isNew { notice("took frontend \(locked.package) \(locked.version) from \(vendor)") }
        return inserted.package
    }

    private func fetch(
        _ locked: LockedFrontend,
        from origin: FrontendOrigin,
        _ trust: [OriginRules.Trust],
        _ notice: @Sendable (String) -> Void
    ) async throws -> FrontendPackage {
        let source = try await releases(at: origin, of: locked.package)
        do {
            let release = try await source.release(locked.release)
            guard let variant = release.variants.first(where: { $0.tree == locked.tree }) else {
                let found = release.variant(for: .host) ?? release.variants[0]
                throw locked.wrongContent(from: source.place, found: found.tree)
            }
            try await TrustCheck(rules: trust).require(release, at: source)
            let manifest = try FrontendVariantManifest(
                parsing: await source.checkedDocument(variant.manifest.digest),
                from: source.place
            )
            let blob = try await source.checkedBlob(manifest.layer)
            let (package, isNew) = try await insert(locked.tree, blob, from: source.place)
            if isNew {
                let size = shownByteCount(manifest.layer.size)
                notice("fetched frontend \(locked.package) \(locked.version) (\(size)) from \(source.place)")
            }
            return package
        } catch let error as UnexpectedTree {
            throw locked.wrongContent(from: source.place, found: error.found)
        } catch let error as WrongBytes {
            throw ProjectError.wrongContent(
                locked.name,
                locked.version,
                from: source.place,
                found: error.found.description,
                locked: error.expected.description
            )
        } catch let error as RegistryError where error.code == .digestMismatch || error.code == .sizeMismatch {
            throw ProjectError(
                .wrongContent,
                "\(locked.name) \(locked.version): \(error.message). Nothing was run.",
                file: LockFile.fileName
            )
        }
    }

    private func insert(
        _ tree: TreeDigest,
        _ blob: LinuxSystem.Descriptor,
        from place: String
    ) async throws -> (package: FrontendPackage, isNew: Bool) {
        try await blocking { [store] in
            do {
                return try store.insert(tree) { builder in try builder.add(ArchiveReader(detecting: blob)) }
            } catch let error as ArchiveError {
                throw FrontendStoreError(.badPackage, "cannot use the package from \(place): \(error)", cause: error)
            }
        }
    }
}

extension LockedFrontend {
    func wrongContent(from place: String, found: TreeDigest) -> ProjectError {
        ProjectError.wrongContent(name, version, from: place, found: found.description, locked: tree.description)
    }
}

/// A size as people read it: `4.6 MiB`.
func shownByteCount(_ count: Int64) -> String {
    var value = Double(max(0, count))
    for unit in ["bytes", "KiB", "MiB", "GiB"] {
        if value < 1024 || unit == "GiB" {
            if unit == "bytes" { return "\(count) bytes" }
            let tenths = Int((value * 10).rounded())
            return "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        value /= 1024
    }
    return "\(count) bytes"
}
