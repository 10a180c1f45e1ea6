// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import SystemPackage

/// What a build may use in the name of its user.
struct CredentialOptions: ParsableArguments {
    @Option(
        name: .customLong("secret"),
        help: ArgumentHelp(
            "A secret for steps and sources that ask for it: id=ID[,src=PATH|,env=NAME].",
            valueName: "secret"
        )
    )
    private var secretTexts: [String] = []

    @Option(
        name: .customLong("ssh"),
        help: ArgumentHelp(
            "An SSH agent for steps and repositories: default for that of the environment, or ID=SOCKET.",
            valueName: "id[=socket]"
        )
    )
    private var agentTexts: [String] = []

    /// Secrets by id.
    func secrets() throws -> [String: Secret] {
        try Dictionary(secretTexts.map { try parseSecret($0) }) { _, last in last }
    }

    /// Sockets of agents by name.
    func agents() throws -> [String: FilePath] { try parseAgents(agentTexts) }

    /// Puts what was given into a request.
    func apply(to request: inout BuildRequest) throws {
        request.secrets = try secrets()
        request.agents = try agents()
    }
}
