// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

struct FrontendGarbageCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Removes frontends from the store that nobody used for a while.",
        discussion: """
            What the project's lock pins stays, and what a build runs. Everything else is fetched again when it is \
            needed.
            """
    )

    @Option(
        name: .customLong("keep-duration"),
        help: ArgumentHelp("Keep what was used within this time.", valueName: "duration")
    )
    var keepDuration = "30d"

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        guard let seconds = parseSeconds(keepDuration) else {
            throw UsageError("cannot read the duration \"\(keepDuration)\": expected such as 30m, 24h or 7d")
        }
        let project = try ProjectDirectory.find(from: FilePath(options.directory))
        let kept = Set((project?.lock?.frontends.values.flatMap { Array($0.platforms.values) }) ?? [])
        try await options.withService { service in
            let removed = try await blocking {
                try service.store.collect(unusedFor: .seconds(seconds), keeping: kept)
            }
            for frontend in removed {
                let name = frontend.manifest.map { "\($0.name) \($0.version) " } ?? ""
                writeOutput("\(name)\(frontend.tree)  \(readableByteCount(frontend.byteCount))\n")
            }
            writeOutput("Total: \(readableByteCount(removed.reduce(0) { $0 + $1.byteCount }))\n")
        }
    }
}
