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

    @Flag(help: "Change nothing; tell all that these builds need and that is not locked, and fail if there is any.")
    var check = false

    @Flag(help: "Forget pinned sources that none of these builds uses.")
    var prune = false

    @OptionGroup var state: StateOptions

    func run() async throws {
        guard let found = try ProjectDirectory.find(from: FilePath(build.path)) else {
            throw UsageError(
                """
                cannot lock: neither \(build.path) nor a directory above it holds a kiln.toml; make one that says \
                version = 1
                """
            )
        }
        if check {
            try await checkLock(found, try build.imagePlatforms(of: found.project))
            return
        }
        let project = try found.held { writeWaiting(for: found.root) }
        defer { withExtendedLifetime(project) {} }
        let platforms = try build.imagePlatforms(of: project.project)
        var lock = try await lockFrontends(project)
        let known = lock
        let requests = try build.requests(platforms: platforms)
        let sources = try await withEngine(state) { engine in
            var found: [SourceKey: LockedSource] = [:]
            for request in requests {
                let sources = try await engine.sources(of: request, lock: known, platforms: platforms)
                found.merge(sources) { old, new in old.joined(new) }
            }
            return found
        }
        if prune { lock.sources = lock.sources.filter { sources[$0.key] != nil } }
        for (key, source) in sources { lock.sources[key] = lock.sources[key]?.joined(source) ?? source }
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

    /// Tells everything that the builds need and the lock does not have, or has otherwise.
    ///
    /// - Throws: Status 1 when there is any of it; else what kept a build from telling.
    private func checkLock(_ project: ProjectDirectory, _ platforms: [Platform]) async throws {
        let differences = project.lockDifferences(platforms: [])
        let lock = project.lock ?? LockFile()
        let requests = try build.requests(platforms: platforms)
        let checks = try await withEngine(state) { engine in
            var checks: [SourceCheck] = []
            for request in requests {
                checks.append(try await engine.check(lock, against: request))
            }
            return checks
        }
        var problems = differences.map(\.description) + checks.flatMap(\.problems).map(\.description)
        var failures = checks.compactMap(\.failure)
        if !differences.isEmpty { failures.removeAll { ($0 as? ProjectError)?.isAboutLockedFrontends == true } }
        if prune, failures.isEmpty {
            let used = Set(checks.flatMap(\.sources))
            problems += lock.sources.keys.filter { !used.contains($0) }.sorted().map {
                "\(LockFile.fileName): \($0.familiar) is pinned, and none of these builds uses it"
            }
        }
        if problems.isEmpty, let failure = failures.first { throw failure }
        if problems.isEmpty { return }
        var said: Set<String> = []
        for line in problems + failures.map({ "\($0)" }) where said.insert(line).inserted {
            writeError("kiln: \(line)\n")
        }
        writeError("kiln.lock does not fit these builds. Run: kiln lock\(prune ? " --prune" : "")\n")
        throw ExitStatus(code: 1)
    }
}

extension ProjectError {
    /// Whether it says of a build what differs between `kiln.toml` and `kiln.lock`.
    fileprivate var isAboutLockedFrontends: Bool { [.notLocked, .lockOutdated, .noPlatform].contains(code) }
}
