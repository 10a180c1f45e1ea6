// SPDX-License-Identifier: Apache-2.0

internal import Archives
package import ContentStore
internal import LinuxSystem
internal import OCI
package import ProjectFiles
package import SystemPackage

/// A release in the content store, with all that belongs to it.
package struct PackedFrontend: Sendable {
    package let manifest: FrontendManifest
    package let release: FrontendRelease
    /// Layers, configs and the manifests of platforms; the release itself is not among them.
    let blobs: [OCI.Descriptor]
    /// Signatures of the release.
    var signatures: [ReleaseSignature] = []
}

/// Makes a release of a directory with a `frontend.toml`.
///
/// The same files give the same release, whatever the machine, the time, and the owners of the files.
package struct FrontendPacker: Sendable {
    private let content: ContentStore

    package init(content: ContentStore) { self.content = content }

    /// Packs a directory for all platforms of its manifest.
    ///
    /// Blocks on the disk.
    ///
    /// - Throws: `badPackage`, `tooLarge`; `ProjectError` for a bad `frontend.toml`.
    package func pack(_ directory: FilePath) throws -> PackedFrontend {
        let (root, manifest, bytes) = try FrontendPackage.open(directory)
        let config = try store(manifest.json, FrontendRelease.configType)
        var blobs = [config]
        var variants: [FrontendRelease.Variant] = []
        let subtrees = manifest.platforms.isEmpty ? [FrontendManifest.anyPlatform: ""] : manifest.platforms
        for (platform, subtree) in subtrees.sorted(by: { $0.key < $1.key }) {
            let contents: PackageContents
            do {
                contents = try FrontendPackage.contents(root, subtree, bytes)
            } catch let error as FrontendStoreError {
                let place = subtree.isEmpty ? directory : directory.appending(subtree)
                throw FrontendStoreError(error.code, "\(place): \(error.message)", cause: error)
            }
            try requireEntry(manifest, contents, subtree.isEmpty ? directory : directory.appending(subtree))
            let layer = try self.layer(of: contents)
            let tree = try contents.digest()
            let document = Manifest(
                artifactType: FrontendRelease.artifactType,
                config: config,
                layers: [layer],
                annotations: [FrontendRelease.treeKey: tree.description]
            )
            let descriptor = try store(document.encoded, MediaType.manifest)
            blobs += [layer, descriptor]
            variants.append(FrontendRelease.Variant(platform: platform, tree: tree, manifest: descriptor))
        }
        let release = FrontendRelease(name: manifest.name, version: manifest.version, variants: variants)
        _ = try content.put(release.bytes)
        return PackedFrontend(manifest: manifest, release: release, blobs: blobs)
    }

    /// A package whose program is missing, or cannot be executed, would only fail at its first build.
    private func requireEntry(_ manifest: FrontendManifest, _ contents: PackageContents, _ place: FilePath) throws {
        guard manifest.runtime == .package, let program = manifest.argv.first else { return }
        var path = program[...]
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        guard let file = contents.files.first(where: { $0.path == path }) else {
            throw FrontendStoreError(
                .badPackage,
                "cannot pack \(place): it has no file \"\(shown(program))\", which [entry] argv names"
            )
        }
        if case .regular(isExecutable: false) = file.kind {
            throw FrontendStoreError(
                .badPackage,
                "cannot pack \(place): \"\(shown(program))\", which [entry] argv names, is not executable"
            )
        }
    }

    private func layer(of contents: PackageContents) throws -> OCI.Descriptor {
        let writer = try content.ingest(expected: nil, expectedSize: nil)
        do {
            let compressor = try unsafe Compression.zstd(level: 9).makeCompressor { unsafe try writer.write($0) }
            var archive = unsafe TarWriter { unsafe try compressor.write($0) }
            try contents.write(to: &archive)
            try archive.finish()
            try compressor.finish()
            let (digest, size) = try writer.commit()
            return OCI.Descriptor(mediaType: MediaType.layerZstd, digest: digest, size: size)
        } catch {
            writer.cancel()
            throw error
        }
    }

    private func store(_ bytes: [UInt8], _ mediaType: String) throws -> OCI.Descriptor {
        OCI.Descriptor(mediaType: mediaType, digest: try content.put(bytes), size: Int64(bytes.count))
    }
}
