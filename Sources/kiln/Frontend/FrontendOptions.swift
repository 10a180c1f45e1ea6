// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// Where the project stands, for verbs that read or change its pins.
struct ProjectOptions: ParsableArguments {
    @Option(
        name: .customLong("project"),
        help: ArgumentHelp("A directory of the project; the nearest kiln.toml above it counts.", valueName: "dir"),
        completion: .directory
    )
    var directory = "."

    @OptionGroup var state: StateOptions

    /// The project, which must be there.
    func find() throws -> ProjectDirectory {
        guard let project = try ProjectDirectory.find(from: FilePath(directory)) else {
            throw UsageError(
                "cannot find a project: neither \(directory) nor a directory above it holds a kiln.toml; make one with kiln frontend add"
            )
        }
        return project
    }

    /// The project, which must be there and which nobody else changes as long as the value lives.
    func findToChange() throws -> ProjectDirectory {
        let project = try find()
        return try project.held { writeWaiting(for: project.root) }
    }

    /// The project's places, with what the user's own configuration adds.
    func places(
        of project: ProjectDirectory,
        isOffline: Bool = false,
        from additional: [String] = []
    ) throws -> FrontendPlaces {
        var places = try project.places(
            configuration: ProjectDirectory.userConfiguration(environment: environmentVariable),
            isOffline: isOffline
        )
        places.additional = try additional.map { try FrontendOrigin(parsing: $0, relativeTo: currentDirectory()) }
        return places
    }

    /// Does work that needs the store and perhaps a network, until it ends or the user interrupts it.
    func withService<Value: Sendable>(
        _ work: @escaping @Sendable (FrontendService) async throws -> Value
    ) async throws -> Value {
        try await runWithService(state, work)
    }
}

/// Opens the state directory for some work, and leaves it whatever comes of that.
func runWithService<Value: Sendable>(
    _ state: StateOptions,
    _ work: @escaping @Sendable (FrontendService) async throws -> Value
) async throws -> Value {
    let service = try FrontendService(stateDirectory: FilePath(state.path))
    let outcome = await Interruption.run { try await work(service) }
    await service.close()
    return try outcome.value
}

/// Says why nothing happens for a while.
func writeWaiting(for root: FilePath) { writeNotice("waiting for another kiln that changes the pins of \(root)") }

/// A line for the user that is no result.
@Sendable func writeNotice(_ line: String) { writeError(line + "\n") }

/// The directory this process stands in.
func currentDirectory() -> FilePath { FilePath(environmentVariable("PWD") ?? ".") }

/// Reads `NAME` or `NAME@CONSTRAINT`.
func parseFrontend(_ text: String) throws -> (name: FrontendName, constraint: VersionConstraint?) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    do throws(ProjectError) {
        let name = try FrontendName(parsing: String(parts[0]))
        guard parts.count > 1 else { return (name, nil) }
        return (name, try VersionConstraint(parsing: String(parts[1])))
    } catch {
        throw UsageError("cannot read the frontend \"\(text)\": \(error.message)")
    }
}

/// Reads the value of `--platform`.
func parsePlatforms(_ texts: [String]) throws -> [Platform] {
    do throws(OCIError) {
        var platforms: [Platform] = []
        for text in texts.flatMap({ $0.split(separator: ",") }) {
            platforms.append(try Platform(parsing: String(text)).normalized)
        }
        return platforms
    } catch {
        throw UsageError(error.message)
    }
}

/// What this engine offers frontends, for what is found out when a version is chosen.
func engineOffer() -> EngineOffer { EngineOffer(capabilities: Engine.frontendCapabilities) }

/// Writes the lock, unless it is the same already.
func writeLock(_ lock: LockFile, of project: ProjectDirectory) throws {
    if lock == project.lock { return }
    try ProjectDirectory.write(lock.json, to: project.root.appending(LockFile.fileName))
}

/// The changes of a lock, one a line: `acme/spec 1.4.2 → 1.5.0 sha256:5d0b…`.
func describe(_ changes: [LockChange]) -> String {
    changes.map { change in
        switch (change.old, change.new) {
        case (nil, let new?):
            "locked \(change.name) \(new.version) (\(new.platforms.keys.sorted().joined(separator: ", "))) \(new.release)\n"
        case (let old?, nil): "unlocked \(change.name) \(old.version)\n"
        case (let old?, let new?) where old.version != new.version || old.release != new.release:
            "\(change.name) \(old.version) → \(new.version) \(new.release)\n"
        case (_, let new?): "\(change.name) \(new.version): entry completed\n"
        case (nil, nil): ""
        }
    }
    .joined()
}

/// What a frontend asks for and the project does not grant, with the lines that grant it; empty when that is nothing.
func describeMissingGrant(_ name: FrontendName, _ asked: Grant, _ project: ProjectFile) -> String {
    let missing = asked.exceeding(project.grants[name] ?? .nothing)
    if missing.isEmpty { return "" }
    return "\(name) asks for \(missing.joined(separator: ", ")); to grant it, write in kiln.toml:\n"
        + asked.lines(granting: name).map { "  \($0)\n" }.joined()
}

/// The frontends that a frontend calls and that neither come with the engine nor are the project's; a line each.
func describeMissingCallees(_ name: FrontendName, _ asked: Grant, _ project: ProjectFile) -> String {
    let known = Set(project.frontends.map(\.name.text)).union(Engine.bundledFrontends.keys)
    return Set(asked.frontends).subtracting(known).sorted()
        .map {
            "\(name) calls the frontend \"\($0)\", which kiln.toml does not list; list it: kiln frontend add \($0)\n"
        }
        .joined()
}
