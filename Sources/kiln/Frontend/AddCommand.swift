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
        let package = try package.map { try parseFrontend($0).name }
        let found = try ProjectDirectory.find(from: FilePath(options.directory))
        let root = found?.root ?? FilePath(options.directory)
        // A directory that is yet to be made is nobody else's.
        let hold = try (try? Directory(host: root)).map { _ in try ProjectHold(root) { writeWaiting(for: root) } }
        defer { withExtendedLifetime(hold) {} }
        let standing = try ProjectDirectory.find(from: root, notAbove: root)
        let file = root.appending(ProjectFile.fileName)
        let source = source ?? Self.knownSource(of: name, standing)
        if source == nil, !name.isReserved {
            throw UsageError("cannot add \(name): say where it is published with --source oci://…")
        }
        let text = try ProjectDirectory.read(file)

        // First with any version, to find out which there are; then with the constraint that will stand there.
        var edit = try ProjectFileEdit(text)
        try edit.setFrontend(name, version: constraint ?? .any, source: source, package: package)
        let wanted = try ProjectFile(toml: edit.bytes)
        let draft = edit
        try await options.withService { service in
            var places = FrontendPlaces(root: root, rules: wanted.origins, isOffline: offline)
            let user = try ProjectDirectory.rules(
                of: ProjectDirectory.userConfiguration(environment: environmentVariable)
            )
            places.rules.mirrors += user.mirrors
            places.rules.trust += user.trust
            var request = LockRequest(offer: engineOffer())
            request.updating = [name]
            var (lock, changes) = try await service.lock(wanted, old: standing?.lock, in: places, request)
            var edit = draft
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
            writeOutput("\(ProjectFile.fileName): \(name) \(said?.version.text ?? "*")\n" + describe(changes))
            if let asked = lock.frontends[name]?.permissions {
                writeError(describeMissingGrant(name, asked, wanted) + describeMissingCallees(name, asked, wanted))
            }
        }
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
