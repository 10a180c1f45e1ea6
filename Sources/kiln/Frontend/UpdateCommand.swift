// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles

struct FrontendUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Moves pins to the newest versions that kiln.toml allows.",
        discussion: """
            Shows each version, old and new, with the new digest. A version that asks for more than the old one, and \
            than kiln.toml grants, is refused.
            """
    )

    @Argument(help: "The frontend; all of them without one.")
    var name: String?

    @Option(help: ArgumentHelp("Exactly this version, within kiln.toml's constraint.", valueName: "version"))
    var precise: String?

    @Flag(name: .customLong("dry-run"), help: "Show what would change, and change nothing.")
    var dryRun = false

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try dryRun ? options.find() : options.findToChange()
        defer { withExtendedLifetime(project) {} }
        var request = LockRequest(offer: engineOffer())
        request.updating = nil
        if let name {
            let name = try parseFrontend(name).name
            guard project.project.requirement(name) != nil else {
                throw UsageError("cannot update \(name): \(ProjectFile.fileName) does not list it")
            }
            request.updating = [name]
            if let precise { request.precise[name] = try SemanticVersion(parsing: precise) }
        } else if precise != nil {
            throw UsageError("cannot use --precise without the name of a frontend")
        }
        let places = try options.places(of: project, isOffline: offline)
        let wanted = request
        try await options.withService { service in
            let (lock, changes) = try await service.lock(project.project, old: project.lock, in: places, wanted)
            if !dryRun { try writeLock(lock, of: project) }
            writeOutput(changes.isEmpty ? "kiln.lock is up to date\n" : describe(changes))
            for change in changes {
                guard let new = change.new else { continue }
                let news = new.permissions.exceeding(change.old?.permissions ?? .nothing)
                if change.old != nil, !news.isEmpty {
                    writeError("\(change.name) \(new.version) newly asks for \(news.joined(separator: ", "))\n")
                }
            }
        }
    }
}
