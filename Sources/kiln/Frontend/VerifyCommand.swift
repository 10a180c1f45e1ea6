// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles

struct FrontendVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Hashes what the store and the vendor directory have of kiln.lock, and compares."
    )

    @Flag(help: "Also read everything at the source, and check signatures.")
    var deep = false

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @Option(
        name: .customLong("from"),
        help: ArgumentHelp("With --deep, a place to look in first.", valueName: "origin")
    )
    var origins: [String] = []

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = try options.find()
        guard let lock = project.lock else { throw UsageError("cannot verify: there is no kiln.lock") }
        let places = try options.places(of: project, isOffline: offline, from: origins)
        try await options.withService { service in
            for frontend in try await service.verify(lock, in: places, isDeep: deep) {
                let places =
                    frontend.places.isEmpty ? "not installed" : "right in \(frontend.places.joined(separator: ", "))"
                let signers =
                    frontend.signers.map { $0.isEmpty ? "" : "; signed by \($0.joined(separator: ", "))" } ?? ""
                writeOutput("\(frontend.name) \(frontend.version): \(places)\(signers)\n")
            }
        }
    }
}
