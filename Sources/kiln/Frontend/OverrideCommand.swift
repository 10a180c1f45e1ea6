// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

struct FrontendOverrideCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "override",
        abstract: "Lets this working copy use a directory or executable instead of a frontend.",
        discussion: """
            Written to kiln.local.toml, which is not for committing; --locked refuses to build with it. Paths count \
            from the project's root.
            """
    )

    @Argument(help: ArgumentHelp("With --clear, a name alone.", valueName: "name=path"))
    var override: String?

    @Flag(help: "Remove the override of NAME, or all of them.")
    var clear = false

    @OptionGroup var options: ProjectOptions

    func run() throws {
        let project = try options.findToChange()
        defer { withExtendedLifetime(project) {} }
        let file = project.root.appending(LocalOverrides.fileName)
        var overrides = project.overrides ?? LocalOverrides(paths: [:])
        if clear {
            if let override {
                let name = try parseFrontend(override).name
                guard overrides.paths.removeValue(forKey: name) != nil else {
                    throw UsageError("cannot clear the override of \(name): there is none")
                }
            } else {
                overrides.paths = [:]
            }
        } else {
            guard let override, case (let key, let value?) = keyAndValue(override), !value.isEmpty else {
                throw UsageError("cannot read the override: expected NAME=PATH, or --clear")
            }
            let name = try parseFrontend(key).name
            guard project.project.requirement(name) != nil || name.isReserved else {
                throw UsageError("cannot override \(name): \(ProjectFile.fileName) does not list it")
            }
            let path = FilePath(value)
            let target = currentDirectory().pushing(path).lexicallyNormalized()
            var inside = target
            let isInside = inside.removePrefix(project.root)
            overrides.paths[name] = isInside && path.isRelative ? "./" + inside.string : target.string
        }
        if overrides.paths.isEmpty {
            guard try ProjectDirectory.read(file) != nil else { return }
            try Directory(host: project.root).remove(name: LocalOverrides.fileName)
            return
        }
        try ProjectDirectory.write(Array(overrides.toml.utf8), to: file)
        for (name, path) in overrides.paths.sorted(by: { $0.key < $1.key }) { writeOutput("\(name) = \(path)\n") }
    }
}
