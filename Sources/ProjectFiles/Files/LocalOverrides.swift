// SPDX-License-Identifier: Apache-2.0

/// What one working copy uses instead: `kiln.local.toml`, never committed, never obeyed with `--locked`.
///
/// ```toml
/// version = 1
/// [override]
/// "acme/spec" = "../spec/build"
/// ```
package struct LocalOverrides: Sendable, Hashable {
    /// Directories or executables by the project's name of the frontend; relative to the file.
    package var paths: [FrontendName: String]
    /// What messages call the file.
    package let file: String

    package static let fileName = "kiln.local.toml"

    package init(paths: [FrontendName: String], file: String = fileName) {
        self.paths = paths
        self.file = file
    }

    /// - Throws: `toml`, `content` or `limit`, with line and column.
    package init(toml bytes: [UInt8], file: String = fileName) throws(ProjectError) {
        var reader = try ConfigReader(toml: bytes, file: file)
        try reader.version()
        var paths: [FrontendName: String] = [:]
        for member in try reader.members("override", countLimit: ProjectFile.entryLimit) {
            let name = try reader.frontendName(key: member)
            paths[name] = try reader.value(member.node, what: "\"\(name)\"", nonEmpty)
        }
        try reader.finish()
        self.init(paths: paths, file: file)
    }

    /// The file's text; equal overrides give equal text.
    package var toml: String {
        var text = "# Overrides of this working copy; do not commit.\nversion = 1\n"
        if !paths.isEmpty { text += "\n[override]\n" }
        for (name, path) in paths.sorted(by: { $0.key < $1.key }) {
            text += "\"\(name)\" = \(tomlString(path))\n"
        }
        return text
    }
}

/// A text as a TOML basic string.
func tomlString(_ text: String) -> String {
    // What JSON escapes, TOML escapes alike.
    jsonString(text)
}
