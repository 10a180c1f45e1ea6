// SPDX-License-Identifier: Apache-2.0

extension Exporter {
    func exportTar(
        _ request: ExportRequest,
        _ progress: @escaping @Sendable (ExportProgress) -> Void
    ) async throws -> ExportResponse {
        throw ExportError(.defect, "cannot write an archive yet")
    }
}
