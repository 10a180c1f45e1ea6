// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// Looks at LLB: build graphs as files.
struct LLBCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "llb",
        abstract: "Shows, draws and checks LLB, the graph that is built.",
        discussion: """
            FILE is LLB in any form (a protobuf definition, the lines of dump, the friendly JSON form, the JSON that \
            frontends hand over), or a build file, whose frontend then makes the LLB. - reads the standard input.
            """,
        subcommands: [LLBDumpCommand.self, LLBGraphCommand.self, LLBCheckCommand.self]
    )
}
