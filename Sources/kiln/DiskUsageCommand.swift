// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import OCI
internal import SystemPackage

struct DiskUsageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "du",
        abstract: "Shows what the cache holds and how much disk it takes."
    )

    @Flag(name: [.short, .long], help: "Show every field of each record.")
    var verbose = false

    @Flag(help: "Print one JSON object a line.")
    var json = false

    @Option(
        name: .customLong("filter"),
        help: ArgumentHelp(
            "Only records that match one of them, such as type==source.local.",
            valueName: "filter"
        )
    )
    var filters: [String] = []

    @OptionGroup var state: StateOptions

    func run() async throws {
        let filters = filters
        let usage = try await withEngine(state) { try await $0.diskUsage(filters) }
        let records = usage.records.sorted { $0.size > $1.size }
        if json {
            for record in records { writeOutput(line(record)) }
            return
        }
        if verbose {
            for record in records { writeOutput(paragraph(record)) }
        } else {
            var rows = [["ID", "TYPE", "RECLAIMABLE", "SIZE", "LAST USED"]]
            rows += records.map { record in
                [
                    record.id, record.type, record.inUse ? "false" : "true",
                    readableByteCount(record.size), age(record.lastUsed ?? record.created),
                ]
            }
            writeOutput(table(rows))
        }
        let reclaimable = records.filter { !$0.inUse }.reduce(0) { $0 + $1.size }
        writeOutput("Reclaimable: \(readableByteCount(reclaimable))\n")
        writeOutput("Total:       \(readableByteCount(usage.totalSize))\n")
    }

    private func line(_ record: CacheRecordInfo) -> String {
        let object = JSONValue.object([
            JSONMember("ID", .string(record.id)),
            JSONMember("Type", .string(record.type)),
            JSONMember("Description", .string(record.description)),
            JSONMember("Size", .integer(record.size)),
            JSONMember("CreatedAt", .string(record.created.description)),
            JSONMember("LastUsedAt", .string((record.lastUsed ?? record.created).description)),
            JSONMember("UsageCount", .integer(record.usageCount)),
            JSONMember("InUse", .bool(record.inUse)),
            JSONMember("Shared", .bool(record.shared)),
            JSONMember("Mutable", .bool(record.mutable)),
        ])
        return object.encodedText + "\n"
    }

    private func paragraph(_ record: CacheRecordInfo) -> String {
        """
        ID:          \(record.id)
        Type:        \(record.type)
        Description: \(record.description)
        Size:        \(readableByteCount(record.size))
        Created:     \(age(record.created))
        Last used:   \(record.lastUsed.map(age) ?? "never")
        Usage count: \(record.usageCount)
        In use:      \(record.inUse)
        Shared:      \(record.shared)
        Mutable:     \(record.mutable)
        Parents:     \(record.parents.joined(separator: ", "))


        """
    }
}

/// How long ago a moment was, in its largest unit.
private func age(_ moment: Timestamp) -> String {
    let seconds = max(0, Timestamp.now.seconds &- moment.seconds)
    return switch seconds {
    case 0..<120: "\(seconds) seconds ago"
    case 120..<7200: "\(seconds / 60) minutes ago"
    case 7200..<172_800: "\(seconds / 3600) hours ago"
    default: "\(seconds / 86400) days ago"
    }
}

/// Rows with their columns aligned.
private func table(_ rows: [[String]]) -> String {
    let widths = (rows.first?.indices ?? 0..<0).map { column in
        rows.map { $0[column].count }.max() ?? 0
    }
    return rows.map { row in
        zip(row, widths)
            .map { $0 + String(repeating: " ", count: $1 - $0.count) }
            .joined(separator: "   ") + "\n"
    }
    .joined()
}
