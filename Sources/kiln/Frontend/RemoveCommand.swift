// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import FrontendStore
internal import ProjectFiles
internal import SystemPackage

struct FrontendRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Takes a frontend out of kiln.toml and kiln.lock."
    )

    @Argument(help: "The project's name of it.")
    var name: String

    @OptionGroup var options: ProjectOptions

    func run() throws {
        let name = try parseFrontend(name).name
        let project = try options.findToChange()
        defer { withExtendedLifetime(project) {} }
        let file = project.root.appending(ProjectFile.fileName)
        var edit = try ProjectFileEdit(ProjectDirectory.read(file))
        guard try edit.removeFrontend(name) else {
            throw UsageError("cannot remove \(name): \(ProjectFile.fileName) does not list it")
        }
        try ProjectDirectory.write(edit.bytes, to: file)
        if var lock = project.lock, let entry = lock.frontends.removeValue(forKey: name) {
            try writeLock(lock, of: project)
            writeOutput("unlocked \(name) \(entry.version)\n")
        }
    }
}
