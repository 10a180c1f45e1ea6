// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

struct FrontendInfoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Shows what a frontend says about itself, and what it asks for.",
        discussion: "NAME is one of the project's, or the directory of a package; with --source it need not be listed."
    )

    @Argument(help: ArgumentHelp("Such as acme/spec, acme/spec@^2 or ./my-frontend.", valueName: "name|directory"))
    var frontend: String

    @Option(help: ArgumentHelp("Where to look, instead of kiln.toml's source.", valueName: "source"))
    var source: String?

    @Flag(help: "Ask nothing over a network.")
    var offline = false

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        if frontend.hasPrefix("/") || frontend.hasPrefix("./") || frontend.hasPrefix("../") || frontend == "." {
            let path = FilePath(frontend)
            let package = try FrontendPackage(developing: path)
            writeOutput(text(package.manifest))
            writeOutput("tree:         \(try FrontendPackage.digest(of: path))\n")
            return
        }
        let (name, constraint) = try parseFrontend(frontend)
        let project = try ProjectDirectory.find(from: FilePath(options.directory))
        try await options.withService { service in
            let information: FrontendInformation
            if let source {
                var places = FrontendPlaces(root: currentDirectory(), isOffline: offline)
                places.rules = project?.project.origins ?? .none
                information = try await service.information(
                    of: name,
                    constraint ?? .any,
                    at: FrontendOrigin(parsing: source, relativeTo: currentDirectory()),
                    in: places
                )
            } else {
                guard let project, let entry = project.lock?.frontends[name] else {
                    throw UsageError("cannot show \(name): kiln.lock does not pin it; say where it is with --source")
                }
                let places = try options.places(of: project, isOffline: offline)
                information = try await service.information(name, entry, in: places)
            }
            writeOutput(text(information.manifest))
            writeOutput("release:      \(information.release.digest)\n")
            for variant in information.release.variants {
                writeOutput("tree:         \(variant.tree) (\(variant.platform))\n")
            }
            writeOutput("from:         \(information.place)\n")
            if !information.signatures.isEmpty {
                let trusted = Set(information.signers)
                let keys = information.signatures.map { trusted.contains($0) ? "\($0) (trusted)" : $0 }
                writeOutput("signed by:    \(keys.joined(separator: ", "))\n")
            }
        }
    }

    private func text(_ manifest: FrontendManifest) -> String {
        var lines = ["name:         \(manifest.name)", "version:      \(manifest.version)"]
        if let description = manifest.description { lines.append("description:  \(description)") }
        if let license = manifest.license { lines.append("license:      \(license)") }
        if let homepage = manifest.homepage { lines.append("homepage:     \(homepage)") }
        lines.append("protocol:     \(manifest.protocolText)")
        if !manifest.requires.isEmpty { lines.append("requires:     \(manifest.requires.joined(separator: ", "))") }
        let asked = manifest.permissions.exceeding(.nothing)
        lines.append("permissions:  \(asked.isEmpty ? "none" : asked.joined(separator: ", "))")
        lines.append(
            "reuse:        \(manifest.isDeterministic ? "its results are used again, once it has passed kiln frontend test" : "it runs in each build")"
        )
        if !manifest.detectFiles.isEmpty {
            lines.append("made for:     \(manifest.detectFiles.joined(separator: ", "))")
        }
        return lines.map { line in line.filter { !$0.isNewline } + "\n" }.joined()
    }
}
