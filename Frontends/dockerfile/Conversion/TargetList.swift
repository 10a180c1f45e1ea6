// SPDX-License-Identifier: Apache-2.0

package import DockerfileSyntax
internal import LLB
package import OCI

/// The stages of a Dockerfile, for those who choose among them.
package struct TargetList: Sendable {
    package let stages: [Stage]
    /// Where the lines of stages are counted.
    package let files: SourceFiles

    /// Reads a Dockerfile with all it includes; its base images are not looked at.
    package init(reading conversion: DockerfileConversion) async throws {
        stages = try await conversion.readDockerfile().stages
        files = conversion.files
    }

    /// Reads a Dockerfile that includes no other.
    package init(parsing source: [UInt8], file: String) throws(DockerfileError) {
        var linter = Linter()
        stages = try Dockerfile(parsing: source, file: file, linter: &linter).stages
        files = SourceFiles(SourceFile(filename: file, language: "Dockerfile", data: source))
    }

    /// The answer to the subrequest `frontend.targets`.
    package var json: JSONValue {
        .object([
            JSONMember("targets", .array(stages.indices.map(targetJSON))),
            JSONMember("sources", sourcesJSON(files)),
        ])
    }

    private func targetJSON(_ index: Int) -> JSONValue {
        let stage = stages[index]
        var members: [JSONMember] = []
        func add(_ name: String, _ value: String) {
            if !value.isEmpty { members.append(JSONMember(name, .string(value))) }
        }
        add("name", stage.name)
        if index == stages.count - 1 { members.append(JSONMember("default", .bool(true))) }
        add("description", stage.description)
        add("base", stage.base.text)
        add("platform", stage.platform)
        members.append(JSONMember("location", locationJSON(stage.lines, files)))
        return .object(members)
    }

    /// The same for people.
    package var text: String {
        let rows = stages.indices.map { index in
            let stage = stages[index]
            let isDefault = index == stages.count - 1
            let name = stage.name.isEmpty ? "" : stage.name
            let shown = isDefault ? (name.isEmpty ? "(default)" : name + " (default)") : name
            return [shown, stage.description]
        }
        return aligned([["TARGET", "DESCRIPTION"]] + rows, padding: 1)
    }
}
