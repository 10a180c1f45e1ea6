// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// The version of the command line and the engine in it.
enum Version {
    static let text = "0.1.0"
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Shows the version."
    )

    func run() { writeOutput("kiln \(Version.text)\n") }
}
