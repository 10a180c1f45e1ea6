// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// The command `kiln lock`.
struct ProjectLockCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lock",
        abstract:
            "Pins what builds of this project read from outside: frontends, images, repositories, files of the web.",
        discussion: """
            The frontends of kiln.toml are locked, then the frontend of each build file runs, so that it says what it \
            needs; no step runs. kiln.lock gets the digest of each, of images for all platforms of kiln.toml. Pins that \
            stand are kept: kiln update moves them.
            """
    )

    @OptionGroup var build: LockedBuildOptions

    @Flag(help: "Change nothing; fail if something these builds need is not locked.")
    var check = false

    @Flag(help: "Forget pinned sources that none of these builds uses.")
    var prune = false

    @OptionGroup var state: StateOptions

    func run() async throws {
        guard let project = try ProjectDirectory.find(from: FilePath(build.path)) else {
            throw UsageError(
                """
                cannot lock: neither \(build.path) nor a directory above it holds a kiln.toml; make one that says \
                version = 1
                """
            )
        }
        let platforms = try build.imagePlatforms(of: project.project)
        if check {
            try await checkLock(project, platforms)
            return
        }
        var lock = try await lockFrontends(project)
        let known = lock
        let requests = try build.requests(platforms: platforms)
        let found = try await withEngine(state) { engine in
            var found: [SourceKey: LockedSource] = [:]
            for request in requests {
                let sources = try await engine.sources(of: request, lock: known, platforms: platforms)
                found.merge(sources) { old, new in old.joined(new) }
            }
            return found
        }
        if prune { lock.sources = lock.sources.filter { found[$0.key] != nil } }
        for (key, source) in found { lock.sources[key] = lock.sources[key]?.joined(source) ?? source }
        if lock != project.lock {
            try ProjectDirectory.write(lock.json, to: project.root.appending(LockFile.fileName))
        }
        let changes = describeSources(old: project.lock?.sources ?? [:], new: lock.sources)
        writeOutput(changes.isEmpty ? "kiln.lock is complete\n" : changes)
    }

    /// Locks the frontends that `kiln.toml` lists, as `kiln frontend lock` does.
    private func lockFrontends(_ project: ProjectDirectory) async throws -> LockFile {
        let standing = project.lock ?? LockFile()
        if project.lockDifferences(platforms: []).isEmpty { return standing }
        let places = try project.places(
            configuration: ProjectDirectory.userConfiguration(environment: environmentVariable)
        )
        try await runWithService(state) { service in
            let (lock, changes) = try await service.lock(
                project.project,
                old: standing,
                in: places,
                LockRequest(offer: engineOffer())
            )
            try writeLock(lock, of: project)
            writeOutput(describe(changes))
        }
        return try ProjectDirectory.find(from: project.root)?.lock ?? standing
    }

    private func checkLock(_ project: ProjectDirectory, _ platforms: [Platform]) async throws {
        let differences = project.lockDifferences(platforms: [])
        guard differences.isEmpty else {
            throw UsageError("kiln.lock does not fit kiln.toml: \(differences.joined(separator: "; ")). Run: kiln lock")
        }
        let lock = project.lock ?? LockFile()
        let requests = try build.requests(platforms: platforms)
        try await withEngine(state) { engine in
            for request in requests {
                _ = try await engine.sources(of: request, lock: lock, platforms: platforms, isLocked: true)
            }
        }
    }
}
