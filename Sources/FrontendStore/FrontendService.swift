// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
package import Registry
package import SystemPackage

/// Everything that needs the store, blobs, and perhaps a network: fetching, locking, bundling, publishing.
///
/// Safe to use from many tasks. Nothing is dialled before something is asked that needs it.
package final class FrontendService: Sendable {
    package let store: FrontendStore
    let content: ContentStore
    let registry: RegistryClient

    /// Works with the parts of an engine, which stay the engine's.
    package init(store: FrontendStore, content: ContentStore, registry: RegistryClient) {
        self.store = store
        self.content = content
        self.registry = registry
    }

    /// Opens a state directory of its own; blocks on the disk.
    package convenience init(
        stateDirectory: FilePath,
        registry configuration: RegistryConfiguration = RegistryConfiguration()
    ) throws {
        let state = try StateDirectory(path: stateDirectory)
        let content = try ContentStore(state: state)
        self.init(
            store: try FrontendStore(directory: stateDirectory.appending("frontends")),
            content: content,
            registry: RegistryClient(configuration: configuration, content: content)
        )
    }

    /// Ends connections and leaves the state directory; for a service that opened its own.
    package func close() async {
        await registry.shutdown()
        content.state.leave()
    }

    /// The releases at a place.
    ///
    /// - Parameter package: Which package is meant, where the place holds many; `nil` = all of them.
    func releases(at origin: FrontendOrigin, of package: FrontendName? = nil) async throws -> any ReleaseSource {
        let filter = package.map { FrontendNameFilter.only($0) } ?? .any
        switch origin {
        case .registry(let repository):
            return RegistryReleases(repository: repository, client: registry, content: content)
        case .web(let address):
            return try await WebReleases(address: address, package: filter, client: registry, content: content)
        case .layout(let path):
            return try await blocking { try LayoutReleases(path, package: filter) }
        case .bundle(let path):
            return try await blocking { [content] in
                try BundleReleases(path, package: filter, state: content.state)
            }
        case .directory(let path):
            return try await blocking { [content] in try DirectoryReleases(path, content: content) }
        case .vendor(let path):
            throw FrontendStoreError(
                .badOrigin,
                "cannot look for versions in \(path): a vendor directory holds what a lock pins, not releases"
            )
        }
    }
}

/// The one release that a directory with a `frontend.toml` is, packed when it is opened.
struct DirectoryReleases: ReleaseSource {
    private let content: ContentStore
    private let packed: PackedFrontend
    let place: String

    /// Packs the directory; blocks on the disk.
    init(_ path: FilePath, content: ContentStore) throws {
        self.content = content
        packed = try FrontendPacker(content: content).pack(path)
        place = path.string
    }

    func tags() -> [String] { [VersionTagName.tag(of: packed.release.version)] }

    func document(tagged tag: String) async throws -> [UInt8]? {
        tags().contains(tag) ? packed.release.bytes : nil
    }

    func document(_ digest: Digest) async throws -> [UInt8]? {
        if digest == packed.release.digest { return packed.release.bytes }
        guard packed.blobs.contains(where: { $0.digest == digest }) else { return nil }
        return try await blocking { [content] in
            try content.read(digest, byteLimit: FrontendLimit.documentByteCount)
        }
    }

    func blob(_ blob: OCI.Descriptor) async throws -> LinuxSystem.Descriptor? {
        guard packed.blobs.contains(where: { $0.digest == blob.digest }) else { return nil }
        return try await blocking { [content] in try content.open(blob.digest) }
    }
}
