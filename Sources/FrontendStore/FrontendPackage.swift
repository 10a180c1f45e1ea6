// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
package import OCI
package import ProjectFiles
package import SystemPackage

/// An unpacked frontend, ready to run.
package struct FrontendPackage: Sendable {
    package let manifest: FrontendManifest
    /// What the frontend sees as `/frontend`: ``FrontendManifest/argv`` counts from here.
    package let directory: FilePath
    /// `nil` for a directory under development, which is hashed only when somebody asks.
    package let tree: TreeDigest?
    /// Keeps the tree from being removed while this value lives.
    private let lease: LinuxSystem.Descriptor?

    /// A tree of the store.
    init(manifest: FrontendManifest, directory: FilePath, tree: TreeDigest, lease: LinuxSystem.Descriptor) {
        self.manifest = manifest
        self.directory = directory
        self.tree = tree
        self.lease = lease
    }

    /// Opens a directory as it is, for a frontend under development or a `path:` entry of `kiln.toml`.
    ///
    /// Blocks on the disk. Nothing is copied: what runs is what stands there at that time.
    ///
    /// - Throws: `ProjectError` for a bad `frontend.toml`, and `F208` when it has nothing for the platform; `notFound`.
    package init(developing path: FilePath, platform: Platform = .host) throws {
        let (root, manifest, _) = try Self.open(path)
        guard let subtree = manifest.subtree(for: platform) else {
            throw ProjectError.noPlatform(
                manifest.name,
                manifest.version,
                platform: platform.normalized.description,
                has: Array(manifest.platforms.keys),
                isPublished: false
            )
        }
        if !subtree.isEmpty {
            _ = try attempt("open \(path)/\(subtree)") { try root.directory(subtree) }
        }
        self.manifest = manifest
        directory = subtree.isEmpty ? path : path.appending(subtree)
        tree = nil
        lease = nil
    }

    /// The digest of a directory's tree for a platform, as packing and installing it would give it.
    ///
    /// Blocks on the disk.
    package static func digest(of path: FilePath, platform: Platform = .host) throws -> TreeDigest {
        let (root, manifest, bytes) = try open(path)
        guard let subtree = manifest.subtree(for: platform) else {
            throw ProjectError.noPlatform(
                manifest.name,
                manifest.version,
                platform: platform.normalized.description,
                has: Array(manifest.platforms.keys),
                isPublished: false
            )
        }
        return try contents(root, subtree, bytes).digest()
    }

    /// A package's directory with its manifest.
    static func open(_ path: FilePath) throws -> (root: Directory, manifest: FrontendManifest, bytes: [UInt8]) {
        let root: Directory
        do {
            root = try Directory(host: path)
        } catch {
            throw FrontendStoreError(.notFound, "cannot open the frontend \(path): \(error)", cause: error)
        }
        let (manifest, bytes) = try readManifest(root, shownAs: path.appending(FrontendManifest.fileName).string)
        return (root, manifest, bytes)
    }

    static func contents(_ root: Directory, _ subtree: String, _ manifest: [UInt8]) throws -> PackageContents {
        if subtree.isEmpty { return try PackageContents(root) }
        let folder = try attempt("open \(subtree)") { try root.directory(subtree, scope: .noSymlinks) }
        return try PackageContents(folder, manifest: manifest)
    }

    static func readManifest(_ root: Directory, shownAs name: String) throws -> (FrontendManifest, [UInt8]) {
        let bytes: [UInt8]
        do {
            bytes = try root.open(FrontendManifest.fileName, flags: O_RDONLY | O_NONBLOCK, scope: .noSymlinks)
                .readToEnd(byteLimit: FrontendLimit.manifestByteCount)
        } catch  where error.isNotFound {
            throw FrontendStoreError(.notFound, "cannot find \(name): a frontend has it at its root", cause: error)
        } catch {
            throw FrontendStoreError(.failed, "cannot read \(name): \(error)", cause: error)
        }
        return (try FrontendManifest(toml: bytes, file: name), bytes)
    }
}
