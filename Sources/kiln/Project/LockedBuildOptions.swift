// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// Which builds a lock is for: those that `kiln build` would run with the same options.
struct LockedBuildOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The context of the builds.", valueName: "path"), completion: .directory)
    var path = "."

    @Option(
        name: [.short, .customLong("file")],
        help: "A build file; may be given again, for a lock of several builds.",
        completion: .file()
    )
    var files: [String] = []

    @Option(help: "The stage to build.")
    var target: String?

    @OptionGroup var given: BuildInputOptions

    @Option(
        name: .customLong("platform"),
        help: ArgumentHelp("A platform the lock must cover, besides those of kiln.toml.", valueName: "os/arch")
    )
    var platforms: [String] = []

    @OptionGroup var credentials: CredentialOptions

    /// The platforms that images are locked for: those of the project and of the options, else this machine's.
    func imagePlatforms(of project: ProjectFile) throws -> [Platform] {
        var result = project.imagePlatforms
        for platform in try parsePlatforms(platforms) where !result.contains(platform) { result.append(platform) }
        return result.isEmpty ? [Platform.host.normalized] : result
    }

    /// One request a build file.
    func requests(platforms: [Platform]) throws -> [BuildRequest] {
        var base = BuildRequest(context: .directory(FilePath(path)))
        base.target = target
        base.platforms = platforms
        try given.apply(to: &base)
        try credentials.apply(to: &base)
        if files.isEmpty { return [base] }
        return files.map { file in
            var request = base
            request.buildFile = .path(FilePath(file))
            return request
        }
    }
}

/// Opens an engine for some work, and closes it whatever comes of that.
func withEngine<Value: Sendable>(
    _ state: StateOptions,
    _ work: @escaping @Sendable (Engine) async throws -> Value
) async throws -> Value {
    let engine = try await Engine(configuration: EngineConfiguration(stateDirectory: FilePath(state.path)))
    let outcome = await Interruption.run { try await work(engine) }
    await engine.close()
    return try outcome.value
}

/// How the sources of a lock change, one a line: `alpine:3.20 sha256:1a… → sha256:2b…`.
func describeSources(old: [SourceKey: LockedSource], new: [SourceKey: LockedSource]) -> String {
    Set(old.keys).union(new.keys).sorted().map { key in
        switch (old[key], new[key]) {
        case (nil, let added?): "locked \(key.familiar)\(platformList(added)) \(added.summary)\n"
        case (let removed?, nil): "unlocked \(key.familiar) \(removed.summary)\n"
        case (let before?, let after?) where before.summary != after.summary:
            "\(key.familiar) \(before.summary) → \(after.summary)\n"
        case (let before?, let after?) where before != after: "\(key.familiar): entry completed\(platformList(after))\n"
        default: ""
        }
    }
    .joined()
}

private func platformList(_ source: LockedSource) -> String {
    guard case .image(_, let platforms) = source else { return "" }
    return " (\(platforms.keys.sorted().joined(separator: ", ")))"
}
