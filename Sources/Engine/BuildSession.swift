// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import SystemPackage

/// What a client offers one build while it runs.
///
/// Operations reach it through the job they work for.
struct BuildSession: Sendable {
    /// Directories by the name that `local://NAME` gives them.
    var directories: [String: FilePath]
    /// OCI layouts by the name that `oci-layout://NAME` gives them.
    var layouts: [String: FilePath]
    var secrets: [String: Secret]
    var entitlements: Set<String>
    /// Sockets of SSH agents by name.
    var agents: [String: FilePath] = [:]

    /// Largest secret, in bytes, as BuildKit's clients have it.
    static let secretByteLimit = 500 << 10

    /// The value of a secret, or `nil` when the build was not given it.
    ///
    /// - Throws: `invalidRequest` when it was given but cannot be read or is too large.
    func secret(_ id: String) async throws -> [UInt8]? {
        switch secrets[id] {
        case nil: return nil
        case .bytes(let bytes): return bytes
        case .environment(let name):
            guard let value = Environment.value(of: name) else {
                throw EngineError(
                    .invalidRequest,
                    "cannot read the secret \(id): the environment variable \(name) is not set"
                )
            }
            return Array(value.utf8)
        case .file(let path):
            return try await blocking {
                do {
                    return try Descriptor.open(host: path).readToEnd(byteLimit: Self.secretByteLimit)
                } catch {
                    throw EngineError(.invalidRequest, "cannot read the secret \(id): \(error)")
                }
            }
        }
    }
}
