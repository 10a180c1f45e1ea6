// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles
internal import SystemPackage

struct FrontendVendorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vendor",
        abstract: "Writes what kiln.lock pins, unpacked, into the project.",
        discussion: "Builds look there before they look anywhere else, and hash what they take."
    )

    @Argument(help: "The directory; vendor/frontends of the project without one.", completion: .directory)
    var directory: String?

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @Option(name: .customLong("from"), help: ArgumentHelp("A place to look in first.", valueName: "origin"))
    var origins: [String] = []

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try options.find()
        guard let lock = project.lock else { throw UsageError("cannot vendor: there is no kiln.lock") }
        let places = try options.places(of: project, isOffline: offline, from: origins)
        let target = directory.map { FilePath($0) } ?? places.vendor
        try await options.withService { service in
            for line in try await service.vendor(lock, in: places, to: target, notice: writeNotice) {
                writeOutput("vendored \(line)\n")
            }
        }
    }
}
