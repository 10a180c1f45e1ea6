// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
internal import LinuxSystem
internal import Sandbox
internal import SystemPackage

extension FrontendHost {
    /// Lends a host that belongs to no engine, for tools that speak with a frontend themselves.
    ///
    /// Its scratch directory is gone when this returns.
    ///
    /// - Throws: `SandboxError` where no sandbox can be made, and what `body` throws.
    package static func withStandalone<Value: Sendable>(
        engine: Wire.Program,
        _ body: (FrontendHost) async throws -> Value
    ) async throws -> Value {
        let name = "kiln-frontend-\(randomToken(count: 16))"
        let launcher = try await blocking {
            try Launcher(cache: Directory(host: FilePath("/tmp").appending(name), createMode: 0o700))
        }
        let outcome: Result<Value, any Error>
        do {
            outcome = .success(try await body(FrontendHost(launcher: launcher, engine: engine)))
        } catch {
            outcome = .failure(error)
        }
        try? await blocking { try Directory(host: "/tmp").removeTree(name: name) }
        return try outcome.get()
    }
}
