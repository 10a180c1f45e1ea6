// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
internal import Engine
internal import FrontendStore
internal import LinuxSystem
internal import OCI
internal import ProjectFiles
internal import SystemPackage

struct FrontendListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Shows the frontends of the project, or of the store."
    )

    @Flag(help: "What the store holds, of all projects.")
    var store = false

    @OptionGroup var options: ProjectOptions

    func run() async throws {
        let project = store ? nil : try ProjectDirectory.find(from: FilePath(options.directory))
        try await options.withService { service in
            let stored = try await blocking { try service.store.list() }
            writeOutput(textTable(project.map { rows($0, stored) } ?? rows(stored)))
        }
    }

    private func rows(_ project: ProjectDirectory, _ stored: [StoredFrontend]) -> [[String]] {
        let trees = Set(stored.map(\.tree))
        var rows = [["NAME", "CONSTRAINT", "VERSION", "STATE", "SOURCE"]]
        for requirement in project.project.frontends.sorted(by: { $0.name < $1.name }) {
            let entry = project.lock?.frontends[requirement.name]
            let version: String
            let state: String
            let source: String
            switch requirement.origin {
            case .bundled:
                (version, state) = (Engine.bundledFrontends[requirement.name.text] ?? "-", "bundled")
                source = "-"
            case .path(let path):
                (version, state, source) = ("-", "in the project", "path:\(path)")
            case .source(let text):
                version = entry?.version.description ?? "-"
                source = text
                if let entry {
                    state =
                        switch entry.tree(for: .host) {
                        case nil: "not for this platform"
                        case let tree? where trees.contains(tree): "installed"
                        default: "locked"
                        }
                } else {
                    state = "not locked"
                }
            }
            let overridden = project.overrides?.paths[requirement.name].map { "overridden by \($0)" }
            rows.append([requirement.name.text, requirement.version.text, version, overridden ?? state, source])
        }
        let listed = Set(project.project.frontends.map(\.name.text))
        for (name, version) in Engine.bundledFrontends.sorted(by: { $0.key < $1.key }) where !listed.contains(name) {
            rows.append([name, "*", version, "bundled", "-"])
        }
        return rows
    }

    private func rows(_ stored: [StoredFrontend]) -> [[String]] {
        [["NAME", "VERSION", "SIZE", "TREE"]]
            + stored.map { frontend in
                [
                    frontend.manifest?.name.text ?? "(unreadable)", frontend.manifest?.version.description ?? "-",
                    readableByteCount(frontend.byteCount), frontend.tree.description,
                ]
            }
    }
}

/// Rows with their columns aligned.
func textTable(_ rows: [[String]]) -> String {
    let widths = (rows.first?.indices ?? 0..<0).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
        var line = zip(row, widths)
            .map { $0 + String(repeating: " ", count: $1 - $0.count) }
            .joined(separator: "   ")
        while line.last == " " { line.removeLast() }
        return line + "\n"
    }
    .joined()
}
