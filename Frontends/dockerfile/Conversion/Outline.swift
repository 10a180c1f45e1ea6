// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
package import OCI

/// What a stage can be given: collected while it is converted.
struct OutlineCapture {
    struct Argument {
        var name: String
        var value = ""
        var description: String
        /// Global arguments its default value uses.
        var dependencies: Set<String> = []
        var lines: ClosedRange<Int>
    }

    /// A secret or an agent.
    struct Need {
        var isRequired: Bool
        var lines: ClosedRange<Int>
    }

    var arguments: [String: Argument] = [:]
    var used: Set<String> = []
    var secrets: [String: Need] = [:]
    var sockets: [String: Need] = [:]

    /// Names of the arguments that are used, directly or by the default of another.
    var allUsed: Set<String> {
        var found: Set<String> = []
        var waiting = Array(used)
        while let name = waiting.popLast() {
            guard found.insert(name).inserted else { continue }
            waiting += arguments[name]?.dependencies ?? []
        }
        return found
    }
}

/// What one target of a Dockerfile can be given: arguments, secrets, agents.
package struct DockerfileOutline: Sendable {
    /// One thing it can be given.
    package struct Entry: Sendable {
        package var name: String
        package var value = ""
        package var description = ""
        package var isRequired = false
        package var lines: ClosedRange<Int>
    }

    package private(set) var name: String
    package private(set) var description: String
    package private(set) var arguments: [Entry] = []
    package private(set) var secrets: [Entry] = []
    package private(set) var sockets: [Entry] = []
    /// Where the lines of entries are counted.
    package let files: SourceFiles

    /// Collects what a stage and all it needs have captured.
    init(of target: StageState, files: SourceFiles) {
        name = target.givenName
        description = target.description
        self.files = files
        var known: Set<String> = []
        for stage in DockerfileOutline.inOrder(target) {
            for name in stage.outline.allUsed.sorted() {
                guard let argument = stage.outline.arguments[name], known.insert(argument.name).inserted
                else { continue }
                arguments.append(
                    Entry(
                        name: argument.name,
                        value: argument.value,
                        description: argument.description,
                        lines: argument.lines
                    )
                )
            }
            DockerfileOutline.add(stage.outline.secrets, to: &secrets)
            DockerfileOutline.add(stage.outline.sockets, to: &sockets)
        }
        for path in [\Self.arguments, \Self.secrets, \Self.sockets] {
            self[keyPath: path].sort {
                ($0.lines.lowerBound, $0.name) < ($1.lines.lowerBound, $1.name)
            }
        }
    }

    /// A stage, then what it starts from, then what it copies from: the first to name something is believed.
    private static func inOrder(_ target: StageState) -> [StageState] {
        var found: [StageState] = []
        var seen: Set<ObjectIdentifier> = []
        var waiting = [target]
        while let stage = waiting.popLast() {
            guard seen.insert(ObjectIdentifier(stage)).inserted else { continue }
            found.append(stage)
            waiting += stage.dependencies.map(\.stage).reversed()
            if let base = stage.base { waiting.append(base) }
        }
        return found
    }

    private static func add(_ needs: [String: OutlineCapture.Need], to entries: inout [Entry]) {
        for (name, need) in needs.sorted(by: { $0.key < $1.key })
        where !entries.contains(where: { $0.name == name }) {
            entries.append(Entry(name: name, isRequired: need.isRequired, lines: need.lines))
        }
    }

    /// The answer to the subrequest `frontend.outline`.
    package var json: JSONValue {
        var members: [JSONMember] = []
        if !name.isEmpty { members.append(JSONMember("name", .string(name))) }
        if !description.isEmpty { members.append(JSONMember("description", .string(description))) }
        if !arguments.isEmpty { members.append(JSONMember("args", .array(arguments.map { $0.json(files) }))) }
        if !secrets.isEmpty { members.append(JSONMember("secrets", .array(secrets.map { $0.json(files) }))) }
        if !sockets.isEmpty { members.append(JSONMember("ssh", .array(sockets.map { $0.json(files) }))) }
        members.append(JSONMember("sources", sourcesJSON(files)))
        return .object(members)
    }

    /// The same for people.
    package var text: String {
        var text = ""
        if !name.isEmpty || !description.isEmpty {
            var rows = [["TARGET:", name.isEmpty ? "(default)" : name]]
            if !description.isEmpty { rows.append(["DESCRIPTION:", description]) }
            text += aligned(rows, padding: 1) + "\n"
        }
        if !arguments.isEmpty {
            let rows = arguments.map { [$0.name, $0.value, $0.description] }
            text += aligned([["BUILD ARG", "VALUE", "DESCRIPTION"]] + rows, padding: 3) + "\n"
        }
        for (title, entries) in [("SECRET", secrets), ("SSH", sockets)] where !entries.isEmpty {
            let rows = entries.map { [$0.name, $0.isRequired ? "true" : ""] }
            text += aligned([[title, "REQUIRED"]] + rows, padding: 3) + "\n"
        }
        return text
    }
}

extension DockerfileOutline.Entry {
    fileprivate func json(_ files: SourceFiles) -> JSONValue {
        var members = [JSONMember("name", .string(name))]
        if !description.isEmpty { members.append(JSONMember("description", .string(description))) }
        if !value.isEmpty { members.append(JSONMember("value", .string(value))) }
        if isRequired { members.append(JSONMember("required", .bool(true))) }
        members.append(JSONMember("location", locationJSON(lines, files)))
        return .object(members)
    }
}
