// SPDX-License-Identifier: Apache-2.0

package import ContentStore
internal import OCI
package import Registry
package import Snapshots

/// Brings results of builds to where they are wanted.
package struct Exporter: Sendable {
    let state: StateDirectory
    let content: ContentStore
    let snapshots: SnapshotStore
    let registry: RegistryClient

    package init(
        state: StateDirectory,
        content: ContentStore,
        snapshots: SnapshotStore,
        registry: RegistryClient
    ) {
        self.state = state
        self.content = content
        self.snapshots = snapshots
        self.registry = registry
    }

    /// The types of exporters there are.
    package static let types = ["image", "oci", "docker", "tar", "local", "cacheonly"]

    /// Checks all that can be known to be wrong before a build runs: type, attributes, destination.
    ///
    /// - Throws: ``ExportError``: `unknownType`, `invalidAttribute`, `conflict`, `invalidImage`.
    package static func validate(_ request: ExportRequest) throws {
        switch request.type {
        case "image", "oci", "docker":
            let options = try ImageOptions(request)
            if request.type != "image" { _ = try destination(of: request) }
            if request.type == "docker", request.isMultiPlatform || request.results.count > 1 {
                throw ExportError(
                    .conflict,
                    "cannot export to docker: the format holds one platform; export to oci, or build for one platform"
                )
            }
            if !options.writesArchive, case .stream? = request.destination {
                throw ExportError(
                    .conflict,
                    "cannot export a layout directory to a stream; name a directory with dest="
                )
            }
        case "tar", "local":
            _ = try TreeOptions(request)
            let destination = try destination(of: request)
            if request.type == "local", case .stream = destination {
                throw ExportError(
                    .conflict,
                    "cannot export a directory to a stream; use type=tar, or name a directory"
                )
            }
        case "cacheonly", "none", "": break
        default:
            throw ExportError(
                .unknownType,
                "cannot export to \"\(request.type)\": unknown type; use one of \(types.joined(separator: ", "))"
            )
        }
    }

    /// Exports a result.
    ///
    /// A file at the destination appears whole or not at all, and replaces one of that name. Equal
    /// results with equal attributes give equal bytes.
    ///
    /// - Throws: ``ExportError``; what fetching or compressing a layer throws; `RegistryError` of a
    ///   push; `CancellationError`.
    package func export(
        _ request: ExportRequest,
        progress: @escaping @Sendable (ExportProgress) -> Void = { _ in }
    ) async throws -> ExportResponse {
        try Self.validate(request)
        switch request.type {
        case "image": return try await exportImage(request, progress)
        case "oci", "docker": return try await exportLayout(request, progress)
        case "tar": return try await exportTar(request, progress)
        case "local": return try await exportDirectory(request, progress)
        default: return ExportResponse()
        }
    }

    static func destination(of request: ExportRequest) throws -> ExportRequest.Destination {
        guard let destination = request.destination else {
            throw ExportError(
                .conflict,
                "cannot export to \(request.type): no destination; add dest=PATH"
            )
        }
        return destination
    }
}

/// Reports a part of the work around it.
func reporting<Value>(
    _ name: String,
    _ progress: (ExportProgress) -> Void,
    _ body: () async throws -> Value
) async throws -> Value {
    progress(.began(name))
    let value = try await body()
    progress(.ended(name))
    return value
}
