// SPDX-License-Identifier: Apache-2.0

internal import Snapshots

/// Attributes of the exporters `tar` and `local`.
struct TreeOptions: Sendable {
    /// Whether each platform gets a directory of its own; `nil` = when the result is a map of
    /// platforms.
    var platformSplit: Bool?
    /// SOURCE_DATE_EPOCH that was asked for: outer `nil` = the frontend's.
    var epoch: Int64??

    private static let known = [
        "dest", "platform-split", "source-date-epoch", "mode", "attestation-prefix",
    ]

    init(_ request: ExportRequest) throws {
        var attributes = Attributes(request)
        attributes.ignore("dest", "attestation-prefix")
        platformSplit = try attributes.flag("platform-split")
        epoch = try attributes.epoch()
        if let mode = attributes.text("mode"), !["", "copy"].contains(mode) {
            throw attributes.invalid(
                "mode",
                mode,
                "copy; deleting what was there before is not supported"
            )
        }
        try attributes.finish(known: Self.known)
    }

    func splits(_ request: ExportRequest) -> Bool { platformSplit ?? request.isMultiPlatform }

    /// The time all files get, in seconds; `nil` = each its own.
    func epoch(_ request: ExportRequest, _ result: PlatformResult) throws -> Int64? {
        if let epoch { return epoch }
        return try request.frontendEpoch(result)
    }

    /// Name of a platform's directory.
    static func directoryName(_ result: PlatformResult) throws -> String {
        let name = String(result.id.map { $0 == "/" ? "_" : $0 })
        guard TreePath.isName(name) else {
            throw ExportError(
                .conflict,
                "cannot name a directory after the platform \(result.id.debugDescription)"
            )
        }
        return name
    }
}
