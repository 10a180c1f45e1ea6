// SPDX-License-Identifier: Apache-2.0

/// What a Dockerfile may use beyond what BuildKit reads: nothing, unless it or its user asks.
///
/// A file asks with a comment line `# kiln=include,from-variables,ignore-file=PATH` among the comments it begins with, which to
/// BuildKit is a comment like any other.
package struct Extensions: Sendable, Hashable {
    /// `include`: INCLUDE puts another file's instructions in its place.
    package var includesFiles = false
    /// `from-variables`: `--from` of COPY and `from` of a mount may hold variables.
    package var expandsOrigins = false
    /// `ignore-file=PATH`, any number of times: more ignore files, by their paths in the build context.
    package var ignoreFiles: [String] = []

    /// The build argument that asks for extensions as the directive does.
    package static let buildArgument = "KILN_DOCKERFILE_EXTENSIONS"

    private static let names = ["include", "from-variables", "ignore-file"]

    package init() {}

    /// Reads a list as it stands behind `# kiln=`.
    ///
    /// - Throws: `badDirective` for a name that is no extension's, or a path that is missing.
    package init(parsing text: String) throws(DockerfileError) {
        for part in text.utf8.split(separator: UInt8(ascii: ",")) {
            let word = trimmingWhiteSpace(String(Substring(part)))
            let assignment = cut(word, at: "=")
            let name = trimmingWhiteSpace(assignment?.before ?? word)
            switch (name, assignment.map { trimmingWhiteSpace($0.after) }) {
            case ("include", nil): includesFiles = true
            case ("from-variables", nil): expandsOrigins = true
            case ("ignore-file", let path?) where !path.isEmpty: ignoreFiles.append(path)
            case ("ignore-file", _):
                throw DockerfileError(.badDirective, "extension ignore-file lacks a path; write ignore-file=PATH")
            case ("include", _), ("from-variables", _):
                throw DockerfileError(.badDirective, "extension \(name) takes no value")
            case ("", nil): continue
            default:
                throw DockerfileError(
                    .badDirective,
                    "unknown extension \(excerpt(name)); there are \(Self.names.joined(separator: ", "))",
                    suggestion: nearestWord(to: name, among: Self.names)
                )
            }
        }
    }

    /// Reads the directive of a file, if one of the comment lines it begins with is one.
    package init(directiveOf source: [UInt8]) throws(DockerfileError) {
        var start = byteOrderMarkLength(source)
        var line = 0
        var found = false
        while start < source.count {
            let end = source[start...].firstIndex(of: .lineFeed) ?? source.count
            line += 1
            let content = source.trimming(start..<end)
            guard !content.isEmpty, source[content.lowerBound] == UInt8(ascii: "#") else { return }
            start = end + 1
            guard let (name, value) = cut(source.text(content.lowerBound + 1..<content.upperBound), at: "="),
                trimmingWhiteSpace(name) == "kiln"
            else { continue }
            do throws(DockerfileError) {
                guard !found else {
                    throw DockerfileError(.badDirective, "only one kiln directive can be used")
                }
                found = true
                self = try Extensions(parsing: value)
            } catch {
                throw error.located(range: nil, lines: line...line)
            }
        }
    }

    /// These extensions and others.
    package func adding(_ other: Extensions) -> Extensions {
        var sum = self
        sum.includesFiles = includesFiles || other.includesFiles
        sum.expandsOrigins = expandsOrigins || other.expandsOrigins
        sum.ignoreFiles += other.ignoreFiles.filter { !ignoreFiles.contains($0) }
        return sum
    }
}
