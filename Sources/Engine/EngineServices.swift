// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import ContentStore
internal import Exporters
internal import FrontendHost
internal import FrontendProtocol
internal import LinuxSystem
internal import LLB
internal import LLBMessages
internal import OCI
internal import Registry
internal import Sandbox
internal import Snapshots
internal import Solver
internal import Sources

/// The parts every build of one engine shares.
struct EngineServices: Sendable {
    let state: StateDirectory
    let content: ContentStore
    let snapshots: SnapshotStore
    let cache: BuildCache
    let solver: Solver
    let launcher: Launcher
    let frontends: FrontendHost
    let locator: FrontendLocator
    let registry: RegistryClient
    let local: LocalSource
    let images: ImageSource

    /// The operation that fetches a source.
    func sourceOperation(_ source: Pb_SourceOp, _ vertex: VertexInfo) throws -> any VertexOperation {
        let parts = source.identifier.split(separator: "://", maxSplits: 1)
        guard parts.count == 2 else {
            throw EngineError(
                .invalidDefinition,
                "cannot read the source \"\(source.identifier)\": it has no scheme such as docker-image://"
            )
        }
        let scheme = String(parts[0])
        let rest = String(parts[1])
        switch scheme {
        case "local":
            return try LocalOperation(
                name: vertex.name,
                directoryName: rest,
                attributes: source.attrs,
                source: local,
                snapshots: snapshots
            )
        case "docker-image":
            return ImageOperation(
                name: vertex.name,
                request: .registry(reference: rest),
                attributes: source.attrs,
                platform: vertex.platform,
                images: images
            )
        case "oci-layout":
            return ImageOperation(
                name: vertex.name,
                request: .layout(reference: rest),
                attributes: source.attrs,
                platform: vertex.platform,
                images: images
            )
        default:
            throw EngineError(
                .unsupported,
                "cannot fetch \(source.identifier): sources of the kind \(scheme):// are not there yet; allowed are local, docker-image and oci-layout"
            )
        }
    }
}
