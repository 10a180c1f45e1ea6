// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// The command `kiln update`.
struct ProjectUpdateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "update",
        abstract: "Moves pins of kiln.lock to what frontends and sources are now.",
        discussion: """
            A name is that of a frontend in kiln.toml, or of what is pinned: alpine:3.20, alpine for all its tags, or an address. \
            Without a name everything is moved.
            """
    )

    @Argument(help: ArgumentHelp("What to move.", valueName: "name"))
    var names: [String] = []

    @Flag(name: .customLong("dry-run"), help: "Show what would change, and change nothing.")
    var dryRun = false

    @OptionGroup var credentials: CredentialOptions

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try dryRun ? options.find() : options.findToChange()
        defer { withExtendedLifetime(project) {} }
        guard let lock = project.lock else {
            throw UsageError("cannot update: there is no kiln.lock in \(project.root). Run: kiln lock")
        }
        let (frontends, keys) = try chosen(project.project, lock)
        var updated = lock
        var changes = ""
        if names.isEmpty || !frontends.isEmpty {
            let moved = try await updateFrontends(project, lock, names.isEmpty ? nil : frontends)
            updated.frontends = moved.lock.frontends
            changes += moved.text
        }
        let pinned = lock.sources.filter { keys.contains($0.key) }
        if !pinned.isEmpty {
            let platforms = project.project.imagePlatforms
            let (secrets, agents) = (try credentials.secrets(), try credentials.agents())
            let newest = try await withEngine(options.state) { engine in
                try await engine.newestSources(pinned, platforms: platforms, secrets: secrets, agents: agents)
            }
            updated.sources.merge(newest) { _, new in new }
            changes += describeSources(old: lock.sources, new: updated.sources)
        }
        if !dryRun { try writeLock(updated, of: project) }
        writeOutput(changes.isEmpty ? "kiln.lock is up to date\n" : changes)
    }

    /// What the names mean.
    private func chosen(
        _ project: ProjectFile,
        _ lock: LockFile
    ) throws -> (frontends: Set<FrontendName>, sources: Set<SourceKey>) {
        if names.isEmpty {
            return ([], Set(lock.sources.keys))
        }
        var frontends: Set<FrontendName> = []
        var sources: Set<SourceKey> = []
        for name in names {
            if let frontend = project.frontends.first(where: { $0.name.text == name }) {
                frontends.insert(frontend.name)
                continue
            }
            let matching = lock.sources.keys.filter { $0.isNamed(name) }
            guard !matching.isEmpty else {
                let known = project.frontends.map(\.name.text) + lock.sources.keys.sorted().map(\.familiar)
                let remedy = nearest(to: name, in: known).map { "; did you mean \($0)?" } ?? ""
                throw UsageError("cannot update \(name): neither kiln.toml nor kiln.lock has it\(remedy)")
            }
            sources.formUnion(matching)
        }
        return (frontends, sources)
    }

    private func updateFrontends(
        _ project: ProjectDirectory,
        _ lock: LockFile,
        _ names: Set<FrontendName>?
    ) async throws -> (lock: LockFile, text: String) {
        let places = try options.places(of: project)
        var request = LockRequest(offer: engineOffer())
        request.updating = names
        let wanted = request
        let (moved, changes) = try await options.withService { service in
            try await service.lock(project.project, old: lock, in: places, wanted)
        }
        return (moved, describe(changes))
    }
}
