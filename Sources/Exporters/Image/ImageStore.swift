// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import FoundationEssentials
internal import Glibc
internal import LinuxSystem
package import OCI
internal import SystemPackage

/// The images this machine keeps by name: `images/<digest of the name>.json` in the state
/// directory.
///
/// One file a name, replaced by rename, so any number of processes read and write it at once. A
/// name holds its image's blobs: collection asks ``list()``.
package struct ImageStore: Sendable {
    /// A name and what it stands for.
    package struct Image: Sendable, Hashable, Codable {
        /// The full reference, as `docker.io/library/app:latest`.
        package var name: String
        /// The manifest or index.
        package var root: OCI.Descriptor
        /// All blobs of the image, the root among them.
        package var blobs: [Digest]
        /// When the name was last given, in seconds since 1970.
        package var updated: Int64
    }

    private static let byteLimit = 4 << 20
    private let state: StateDirectory

    package init(state: StateDirectory) { self.state = state }

    /// Gives a name to an image, taking it from any other.
    ///
    /// The blobs must be in the content store. The name survives a crash of the machine once this
    /// returns.
    package func set(_ name: String, root: OCI.Descriptor, blobs: [Digest]) throws {
        let image = Image(name: name, root: root, blobs: blobs, updated: Int64(time(nil)))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let bytes = Array(try encoder.encode(image))
        let temporary = state.nextName("image")
        try attempt("store the image name \(name)") {
            do {
                let file = try state.temporary.createFile(temporary, mode: 0o600)
                try file.write(bytes)
                try file.sync()
                let directory = try state.root.makeDirectories("images", mode: 0o700)
                try state.temporary.rename(
                    temporary,
                    to: directory,
                    Self.fileName(name),
                    replacing: true
                )
                try directory.sync()
            } catch {
                try? state.temporary.remove(name: temporary)
                throw error
            }
        }
    }

    /// The image of a name, or `nil`.
    package func image(_ name: String) throws -> Image? {
        do {
            return try read(Self.fileName(name))
        } catch let error as SystemCallError where error.isNotFound {
            return nil
        }
    }

    /// Takes a name away; the blobs stay until they are collected.
    package func remove(_ name: String) throws {
        try attempt("remove the image name \(name)") {
            let directory = try state.root.directory("images")
            if try directory.statusIfExists(name: Self.fileName(name)) != nil {
                try directory.remove(name: Self.fileName(name))
            }
        }
    }

    /// All images, sorted by name; files that cannot be read are passed over.
    package func list() throws -> [Image] {
        guard let directory = try? state.root.directory("images") else { return [] }
        return try attempt("list the images") { try directory.entries() }
            .compactMap { try? read($0.name) }
            .sorted { $0.name < $1.name }
    }

    private func read(_ fileName: String) throws -> Image {
        let file = try state.root.open(
            "images/\(fileName)",
            flags: O_RDONLY | O_NOFOLLOW,
            scope: .noSymlinks
        )
        return try JSONDecoder().decode(
            Image.self,
            from: Data(file.readToEnd(byteLimit: Self.byteLimit))
        )
    }

    private static func fileName(_ name: String) -> String { Digest.of(name).hex + ".json" }
}
