// SPDX-License-Identifier: Apache-2.0

internal import OCI

/// Completes the image config a frontend gave with what only the exporter knows: the layers, and
/// times.
///
/// Members it does not know are kept; the members of the document come out sorted, so that equal
/// input gives equal bytes, and those BuildKit would write. Source: OCI image-spec v1.1, config.md.
struct ImageConfigFinish {
    /// Largest config that is read, in bytes.
    static let byteLimit = 16 << 20

    /// What is known of one layer.
    struct LayerFacts: Sendable {
        var diffID: Digest
        var note: LayerNote
    }

    /// Lowest layer first.
    let layers: [LayerFacts]
    /// SOURCE_DATE_EPOCH in seconds: no time of the config may lie after it, but for those of the
    /// base image.
    let epoch: Int64?
    /// History of the base image.
    let baseHistory: [ImageConfig.HistoryEntry]

    /// The config of an image for which the frontend gave none.
    static func standard(_ platform: Platform) -> [UInt8] {
        let config = ContainerConfig(
            environment: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            workingDirectory: "/"
        )
        return ImageConfig(platform: platform, config: config).encoded
    }

    /// - Parameter bytes: The frontend's config.
    /// - Returns: The finished document, and when the image was created, if that is known.
    /// - Throws: ``ExportError``, `invalidImage`.
    func finish(_ bytes: [UInt8]) throws -> (bytes: [UInt8], created: Timestamp?) {
        let (document, parsed) = try Self.read(bytes)
        let history = clamped(filled(parsed.history))
        var created = parsed.created
        if let epoch, let time = created, isAfter(time, epoch) {
            created = Timestamp(seconds: epoch)
        }
        if document["created"] == nil { created = history.last { $0.created != nil }?.created }

        var members = document.members.filter {
            !["rootfs", "history", "created"].contains($0.name)
        }
        members.append(JSONMember("created", created.map { .string($0.description) } ?? .null))
        members.append(JSONMember("history", Self.json(history)))
        members.append(
            JSONMember(
                "rootfs",
                .object([
                    JSONMember("type", .string("layers")),
                    JSONMember("diff_ids", .strings(layers.map(\.diffID.description))),
                ])
            )
        )
        members.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return (JSONValue.object(members).encoded, created)
    }

    /// The history of a config; empty when there is no config.
    static func history(_ bytes: [UInt8]?) throws -> [ImageConfig.HistoryEntry] {
        guard let bytes, !bytes.isEmpty else { return [] }
        return try read(bytes).parsed.history
    }

    /// The layers of a config; none when there is no config.
    static func diffIDs(_ bytes: [UInt8]?) throws -> [Digest] {
        guard let bytes, !bytes.isEmpty else { return [] }
        return try read(bytes).parsed.rootFS.diffIDs ?? []
    }

    private static func read(_ bytes: [UInt8]) throws -> (document: JSONValue, parsed: ImageConfig) {
        guard bytes.count <= byteLimit else {
            throw ExportError(
                .invalidImage,
                "cannot use the image config: it has \(bytes.count) bytes, at most \(byteLimit) are allowed"
            )
        }
        let document: JSONValue
        let parsed: ImageConfig
        do {
            document = try JSONValue(parsing: bytes)
            parsed = try ImageConfig(parsing: bytes)
        } catch {
            throw ExportError(.invalidImage, "cannot use the image config: \(error)", cause: error)
        }
        for (name, value) in [
            ("os", parsed.platform.os), ("architecture", parsed.platform.architecture),
        ]
        where value.isEmpty {
            throw ExportError(
                .invalidImage,
                "cannot use the image config: it does not name the \(name)"
            )
        }
        return (document, parsed)
    }

    // MARK: History

    /// History with exactly one entry a layer that is not marked empty, and a time on every entry
    /// where one is known.
    private func filled(_ given: [ImageConfig.HistoryEntry]) -> [ImageConfig.HistoryEntry] {
        var history = given
        var layerCount = 0
        for index in history.indices where !history[index].emptyLayer {
            if layerCount < layers.count {
                if history[index].created == nil {
                    history[index].created = layers[layerCount].note.created
                }
                layerCount += 1
            } else {
                // More entries than layers: a wrong config; the surplus is made empty.
                history[index].emptyLayer = true
            }
        }
        for layer in layers.dropFirst(layerCount) {
            history.append(
                ImageConfig.HistoryEntry(
                    created: layer.note.created,
                    createdBy: layer.note.description,
                    comment: "buildkit.exporter.image.v0"
                )
            )
        }
        return timed(history)
    }

    /// Gives entries without a time that of the layer before them; those in front of the first new
    /// layer its time.
    private func timed(_ given: [ImageConfig.HistoryEntry]) -> [ImageConfig.HistoryEntry] {
        // The first time after a gap: a step that only sets metadata is not as old as the base
        // image.
        var created: Timestamp?
        var sawGap = false
        for entry in given {
            if let time = entry.created {
                created = time
                if sawGap { break }
            } else {
                sawGap = true
            }
        }
        var history = given
        sawGap = false
        for index in history.indices {
            if let time = history[index].created {
                if sawGap { created = time }
            } else {
                sawGap = true
                history[index].created = created
            }
        }
        return history
    }

    private func clamped(_ given: [ImageConfig.HistoryEntry]) -> [ImageConfig.HistoryEntry] {
        guard let epoch else { return given }
        var history = given
        var isBase = true
        for index in history.indices {
            isBase = isBase && index < baseHistory.count && history[index] == baseHistory[index]
            if isBase { continue }
            if history[index].created.map({ isAfter($0, epoch) }) ?? true {
                history[index].created = Timestamp(seconds: epoch)
            }
        }
        return history
    }

    private func isAfter(_ time: Timestamp, _ epoch: Int64) -> Bool {
        time.seconds > epoch || time.seconds == epoch && time.nanoseconds > 0
    }

    private static func json(_ history: [ImageConfig.HistoryEntry]) -> JSONValue {
        let config = ImageConfig(platform: Platform(os: "", architecture: ""), history: history)
        return config.json["history"] ?? .array([])
    }
}
