// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine

/// What a build is given besides its file, for every command that has a frontend read one.
struct BuildInputOptions: ParsableArguments {
    @Option(
        name: .customLong("build-arg"),
        help: ArgumentHelp("A build argument; without =VALUE the environment's.", valueName: "name[=value]")
    )
    var buildArguments: [String] = []

    @Option(
        name: .customLong("build-context"),
        help: ArgumentHelp(
            "A further context: a directory, docker-image://REF, oci-layout://DIR[@DIGEST|:TAG] or an address.",
            valueName: "name=value"
        )
    )
    var buildContexts: [String] = []

    /// The build arguments that have a value.
    var arguments: [String: String] { parseBuildArguments(buildArguments) }

    /// The further contexts.
    ///
    /// - Throws: A ``UsageError`` for one that is not `NAME=VALUE`.
    func contexts() throws -> [String: String] { try dictionary(buildContexts, option: "--build-context") }

    /// Puts what was given into a request.
    func apply(to request: inout BuildRequest) throws {
        request.buildArguments = arguments
        request.namedContexts = try contexts()
    }
}
