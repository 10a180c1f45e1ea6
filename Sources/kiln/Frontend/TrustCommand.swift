// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

struct FrontendTrustCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trust",
        abstract: "Keys that releases are trusted by.",
        subcommands: [FrontendTrustAddCommand.self]
    )
}

struct FrontendTrustAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Trusts releases that are signed by a key.",
        discussion: """
            Signatures are checked when a release is locked, fetched or verified. Make a key with openssl genpkey \
            -algorithm ed25519 -out key.pem; its public half is openssl pkey -in key.pem -pubout.
            """
    )

    @Argument(help: ArgumentHelp("ed25519:BASE64, or a PEM file of the public key.", valueName: "key"))
    var key: String

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp(
            "Sources it counts for, such as ghcr.io/acme/*; all of them without one.",
            valueName: "source"
        )
    )
    var pattern = "*"

    @Flag(help: "Refuse releases that no key of theirs signed.")
    var required = false

    @Flag(help: "Write to your own configuration instead of kiln.toml.")
    var user = false

    @OptionGroup var options: ProjectOptions

    func run() throws {
        let text = key.hasPrefix("ed25519:") ? key : String(decoding: try readFile(key, what: "the key"), as: UTF8.self)
        let key = try TrustedKey(parsing: text)
        let file: FilePath
        if user {
            guard let path = ProjectDirectory.userConfiguration(environment: environmentVariable) else {
                throw UsageError("cannot find your configuration: neither XDG_CONFIG_HOME nor HOME is set")
            }
            file = path
        } else {
            file = try options.find().root.appending(ProjectFile.fileName)
        }
        let name = user ? file.string : ProjectFile.fileName
        var edit = try ProjectFileEdit(ProjectDirectory.read(file), file: name)
        if try edit.addTrust(key, for: pattern, isRequired: required) {
            try ProjectDirectory.write(edit.bytes, to: file)
        }
        writeOutput("\(key.id) \(pattern)\n")
    }
}
