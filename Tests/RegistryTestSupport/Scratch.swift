// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import Foundation
package import OCI
package import Registry
internal import SystemPackage

/// A folder that goes away with the object.
package final class Scratch: Sendable {
    package let path: String

    package init() throws {
        path = NSTemporaryDirectory() + "kiln-registry-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// A new, empty content store.
    package func store(_ name: String = "state") throws -> ContentStore {
        try ContentStore(state: StateDirectory(path: FilePath(path).appending(name)))
    }

    /// Writes a file and gives its path.
    @discardableResult
    package func write(_ name: String, _ text: String, executable: Bool = false) throws -> String {
        let file = path + "/" + name
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent,
            withIntermediateDirectories: true
        )
        try Data(text.utf8).write(to: URL(filePath: file))
        let mode = executable ? 0o755 : 0o644
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
        return file
    }
}

/// Settings that fail fast.
package func quickConfiguration(
    credentials: any CredentialSource = NoCredentials(),
    attempts: Int = 4
) -> RegistryConfiguration {
    var configuration = RegistryConfiguration()
    configuration.credentials = credentials
    configuration.proxies = ProxySettings()
    configuration.retries.firstDelay = .milliseconds(10)
    configuration.retries.delayMax = .milliseconds(200)
    configuration.retries.attemptCountMax = attempts
    configuration.timeouts.connect = .seconds(5)
    configuration.timeouts.idle = .seconds(5)
    return configuration
}

/// Runs a body with a client and shuts the client down, whatever happens.
package func withClient<Value>(
    _ configuration: RegistryConfiguration,
    _ store: ContentStore,
    _ body: (RegistryClient) async throws -> Value
) async throws -> Value {
    let client = RegistryClient(configuration: configuration, content: store)
    do {
        let value = try await body(client)
        await client.shutdown()
        return value
    } catch {
        await client.shutdown()
        throw error
    }
}

/// Bytes that a seed fixes.
///
/// They repeat with a period that is prime, so a shifted copy is never equal.
package func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
    let block = (0..<4093).map { _ in
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return UInt8(truncatingIfNeeded: state)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + block.count)
    while bytes.count < count { bytes += block }
    bytes.removeLast(bytes.count - count)
    return bytes
}

/// What a manifest says about some bytes.
package func describe(_ bytes: [UInt8], _ mediaType: String = MediaType.layerGzip) -> OCI.Descriptor {
    OCI.Descriptor(mediaType: mediaType, digest: Digest.of(bytes), size: Int64(bytes.count))
}

/// Stores an image of some layers and gives its manifest.
package func storeImage(
    in store: ContentStore,
    layers: [[UInt8]],
    architecture: String = "amd64"
) throws -> ManifestDocument {
    let config = Array(
        #"{"architecture":"\#(architecture)","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
            .utf8
    )
    for bytes in layers + [config] { try store.put(bytes) }
    let manifest = Manifest(
        config: describe(config, MediaType.config),
        layers: layers.map { describe($0) }
    )
    try store.put(manifest.encoded)
    return try ManifestDocument(parsing: manifest.encoded)
}
