// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import SystemPackage

/// Which frontend reads a build file, for every command that has one read.
struct FrontendChoiceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The frontend: a name, or ./PATH of an executable or package.", valueName: "frontend"))
    var frontend: String?

    @Option(
        name: .customLong("frontend-override"),
        help: ArgumentHelp("Use a directory or executable in place of a frontend.", valueName: "name=path")
    )
    var frontendOverrides: [String] = []

    @Flag(help: "Use only what kiln.lock pins; implied by CI=true where there is a kiln.lock.")
    var locked = false

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @Option(name: .customLong("opt"), help: ArgumentHelp("An option for the frontend.", valueName: "key=value"))
    var options: [String] = []

    /// Puts what was chosen into a request.
    func apply(to request: inout BuildRequest) throws {
        request.frontend = frontend
        request.frontendOverrides = try dictionary(frontendOverrides, option: "--frontend-override")
        request.isLocked = locked
        request.holdsToStandingLock = environmentVariable("CI") == "true"
        request.isOffline = offline
        request.frontendOptions = try dictionary(options, option: "--opt")
    }
}

/// What commands take that look at build files, one after the other, and build nothing.
struct BuildFileOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("Build files.", valueName: "file"), completion: .file())
    var files: [String]

    @Option(
        name: .customLong("context"),
        help: ArgumentHelp(
            "The context, for rules that look into it; a file's own directory otherwise.",
            valueName: "dir"
        ),
        completion: .directory
    )
    var context: String?

    @OptionGroup var choice: FrontendChoiceOptions
    @OptionGroup var state: StateOptions

    /// A request about one of the files.
    ///
    /// - Parameter bytes: The file's content where it is none of this machine.
    func request(for file: String, bytes: [UInt8]? = nil) throws -> BuildRequest {
        let path = FilePath(file)
        let directory = context.map { FilePath($0) } ?? (bytes == nil ? path.parent : ".")
        var request = BuildRequest(context: .directory(directory))
        request.buildFile = bytes.map { .bytes($0, name: "Dockerfile") } ?? .path(path)
        try choice.apply(to: &request)
        return request
    }

    /// Does something with each of the files, also after one with which it fails, and says what was wrong.
    ///
    /// - Returns: The highest exit status: 0 when nothing failed.
    func forEachFile(_ body: @escaping @Sendable (Engine, String) async throws -> Void) async throws -> Int32 {
        let files = files
        return try await withEngine(state) { engine in
            for notice in engine.notices { writeError("kiln: \(notice)\n") }
            var status: Int32 = 0
            for file in files {
                do {
                    try await body(engine, file)
                } catch let error {
                    try Task.checkCancellation()
                    status = max(status, ExitStatus.report(error).code)
                }
            }
            return status
        }
    }
}
