// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import Snapshots

extension Exporter {
    /// Writes trees into a directory of the client; nothing that was there is deleted but files of
    /// equal names.
    func exportDirectory(
        _ request: ExportRequest,
        _ progress: @escaping @Sendable (ExportProgress) -> Void
    ) async throws -> ExportResponse {
        let options = try TreeOptions(request)
        guard case .path(let path) = try Self.destination(of: request) else {
            return ExportResponse()
        }
        let trees = try await readTrees(request, options)
        try await reporting("copying files", progress) {
            try await cancellableBlocking { cancellation in
                let writer = try DirectoryWriter(path, cancellation: cancellation)
                for tree in trees {
                    try writer.write(
                        tree.reader,
                        below: tree.directory,
                        label: tree.label,
                        epoch: tree.epoch
                    )
                }
            }
        }
        return ExportResponse()
    }

    /// One platform's tree on its way to a directory or tar.
    struct ExportedTree: Sendable {
        var reader: TreeReader
        /// Where it goes, below the destination.
        var directory: String
        var label: String
        var epoch: Int64?
    }

    func readTrees(_ request: ExportRequest, _ options: TreeOptions) async throws -> [ExportedTree] {
        let splits = options.splits(request)
        var trees: [ExportedTree] = []
        for result in request.results {
            trees.append(
                ExportedTree(
                    reader: try await TreeReader(result.tree),
                    directory: splits ? try TreeOptions.directoryName(result) : "",
                    label: result.id,
                    epoch: try options.epoch(request, result)
                )
            )
        }
        return trees
    }
}
