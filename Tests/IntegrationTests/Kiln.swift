// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Glibc
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// The `kiln` executable under test and a base image it made, prepared once a run.
struct Kiln: Sendable {
    private static let preparation = Task { try await prepare() }

    /// The executable, ready to run.
    static var shared: Kiln { get async throws { try await preparation.value } }

    /// The root of the repository.
    static let repository = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent()

    /// Where `kiln`, `kiln-frontend-dockerfile` and `kiln-sandbox` stand.
    let directory: FilePath
    private let scratch: Workspace

    var program: String { directory.appending("kiln").string }

    /// The OCI layout of the base image: busybox.
    var base: String { scratch.path("base") }

    private static func prepare() async throws -> Kiln {
        let directory: FilePath
        if let given = unsafe getenv("KILN_BIN") {
            directory = FilePath(unsafe String(cString: given))
        } else {
            directory = try FilePath(
                FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            )
            .removingLastComponent()
        }
        // Does nothing when the launcher is newer than its sources.
        try await runTool(repository.appending("dev/build-sandbox").string, directory.string)
        let kiln = Kiln(directory: directory, scratch: try Workspace())
        try await runTool(repository.appending("dev/make-base").string, directory.string, kiln.base)
        // The tests end by returning from main: the run's own folder goes then.
        unsafe kilnScratch = kiln.scratch.path
        atexit { removeScratch() }
        return kiln
    }

    /// Starts a command of kiln on a state directory.
    func start(_ arguments: [String], state: String, environment: [String] = []) throws -> Command {
        try Command(program, arguments, environment: ["KILN_STATE_DIR=\(state)"] + environment)
    }

    /// Runs a command of kiln on a state directory to its end.
    func run(_ arguments: String..., state: String) async throws -> CommandResult {
        try await start(arguments, state: state).result()
    }
}

/// Path of the run's own folder, for the handler at the process's end, which can hold no context.
nonisolated(unsafe) private var kilnScratch = ""

private func removeScratch() {
    let path = FilePath(unsafe kilnScratch)
    guard let name = path.lastComponent?.string else { return }
    try? Directory(host: path.removingLastComponent()).removeTree(name: name)
}
