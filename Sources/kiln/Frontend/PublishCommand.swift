// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles
internal import SystemPackage

struct FrontendPublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Packs a directory and sends the release to where others find it.",
        discussion: """
            In a registry the release's tag is its version. A version that was published stays what it is. Logins are \
            those of docker login.
            """
    )

    @Argument(help: ArgumentHelp("oci://REPOSITORY, layout:DIR or bundle:FILE.", valueName: "ref"))
    var destination: String

    @Argument(help: "The package's directory.", completion: .directory)
    var directory = "."

    @Option(
        name: .customLong("sign"),
        help: ArgumentHelp("Sign with this ed25519 key in PEM.", valueName: "key"),
        completion: .file()
    )
    var key: String?

    @OptionGroup var state: StateOptions

    func run() async throws {
        let (directory, signingKey) = (FilePath(directory), try key.map(readSigningKey))
        let origin = try FrontendOrigin(parsing: destination, relativeTo: currentDirectory())
        try await runWithService(state) { service in
            let packed = try await service.pack(directory, signedBy: signingKey)
            try await service.publish(packed, to: origin)
            writeOutput("\(packed.release.name) \(packed.release.version) \(packed.release.digest)\n")
            writeError("published to \(origin)\n")
        }
    }
}
