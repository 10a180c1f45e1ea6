// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import OCI
package import ProjectFiles
internal import Registry
package import SystemPackage

/// Carrying what a lock pins to places without a network.
extension FrontendService {
    /// Writes everything a lock pins, for the platforms it pins, into one file: an OCI layout as tar.
    ///
    /// The releases come whole and unchanged, with their signatures, so that the file serves as source, as mirror and as
    /// `--from` of an install. Equal locks give equal bundles, whatever place the content came from.
    ///
    /// - Throws: `F209`, `F211` and the errors of trust, as ``obtain(_:in:notice:)``.
    package func bundle(
        _ lock: LockFile,
        in places: FrontendPlaces,
        to file: FilePath,
        notice: @Sendable (String) -> Void = { _ in }
    ) async throws {
        var contents = LayoutContents()
        for (name, entry) in lock.frontends.sorted(by: { $0.key < $1.key }) {
            try await add(name, entry, in: places, to: &contents)
            notice("bundled frontend \(entry.package ?? name) \(entry.version)")
        }
        let complete = contents
        try await blocking { try complete.write(bundle: file) }
    }

    private func add(
        _ name: FrontendName,
        _ entry: LockFile.Frontend,
        in places: FrontendPlaces,
        to contents: inout LayoutContents
    ) async throws {
        let (source, release) = try await locate(name, entry, in: places)
        contents.add(release, signatures: try await source.signatures(of: release))
        for variant in release.variants where entry.platforms.values.contains(variant.tree) {
            let document = try await source.checkedDocument(variant.manifest.digest)
            let manifest = try FrontendVariantManifest(parsing: document, from: source.place)
            contents.add(document)
            contents.add(manifest.config, try await source.checkedBlob(manifest.config))
            contents.add(manifest.layer, try await source.checkedBlob(manifest.layer))
        }
    }

    /// The place that has a locked release, and the release.
    ///
    /// - Throws: `F209`, `F211`, the errors of trust.
    func locate(
        _ name: FrontendName,
        _ entry: LockFile.Frontend,
        in places: FrontendPlaces
    ) async throws -> (source: any ReleaseSource, release: FrontendRelease) {
        var looked: [String] = []
        var reason: String?
        for origin in try places.additional + places.origins(of: entry.source) {
            if places.isOffline && origin.isRemote { continue }
            if case .vendor = origin { continue }
            looked.append(origin.place)
            do {
                let source = try await releases(at: origin, of: entry.package ?? name)
                let release = try await source.release(entry.release)
                for (platform, tree) in entry.platforms where release.trees[platform] != tree {
                    throw ProjectError.wrongContent(
                        name,
                        entry.version,
                        from: source.place,
                        found: release.trees[platform]?.description ?? "none",
                        locked: tree.description
                    )
                }
                try await TrustCheck(rules: places.trust(of: entry.source)).require(release, at: source)
                return (source, release)
            } catch let error as RegistryError {
                reason = error.message
            } catch let error as WrongBytes {
                throw ProjectError.wrongContent(
                    name,
                    entry.version,
                    from: error.place,
                    found: error.found.description,
                    locked: error.expected.description
                )
            } catch let error as FrontendStoreError {
                guard error.code == .notFound else { throw error }
                reason = error.message
            }
        }
        let tree = entry.tree(for: .host) ?? entry.platforms.values.min() ?? TreeDigest(entry.release)
        throw ProjectError.unavailable(
            name,
            entry.version,
            tree,
            places: looked,
            reason: places.isOffline ? nil : reason ?? "no place has it"
        )
    }

    /// Writes the unpacked trees of everything a lock pins into a vendor directory.
    ///
    /// What is there already, and right, is left alone; what the lock does not pin any more stays, and is named.
    ///
    /// - Returns: What was written, as `acme/spec 1.4.2 (linux/amd64)`.
    package func vendor(
        _ lock: LockFile,
        in places: FrontendPlaces,
        to directory: FilePath,
        notice: @Sendable (String) -> Void = { _ in }
    ) async throws -> [String] {
        var written: [String] = []
        for (name, entry) in lock.frontends.sorted(by: { $0.key < $1.key }) {
            let isShared = Set(entry.platforms.values).count == 1
            var trees = entry.platforms.sorted { $0.key < $1.key }
            if isShared { trees = Array(trees.prefix(1)) }
            for (platform, tree) in trees {
                let folder = isShared ? FrontendManifest.anyPlatform : platform
                let locked = LockedFrontend(name: name, entry: entry, tree: tree, grant: .nothing)
                let target = (try? Platform(parsing: platform)) ?? .host
                let package = try await obtain(locked, for: target, in: places, notice: notice)
                let isNew = try await blocking {
                    try VendorDirectory(directory)
                        .write(package, locked.package, locked.version, platform: folder, tree)
                }
                if isNew { written.append("\(locked.package) \(locked.version) (\(folder))") }
            }
        }
        return written
    }
}
