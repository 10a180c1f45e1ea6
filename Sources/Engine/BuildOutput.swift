// SPDX-License-Identifier: Apache-2.0

internal import BuildCache
internal import Exporters
internal import FrontendHost
internal import LinuxSystem
internal import OCI
internal import Registry
internal import Snapshots

/// Brings what a build made to where its request wants it.
struct BuildOutput {
    let services: EngineServices
    let request: BuildRequest
    let events: BuildEventStream

    /// Runs all exporters, one after the other: they would only wait for the same layers.
    ///
    /// - Parameter trees: One for each platform of the result.
    func export(
        _ trees: [FileTree],
        _ result: FrontendResult<BuildRef>
    ) async throws -> BuildResponse {
        var response = BuildResponse()
        for (key, value) in result.metadata where key.hasPrefix("frontend.") || isAnswer(key) {
            response.exporterResponse[key] = String(decoding: value, as: UTF8.self)
        }
        let exporter = Exporter(
            state: services.state,
            content: services.content,
            snapshots: services.snapshots,
            registry: services.registry
        )
        let notes = request.outputs.isEmpty ? [:] : try await layerNotes(trees)
        for output in request.outputs {
            let exported = try await export(exportRequest(output, trees, result, notes), exporter)
            response.exporterResponse.merge(exported.values) { _, new in new }
            if output.type == "image", let name = exported.values["image.name"] {
                try await services.cache.pin("image:\(name)", exported.blobs)
            }
        }
        return response
    }

    private func layerNotes(_ trees: [FileTree]) async throws -> [LayerID: LayerNote] {
        let layers = Set(trees.flatMap(\.layers).map(\.id))
        return try await blocking { [cache = services.cache] in
            try cache.notes(of: layers).mapValues { note in
                LayerNote(created: Timestamp(milliseconds: note.created), description: note.description)
            }
        }
    }

    /// Whether a value is the answer to a subrequest, which the option `requestid` asks for.
    private func isAnswer(_ key: String) -> Bool {
        request.frontendOptions["requestid"] != nil && (key.hasPrefix("result.") || key == "version")
    }

    private func exportRequest(
        _ output: Output,
        _ trees: [FileTree],
        _ result: FrontendResult<BuildRef>,
        _ notes: [LayerID: LayerNote]
    ) throws -> ExportRequest {
        var metadata = result.metadata
        var results: [PlatformResult] = []
        for (platform, tree) in zip(result.platforms, trees) {
            let named = platform.platform ?? Platform.host.normalized
            var part = PlatformResult(
                platform: named,
                id: platform.id.isEmpty ? nil : platform.id,
                tree: tree,
                config: platform.config
            )
            part.layerNotes = notes
            part.baseConfig = platform.metadata["containerimage.base.config"]
            results.append(part)
            for (key, value) in platform.metadata { metadata["\(key)/\(part.id)"] = value }
        }
        var attributes = output.attributes
        if attributes["source-date-epoch"] == nil,
            let epoch = request.buildArguments["SOURCE_DATE_EPOCH"], Int64(epoch) != nil
        {
            attributes["source-date-epoch"] = epoch
        }
        let destination: ExportRequest.Destination? =
            switch output.destination {
            case .path(let path): .path(path)
            case .standardOutput: .stream(try Descriptor(duplicating: 1))
            case nil: nil
            }
        return ExportRequest(
            type: output.type,
            attributes: attributes,
            destination: destination,
            results: results,
            isMultiPlatform: result.isIndex,
            metadata: metadata
        )
    }

    private func export(_ request: ExportRequest, _ exporter: Exporter) async throws -> ExportResponse {
        try await events.withStep("exporting to \(Self.shownName(of: request.type))") { vertex in
            try await exporter.export(request) { [events] progress in
                let now = Timestamp.now
                switch progress {
                case .began(let part):
                    events.send(
                        .status(
                            StatusEvent(
                                vertex: vertex,
                                id: part,
                                current: 0,
                                total: 0,
                                timestamp: now,
                                started: now
                            )
                        )
                    )
                case .ended(let part):
                    events.send(
                        .status(
                            StatusEvent(
                                vertex: vertex,
                                id: part,
                                current: 0,
                                total: 0,
                                timestamp: now,
                                started: now,
                                completed: now
                            )
                        )
                    )
                }
            }
        }
    }

    /// What BuildKit calls the exporter of a type.
    private static func shownName(of type: String) -> String {
        switch type {
        case "image": "image"
        case "oci": "oci image format"
        case "docker": "docker image format"
        case "tar": "client tarball"
        case "local": "client directory"
        default: type
        }
    }
}
