// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
package import FrontendHost
internal import LinuxSystem
package import OCI
internal import Snapshots

extension Engine {
    /// The files of an image that a frontend's manifest names as its runtime; what the store lacks is pulled.
    ///
    /// For tools that start a frontend without a build. The layers are held open as long as the value lives.
    ///
    /// - Parameter reference: `REF@sha256:…`
    package func frontendRuntime(_ reference: Reference) async throws -> FrontendProgram.Runtime {
        try await services.frontendRuntime(
            reference,
            BuildImages(services: services, layouts: [:], progress: nil)
        )
    }
}

extension EngineServices {
    /// The layers of an image, above a directory with the places where a frontend's mounts go.
    func frontendRuntime(_ reference: Reference, _ images: BuildImages) async throws -> FrontendProgram.Runtime {
        let found = try await images.find(
            "docker-image://\(reference)",
            attributes: [:],
            platform: Platform.host.normalized
        )
        var layers: [Directory] = []
        for layer in found.tree().layers.reversed() { layers.append(try await layer.directory()) }
        return .root(layers + [try await blocking { try mountPoints() }])
    }

    private func mountPoints() throws -> Directory {
        let directory = try state.root.makeDirectories("cache/frontend-root", mode: 0o755)
        for name in FrontendProgram.rootMountPoints { _ = try directory.makeDirectories(name, mode: 0o755) }
        return directory
    }
}
