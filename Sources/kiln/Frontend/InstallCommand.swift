// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import OCI
internal import ProjectFiles

struct FrontendInstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install",
        abstract: "Brings everything that kiln.lock pins into the store.",
        discussion: """
            A build fetches what it needs by itself; this does it ahead, so that later builds need no network. Content \
            with another digest than the lock's is refused.
            """
    )

    @Flag(help: "Fail if kiln.lock does not fit kiln.toml, or if kiln.local.toml overrides anything.")
    var locked = false

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @Option(
        name: .customLong("from"),
        help: ArgumentHelp("A place to look in first, such as bundle:FILE or layout:DIR.", valueName: "origin")
    )
    var origins: [String] = []

    @Option(
        name: .customLong("platform"),
        help: ArgumentHelp("The platform; this machine's without one.", valueName: "os/arch")
    )
    var platforms: [String] = []

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try options.find()
        let platforms = try parsePlatforms(platforms)
        let differences = project.lockDifferences(platforms: platforms)
        if !differences.isEmpty {
            let sentence =
                "kiln.lock does not fit kiln.toml: \(differences.map(\.message).joined(separator: "; ")). Run: kiln frontend lock"
            if locked { throw UsageError(sentence) }
            writeNotice("warning: \(sentence)")
        }
        if locked, let (name, path) = project.overrides?.paths.min(by: { $0.key < $1.key }) {
            throw ProjectError.overrideRefused("\(name)=\(path)", RequestPlace(file: LocalOverrides.fileName))
        }
        let places = try options.places(of: project, isOffline: offline, from: origins)
        try await options.withService { service in
            for (name, entry) in (project.lock?.frontends ?? [:]).sorted(by: { $0.key < $1.key }) {
                for platform in platforms.isEmpty ? [Platform.host] : platforms {
                    guard let tree = entry.tree(for: platform) else {
                        throw ProjectError.noPlatform(
                            name,
                            entry.version,
                            platform: platform.normalized.description,
                            has: Array(entry.platforms.keys),
                            isPublished: true
                        )
                    }
                    let locked = LockedFrontend(name: name, entry: entry, tree: tree, grant: .nothing)
                    _ = try await service.obtain(locked, for: platform, in: places, notice: writeNotice)
                    writeOutput("\(name) \(entry.version) \(tree)\n")
                }
            }
        }
    }
}
