// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import LinuxSystem

/// The command line.
@main
struct Kiln: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kiln",
        abstract: "Turns build files into container images.",
        discussion: """
            A build file is read by a frontend, a separate program that runs without network and without files of \
            this machine; the engine solves, runs and caches what it asks for. No daemon is needed.
            """,
        version: Version.text,
        subcommands: [
            BuildCommand.self, LintCommand.self, FormatCommand.self, LLBCommand.self, ProjectLockCommand.self,
            ProjectUpdateCommand.self,
            FrontendCommand.self,
            DiskUsageCommand.self, PruneCommand.self, VersionCommand.self,
        ]
    )

    static func main() async {
        do {
            OpenFileLimit.raise()
            try OrdinaryUser.enterNamespaceIfNeeded()
            var command = try parseAsRoot()
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
        } catch let status as ExitStatus {
            status.exit()
        } catch let error as any ReportableError {
            ExitStatus.report(error).exit()
        } catch let error as any FaultClassified {
            ExitStatus.report(error).exit()
        } catch {
            exit(withError: error)
        }
    }
}

/// Options every command takes.
struct StateOptions: ParsableArguments {
    @Option(
        name: .customLong("state-dir"),
        help: ArgumentHelp(
            "Where blobs, layers and cache records stand.",
            discussion: """
                Default: $KILN_STATE_DIR, else /var/lib/kiln for root, else $XDG_DATA_HOME/kiln or \
                ~/.local/share/kiln. Many processes may share one.
                """,
            valueName: "dir"
        ),
        completion: .directory
    )
    var stateDirectory: String?

    /// The directory in force.
    var path: String { stateDirectory ?? EngineConfiguration.defaultStateDirectory() }
}
