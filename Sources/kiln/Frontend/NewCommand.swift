// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import LinuxSystem
internal import ProjectFiles
internal import SystemPackage

struct FrontendNewCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Makes a package with a small frontend that works.",
        discussion: """
            The package holds what it needs, the SDK included, and passes kiln frontend test as it is. Change the \
            format it reads to your own.
            """
    )

    @Option(
        name: [.customLong("lang"), .customLong("language")],
        help: ArgumentHelp("bash, c, go, node, python, rust or swift.", valueName: "language")
    )
    var language = "python"

    @Option(
        name: [.short, .customLong("directory")],
        help: ArgumentHelp("Where the package goes; default: the last part of its name.", valueName: "dir"),
        completion: .directory
    )
    var directory: String?

    @Argument(help: "The frontend's name, such as acme/hello.")
    var name: String

    func run() throws {
        let (name, directory) = (try checkedName(), try emptyDirectory())
        let files = try FrontendTemplate(language: language).write(name: name, to: directory.opened)
        writeOutput(files.map { "\(directory.path)/\($0)\n" }.joined())
        let isCompiled = files.contains("Makefile")
        writeNotice(
            """

            Try it:
              cd \(directory.path)\(isCompiled ? " && make" : "")
              kiln frontend test .
              kiln build --frontend . -f tests/Buildfile -o out .
            """
        )
    }

    private func checkedName() throws -> String {
        do throws(ProjectError) {
            let parsed = try FrontendName(parsing: name)
            if !parsed.isReserved { return parsed.text }
        } catch {
            throw UsageError("cannot name a frontend \"\(name)\": \(error.message)")
        }
        throw UsageError("cannot name a frontend \"\(name)\": names of one part are Kiln's own; try acme/\(name)")
    }

    /// The package's directory, made or found empty.
    private func emptyDirectory() throws -> (path: String, opened: Directory) {
        let path = directory ?? String(name.split(separator: "/").last ?? "frontend")
        let opened = try Directory(host: FilePath(path), createMode: 0o755)
        guard try opened.entries().isEmpty else {
            throw UsageError("cannot make a package in \(path): it holds files already")
        }
        return (path, opened)
    }
}
