// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles

struct FrontendLockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock",
        abstract: "Makes kiln.lock, or completes it after kiln.toml changed.",
        discussion: "Pins that still fit stay as they are; kiln frontend update moves them."
    )

    @Flag(help: "Change nothing; fail if the lock would change.")
    var check = false

    @Option(
        name: .customLong("platform"),
        help: ArgumentHelp("A platform the lock must cover, besides those of kiln.toml.", valueName: "os/arch")
    )
    var platforms: [String] = []

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try check ? options.find() : options.findToChange()
        defer { withExtendedLifetime(project) {} }
        let platforms = try parsePlatforms(platforms)
        if check {
            let differences = project.lockDifferences(platforms: platforms)
            if differences.isEmpty { return }
            throw UsageError(
                "kiln.lock does not fit kiln.toml: \(differences.map(\.message).joined(separator: "; ")). Run: kiln frontend lock"
            )
        }
        let places = try options.places(of: project, isOffline: offline)
        try await options.withService { service in
            var request = LockRequest(offer: engineOffer())
            request.platforms = platforms
            let (lock, changes) = try await service.lock(project.project, old: project.lock, in: places, request)
            try writeLock(lock, of: project)
            writeOutput(describe(changes))
            for change in changes {
                guard let new = change.new else { continue }
                writeError(describeMissingGrant(change.name, new.permissions, project.project))
                writeError(describeMissingCallees(change.name, new.permissions, project.project))
            }
        }
    }
}
