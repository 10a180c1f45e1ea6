// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

/// Unpacked frontends in a project, to be committed or cached with it: `<name>/<version>/<platform>/`.
///
/// Nothing in it is trusted: what is taken from it is hashed. Platforms with the same tree share the folder `any`.
struct VendorDirectory {
    let path: FilePath

    init(_ path: FilePath) { self.path = path }

    /// The folder that holds the tree of a platform (`linux/amd64`, `any`), or of any; `nil` when there is none.
    func path(of name: FrontendName, _ version: SemanticVersion, platform: String) -> FilePath? {
        let release = folder(of: name, version)
        return [Self.folderName(platform), FrontendManifest.anyPlatform]
            .map { release.appending($0) }
            .first { (try? Directory(host: $0)) != nil }
    }

    func folder(of name: FrontendName, _ version: SemanticVersion) -> FilePath {
        // Names and versions hold no separators but their own, no "..", and no blanks.
        path.pushing(FilePath(name.text)).appending(version.description)
    }

    /// The folder of a platform: `linux-amd64`.
    static func folderName(_ platform: String) -> String {
        String(platform.map { $0 == "/" || $0 == ":" ? "-" : $0 })
    }

    /// Writes a tree, unless it is there; blocks on the disk.
    ///
    /// - Returns: Whether it was written.
    func write(
        _ package: FrontendPackage,
        _ name: FrontendName,
        _ version: SemanticVersion,
        platform: String,
        _ tree: TreeDigest
    ) throws -> Bool {
        try attempt("write \(path)") {
            let parent = try Directory(host: folder(of: name, version), createMode: 0o755)
            let folder = Self.folderName(platform)
            if let standing = try? parent.directory(folder, scope: .noSymlinks) {
                if (try? PackageContents(standing).digest()) == tree { return false }
            }
            let temporary = ".\(folder).\(randomToken(count: 8))"
            do {
                try parent.makeDirectory(temporary, mode: 0o755)
                let target = try parent.directory(temporary, scope: .noSymlinks)
                var builder = TreeBuilder(root: target, modes: .writable)
                try PackageContents(Directory(host: package.directory)).copy(into: &builder)
                guard try builder.finish() == tree else {
                    throw FrontendStoreError(.damaged, "cannot vendor \(name) \(version): the store's copy is damaged")
                }
                try parent.removeTree(name: folder)
                try parent.rename(temporary, to: parent, folder)
                try parent.sync()
            } catch {
                try? parent.removeTree(name: temporary)
                throw error
            }
            return true
        }
    }
}
