// SPDX-License-Identifier: Apache-2.0

internal import ContentStore
internal import LinuxSystem
internal import OCI

extension Exporter {
    /// Writes an image as an OCI or Docker archive, or as an OCI layout directory.
    func exportLayout(
        _ request: ExportRequest,
        _ progress: @escaping @Sendable (ExportProgress) -> Void
    ) async throws -> ExportResponse {
        let options = try ImageOptions(request)
        let destination = try Self.destination(of: request)
        var image = try await ImageWriter(
            exporter: self,
            request: request,
            options: options,
            progress: progress
        ).write()
        try await obtainBlobs(image)
        // When the image was made, not when it was written: equal images give equal archives.
        if let created = image.members.compactMap(\.created).max(by: { $0.seconds < $1.seconds }) {
            var annotations = image.root.annotations ?? [:]
            annotations[Layout.createdKey] = annotations[Layout.createdKey] ?? created.description
            image.root.annotations = annotations
        }
        let layout = Layout(image, names: options.names, isDocker: request.type == "docker")
        let content = content
        if options.writesArchive {
            try await reporting("sending tarball", progress) {
                try await cancellableBlocking { cancellation in
                    try OutputFile.write(destination) { output in
                        try LayoutArchive(content: content, cancellation: cancellation).write(
                            layout,
                            to: output
                        )
                    }
                }
            }
        } else if case .path(let path) = destination {
            try await reporting("copying blobs", progress) {
                try await cancellableBlocking { cancellation in
                    try LayoutDirectory(path: path, content: content, cancellation: cancellation)
                        .write(layout)
                }
            }
        }
        var response = describe(image)
        if !options.names.isEmpty {
            response.values["image.name"] = options.names.map(\.description).joined(separator: ",")
        }
        return response
    }
}
