// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Glibc

/// The entry of a frontend's executable.
///
///     FrontendMain.run(name: "acme/spec", version: "1.4.2") { session, request in
///         let tree = try await session.solve(State.image("alpine:3"))
///         return BuildResult(platform: request.workerPlatform, tree: tree, config: [])
///     }
///
/// The loop shakes hands, runs the handler once, sends its result and ends the process when the engine closes stdin. The
/// handler runs on threads of the SDK, and so do its child tasks, so it may ask several things at once. What it throws ends
/// the build: a ``BuildError`` with its text as it is, another failure of the session with the engine's text.
///
/// A sandbox need not have a `/proc`, which libdispatch cannot do without: do not use `Task { }`, `Task.sleep` or dispatch
/// queues in a handler, but task groups and `async let`.
public enum FrontendMain {
    /// What to do with a build.
    public typealias Handler =
        @Sendable (FrontendSession, BuildRequest) async throws -> BuildResult

    /// Runs the frontend.
    ///
    /// Call it first of all, from the main thread.
    ///
    /// From the start on, what any code of the process prints to stdout goes to stderr: stdout
    /// carries the protocol.
    ///
    /// - `name`: The frontend's name, the same in its package and here.
    /// - `version`: Its own version, as semantic versioning has it.
    /// - `questions`: What it answers about a build file besides building it.
    public static func run(
        name: String,
        version: String,
        questions: FrontendQuestions = FrontendQuestions(),
        handler: @escaping Handler
    ) -> Never {
        if CommandLine.arguments.dropFirst().contains("--version") {
            complain("\(name) \(version)")
            exit(0)
        }
        guard isatty(STDIN_FILENO) == 0 else {
            complain(
                "\(name) \(version) is a frontend for an image builder; it is started by one, not by hand"
            )
            exit(64)
        }
        guard let channel = ProtocolChannel.takeStandardStreams(),
            let executor = FrontendExecutor.start()
        else {
            complain("cannot take over stdin and stdout, or start threads")
            exit(71)
        }
        let program = Wire.Program(name: name, version: version)
        let server = FrontendServer(
            channel: channel,
            program: program,
            executor: executor,
            handler: handler,
            questions: questions
        )
        exit(server.serve())
    }

    private static func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
