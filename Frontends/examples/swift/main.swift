// SPDX-License-Identifier: Apache-2.0

// Settings of a .env file on top of an image: its variables become those of the image, and a file for programs that do not
// read their environment.
//
//     # syntax=example/env
//     BASE=alpine:3.20      what to stand on; nothing by default
//     export PORT=8080      a word before the name is fine
//     GREETING="hello, you" quotes are taken off
import FrontendKit
import LLB
import OCI

/// The variables of a file, in order.
func variables(_ text: String, file: String) throws(BuildError) -> [(name: String, value: String)] {
    var found: [(name: String, value: String)] = []
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        var rest = line.drop { $0 == " " }
        if rest.isEmpty || rest.first == "#" { continue }
        if rest.hasPrefix("export ") { rest = rest.dropFirst(7) }
        let parts = rest.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(parts[0])
        let isName = name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard parts.count == 2, isName, let first = name.first, !first.isNumber else {
            throw BuildError("\(file):\(index + 1): expected NAME=VALUE")
        }
        var value = parts[1]
        if value.count > 1, let quote = value.first, "\"'".contains(quote), value.last == quote {
            value = value.dropFirst().dropLast()
        }
        found.append((name, String(value)))
    }
    return found
}

FrontendMain.run(name: "example/env", version: "1.0.0") { session, request in
    guard let text = String(validating: request.fileContent, as: UTF8.self) else {
        throw BuildError("\(request.fileName): not UTF-8")
    }
    let all = try variables(text, file: request.fileName)
    let options = try CommonOptions(request.options)
    return try await BuildResult.build(request, options) { platform in
        var config = ImageConfig(platform: platform)
        var tree = State.scratch
        if let base = all.last(where: { $0.name == "BASE" })?.value {
            let name = try Reference(parsing: base).withDefaultTag.description
            let found = try await session.resolveImage(name, platform: platform)
            config = try ImageConfig(parsing: found.config)
            tree = try State.image(found.name, constraints: Constraints(platform: platform))
        }
        let lines = all.filter { $0.name != "BASE" }.map { "\($0.name)=\($0.value)" }
        config.config.environment += lines
        var actions = FileActions()
        actions.makeDirectory("/etc", mode: 0o755, makesParents: true)
        actions.makeFile("/etc/environment", mode: 0o644, data: Array((lines.joined(separator: "\n") + "\n").utf8))
        return .init(tree: try await session.solve(tree.file(actions)), config: config.encoded)
    }
}
