// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

struct FrontendAddCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Lists a frontend in kiln.toml and pins it in kiln.lock.",
        discussion: """
            Without @CONSTRAINT the newest release is taken, and later ones that do not break. Nothing is written \
            unless a release was found that this engine can run. A frontend that is listed already is changed.
            """
    )

    @Argument(help: ArgumentHelp("Such as acme/spec@~1.4.", valueName: "name[@constraint]"))
    var frontend: String

    @Option(
        help: ArgumentHelp(
            "Where it is published: oci://REPOSITORY, https://…, layout:DIR, bundle:FILE or path:DIR.",
            valueName: "source"
        )
    )
    var source: String?

    @Option(
        name: .customLong("package"),
        help: ArgumentHelp("What its publisher calls it, if NAME is the project's own name of it.", valueName: "name")
    )
    var package: String?

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let (name, constraint) = try parseFrontend(frontend)
        let addition = try FrontendAddition(
            name,
            constraint: constraint,
            source: source,
            package: try package.map { try parseFrontend($0).name },
            to: FilePath(options.directory),
            isOffline: offline
        )
        let report = try await options.withService { try await addition.carryOut($0) }
        writeOutput(report.changes)
        writeError(report.advice)
    }
}

/// Listing a frontend in a project's `kiln.toml` and pinning it in its `kiln.lock`.
///
/// Nobody else changes the project as long as the value lives.
struct FrontendAddition: Sendable {
    /// What was done, and what is still to be done by hand; lines, perhaps none.
    typealias Report = (changes: String, advice: String)

    private let name: FrontendName
    private let constraint: VersionConstraint?
    private let source: String?
    private let package: FrontendName?
    private let root: FilePath
    private let isOffline: Bool
    private let standing: ProjectDirectory?
    private let hold: ProjectHold?

    /// - Parameters:
    ///   - constraint: `nil` takes the newest release, and later ones that do not break.
    ///   - source: `nil` takes the one that the project has for it, or the repository that its name is.
    ///   - package: What its publisher calls it, where that differs.
    ///   - directory: A directory of the project, or what is to become its root.
    init(
        _ name: FrontendName,
        constraint: VersionConstraint?,
        source: String? = nil,
        package: FrontendName? = nil,
        to directory: FilePath,
        isOffline: Bool
    ) throws {
        let root = try ProjectDirectory.find(from: directory)?.root ?? directory
        // A directory that is yet to be made is nobody else's.
        hold = try (try? Directory(host: root)).map { _ in try ProjectHold(root) { writeWaiting(for: root) } }
        standing = try ProjectDirectory.find(from: root, notAbove: root)
        self.root = root
        self.name = name
        self.constraint = constraint
        self.source = source ?? Self.knownSource(of: name, standing)
        self.package = package
        self.isOffline = isOffline
    }

    /// Finds a release that this engine can run, and writes both files.
    func carryOut(_ service: FrontendService) async throws -> Report {
        let file = root.appending(ProjectFile.fileName)
        if source == nil, !name.isReserved {
            throw UsageError("cannot add \(name): say where it is published with --source oci://…")
        }
        let text = try ProjectDirectory.read(file)

        // First with any version, to find out which there are; then with the constraint that will stand there.
        var edit = try ProjectFileEdit(text)
        try edit.setFrontend(name, version: constraint ?? .any, source: source, package: package)
        let wanted = try ProjectFile(toml: edit.bytes)
        var places = FrontendPlaces(root: root, rules: wanted.origins, isOffline: isOffline)
        let user = try ProjectDirectory.rules(
            of: ProjectDirectory.userConfiguration(environment: environmentVariable)
        )
        places.rules.mirrors += user.mirrors
        places.rules.trust += user.trust
        var request = LockRequest(offer: engineOffer())
        request.updating = [name]
        var (lock, changes) = try await service.lock(wanted, old: standing?.lock, in: places, request)
        if constraint == nil, let version = lock.frontends[name]?.version {
            let caret = try VersionConstraint(parsing: "^\(version)")
            edit = try ProjectFileEdit(text)
            try edit.setFrontend(name, version: caret, source: source, package: package)
            lock.frontends[name]?.constraint = caret.text
            changes = changes.map {
                $0.name == name ? LockChange(name: name, old: $0.old, new: lock.frontends[name]) : $0
            }
        }
        try ProjectDirectory.write(edit.bytes, to: file)
        if lock != standing?.lock ?? LockFile() {
            try ProjectDirectory.write(lock.json, to: root.appending(LockFile.fileName))
        }
        let said = try ProjectFile(toml: edit.bytes).requirement(name)
        var advice = ""
        if let asked = lock.frontends[name]?.permissions {
            advice = describeMissingGrant(name, asked, wanted) + describeMissingCallees(name, asked, wanted)
        }
        return ("\(ProjectFile.fileName): \(name) \(said?.version.text ?? "*")\n" + describe(changes), advice)
    }

    /// The source a project has for it already, or the repository that its name is.
    private static func knownSource(of name: FrontendName, _ project: ProjectDirectory?) -> String? {
        if let requirement = project?.project.requirement(name) {
            if case .source(let source) = requirement.origin { return source }
            return nil
        }
        let first = name.text.prefix { $0 != "/" }
        return first.contains(".") || first.contains(":") ? "oci://\(name)" : nil
    }
}
