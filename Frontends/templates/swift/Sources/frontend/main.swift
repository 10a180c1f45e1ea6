// SPDX-License-Identifier: Apache-2.0
// Each line "PATH TEXT" of the build file becomes a file of the image. Make it your own format.
import FrontendKit
import LLB
import OCI

FrontendMain.run(name: "{{NAME}}", version: "0.1.0") { session, request in
    guard let content = String(validating: request.fileContent, as: UTF8.self) else {
        throw BuildError("\(request.fileName): not UTF-8")
    }
    var actions = FileActions()
    for (index, line) in content.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
        let parts = line.split(separator: " ", maxSplits: 1)
        guard let path = parts.first, !path.hasPrefix("#") else { continue }
        guard path.hasPrefix("/"), let slash = path.lastIndex(of: "/"), path.count > 1 else {
            throw BuildError("\(request.fileName):\(index + 1): expected an absolute path and a text")
        }
        let text = (parts.count > 1 ? String(parts[1]) : "") + "\n"
        if slash > path.startIndex {
            actions.makeDirectory(String(path[..<slash]), mode: 0o755, makesParents: true)
        }
        actions.makeFile(String(path), mode: 0o644, data: Array(text.utf8))
    }
    let platform = request.workerPlatform
    var config = ImageConfig(platform: platform)
    config.config.command = ["sh"]
    let tree = try await session.solve(State.scratch.file(actions, constraints: Constraints(name: "write files")))
    return BuildResult(platform: platform, tree: tree, config: config.encoded)
}
