// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser

/// `kiln frontend …`: everything about frontends but running a build with one.
///
/// Each verb has a file of its own in this folder and is listed here.
struct FrontendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "frontend",
        abstract: "Chooses, pins, fetches, writes and publishes frontends.",
        discussion: """
            A project lists the frontends it wants in kiln.toml; kiln.lock pins each of them by digest. A build runs \
            what the lock pins and never changes it.
            """,
        groupedSubcommands: [
            CommandGroup(
                name: "Pins of a project",
                subcommands: projectVerbs
            ),
            CommandGroup(name: "Content", subcommands: contentVerbs),
            CommandGroup(name: "Authors", subcommands: authorVerbs),
        ]
    )

    /// Verbs that read or change kiln.toml, kiln.lock and kiln.local.toml.
    private static let projectVerbs: [any ParsableCommand.Type] = [
        FrontendAddCommand.self, FrontendRemoveCommand.self, FrontendLockCommand.self, FrontendUpdateCommand.self,
        FrontendOverrideCommand.self, FrontendListCommand.self, FrontendInfoCommand.self, FrontendWhyCommand.self,
    ]

    /// Verbs that bring, check and remove content.
    private static let contentVerbs: [any ParsableCommand.Type] = [
        FrontendInstallCommand.self, FrontendVerifyCommand.self, FrontendVendorCommand.self,
        FrontendBundleCommand.self, FrontendTrustCommand.self, FrontendGarbageCommand.self,
    ]

    /// Verbs for those who write a frontend.
    private static let authorVerbs: [any ParsableCommand.Type] = [
        FrontendNewCommand.self, FrontendTestCommand.self, FrontendTraceCommand.self, FrontendReplayCommand.self,
        FrontendRunCommand.self, FrontendPackCommand.self, FrontendPublishCommand.self,
    ]
}
