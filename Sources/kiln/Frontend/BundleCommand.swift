// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles
internal import SystemPackage

struct FrontendBundleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bundle",
        abstract: "Writes what kiln.lock pins, for all its platforms, into one file.",
        discussion: """
            The file is an OCI layout as tar. On a machine without a network: \
            kiln frontend install --offline --from bundle:FILE
            """
    )

    @Argument(help: "The file to write.", completion: .file())
    var file: String

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @Option(name: .customLong("from"), help: ArgumentHelp("A place to look in first.", valueName: "origin"))
    var origins: [String] = []

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try options.find()
        guard let lock = project.lock, !lock.frontends.isEmpty else {
            throw UsageError("cannot make a bundle: kiln.lock pins no frontend")
        }
        let places = try options.places(of: project, isOffline: offline, from: origins)
        let target = FilePath(file)
        try await options.withService { service in
            try await service.bundle(lock, in: places, to: target, notice: writeNotice)
        }
    }
}
