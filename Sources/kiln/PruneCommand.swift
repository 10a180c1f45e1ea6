// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import SystemPackage

struct PruneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Frees disk space the cache takes.",
        discussion: """
            Without limits, everything goes that no running build needs and that no image or newer record stands on. \
            With limits, the least recently and least often used records go first, until the limits hold.
            """
    )

    @Flag(name: [.short, .long], help: "Also remove internal, frontend and shared records.")
    var all = false

    @Option(
        name: .customLong("filter"),
        help: ArgumentHelp(
            "Only records that match, such as type==exec.cachemount or until=24h.",
            valueName: "filter"
        )
    )
    var filters: [String] = []

    @Option(
        name: .customLong("keep-duration"),
        help: ArgumentHelp("Keep what was used within this time.", valueName: "duration")
    )
    var keepDuration: String?

    @Option(
        name: .customLong("reserved-space"),
        help: ArgumentHelp("Never shrink below this size.", valueName: "size")
    )
    var reservedSpace: String?

    @Option(
        name: .customLong("max-used-space"),
        help: ArgumentHelp("Shrink to this size.", valueName: "size")
    )
    var maxUsedSpace: String?

    @Option(
        name: .customLong("min-free-space"),
        help: ArgumentHelp("Shrink until this much of the disk is free.", valueName: "size")
    )
    var minFreeSpace: String?

    @OptionGroup var state: StateOptions

    func run() async throws {
        var policy = PruneRequest()
        policy.all = all
        policy.filters = filters.filter { Self.age($0) == nil }
        if let text = keepDuration ?? filters.compactMap(Self.age).last {
            guard let seconds = parseSeconds(text) else {
                throw UsageError("cannot read the duration \"\(text)\": expected such as 30m, 24h or 7d")
            }
            policy.keepSeconds = seconds
        }
        policy.reservedSpace = try size(reservedSpace, "--reserved-space")
        policy.maxUsedSpace = try size(maxUsedSpace, "--max-used-space")
        policy.minFreeSpace = try size(minFreeSpace, "--min-free-space")

        let wanted = policy
        let removed = try await withEngine(state) { try await $0.prune(wanted) }
        for record in removed { writeOutput("\(record.id)  \(readableByteCount(record.size))\n") }
        writeOutput("Total: \(readableByteCount(removed.reduce(0) { $0 + $1.size }))\n")
    }

    /// The duration of a filter by age, for which Docker's command line has two words; `nil` for any other filter.
    private static func age(_ filter: String) -> String? {
        ["until=", "unused-for="].first { filter.hasPrefix($0) }.map { String(filter.dropFirst($0.count)) }
    }

    private func size(_ text: String?, _ option: String) throws -> Int64 {
        guard let text else { return 0 }
        guard let bytes = parseByteCount(text) else {
            throw UsageError("cannot read \(option) \"\(text)\": expected a size such as 512MB or 10GiB")
        }
        return bytes
    }
}
