// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
package import ProjectFiles
internal import SystemPackage

/// What verifying found of one frontend of a lock.
package struct VerifiedFrontend: Sendable, Hashable {
    package let name: FrontendName
    package let version: SemanticVersion
    /// Places that hold trees of it, each hashed anew.
    package let places: [String]
    /// Keys that signed the release; `nil` when signatures were not looked at.
    package let signers: [String]?
}

extension FrontendService {
    /// Hashes what the store and the vendor directory have of a lock, and compares.
    ///
    /// - Parameter isDeep: Also asks the source for the release and its signatures, and hashes every platform's blob there.
    /// - Throws: `F211` for content that is not what the lock says; with `isDeep` also `F209` and the errors of trust.
    package func verify(
        _ lock: LockFile,
        in places: FrontendPlaces,
        isDeep: Bool
    ) async throws -> [VerifiedFrontend] {
        var result: [VerifiedFrontend] = []
        for (name, entry) in lock.frontends.sorted(by: { $0.key < $1.key }) {
            var found: Set<String> = []
            for (platform, tree) in entry.platforms {
                let locked = LockedFrontend(name: name, entry: entry, tree: tree, grant: .nothing)
                for place in try await verifyCopies(locked, platform, vendor: places.vendor) { found.insert(place) }
            }
            var signers: [String]?
            if isDeep {
                let (source, release) = try await locate(name, entry, in: places)
                for variant in release.variants where entry.platforms.values.contains(variant.tree) {
                    let locked = LockedFrontend(name: name, entry: entry, tree: variant.tree, grant: .nothing)
                    try await verifyBlob(variant, of: locked, at: source)
                }
                let rules = places.trust(of: entry.source)
                signers = try await TrustCheck(rules: rules).require(release, at: source).map(\.id)
                found.insert(source.place)
            }
            result.append(
                VerifiedFrontend(name: name, version: entry.version, places: found.sorted(), signers: signers)
            )
        }
        return result
    }

    private func verifyCopies(_ locked: LockedFrontend, _ platform: String, vendor: FilePath) async throws -> [String] {
        try await blocking { [store] in
            var places: [String] = []
            if let found = try store.rehash(locked.tree) {
                guard found == locked.tree else {
                    throw locked.wrongContent(from: store.place(of: locked.tree), found: found)
                }
                places.append("store")
            }
            if let path = VendorDirectory(vendor).path(of: locked.package, locked.version, platform: platform) {
                let found = try attempt("read \(path)") { try FrontendStore.hash(Directory(host: path)) }
                guard found == locked.tree else { throw locked.wrongContent(from: path.string, found: found) }
                places.append("vendor")
            }
            return places
        }
    }

    private func verifyBlob(
        _ variant: FrontendRelease.Variant,
        of locked: LockedFrontend,
        at source: any ReleaseSource
    ) async throws {
        do {
            let document = try await source.checkedDocument(variant.manifest.digest)
            let manifest = try FrontendVariantManifest(parsing: document, from: source.place)
            _ = try await source.checkedBlob(manifest.config)
            _ = try await source.checkedBlob(manifest.layer)
        } catch let error as WrongBytes {
            throw ProjectError.wrongContent(
                locked.name,
                locked.version,
                from: error.place,
                found: error.found.description,
                locked: error.expected.description
            )
        }
    }
}

extension FrontendStore {
    /// Where a tree stands, for messages.
    func place(of tree: TreeDigest) -> String { path(of: tree.digest.hex).string }
}
