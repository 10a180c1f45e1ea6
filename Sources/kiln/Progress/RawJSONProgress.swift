// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import OCI

/// BuildKit's `SolveStatus` messages, one JSON object a line, as `docker buildx build --progress=rawjson` prints them.
struct RawJSONProgress: ProgressRenderer {
    func show(_ event: BuildEvent) {
        switch event {
        case .vertex(let vertex): line("vertexes", members(vertex))
        case .status(let status): line("statuses", members(status))
        case .log(let log): line("logs", members(log))
        case .warning(let warning): line("warnings", members(warning))
        }
    }

    func tick() {}
    func finish(error: (any Error)?) {}

    private func line(_ key: String, _ members: [JSONMember]) {
        writeError(JSONValue.object([JSONMember(key, .array([.object(members)]))]).encodedText + "\n")
    }

    private func members(_ vertex: VertexEvent) -> [JSONMember] {
        var members = [JSONMember("digest", .string(vertex.digest.description))]
        if !vertex.inputs.isEmpty {
            members.append(JSONMember("inputs", .strings(vertex.inputs.map(\.description))))
        }
        members.append(JSONMember("name", .string(vertex.name)))
        if let started = vertex.started { members.append(JSONMember("started", time(started))) }
        if let completed = vertex.completed { members.append(JSONMember("completed", time(completed))) }
        if vertex.cached { members.append(JSONMember("cached", .bool(true))) }
        if let error = vertex.error { members.append(JSONMember("error", .string(error))) }
        return members
    }

    private func members(_ status: StatusEvent) -> [JSONMember] {
        var members = [
            JSONMember("id", .string(status.id)),
            JSONMember("vertex", .string(status.vertex.description)),
            JSONMember("current", .integer(status.current)),
            JSONMember("timestamp", time(status.timestamp)),
        ]
        if status.total > 0 { members.append(JSONMember("total", .integer(status.total))) }
        if let started = status.started { members.append(JSONMember("started", time(started))) }
        if let completed = status.completed { members.append(JSONMember("completed", time(completed))) }
        return members
    }

    private func members(_ log: LogEvent) -> [JSONMember] {
        [
            JSONMember("vertex", .string(log.vertex.description)),
            JSONMember("stream", .integer(log.stream.rawValue)),
            JSONMember("data", .string(encodeBase64(log.bytes))),
            JSONMember("timestamp", time(log.timestamp)),
        ]
    }

    private func members(_ warning: WarningEvent) -> [JSONMember] {
        var members: [JSONMember] = []
        if let vertex = warning.vertex { members.append(JSONMember("vertex", .string(vertex.description))) }
        members.append(JSONMember("level", .integer(1)))
        members.append(JSONMember("short", encoded(warning.short)))
        if !warning.detail.isEmpty { members.append(JSONMember("detail", .array(warning.detail.map(encoded)))) }
        if let url = warning.url { members.append(JSONMember("url", .string(url))) }
        return members
    }

    /// A text as Go writes bytes.
    private func encoded(_ text: String) -> JSONValue { .string(encodeBase64(Array(text.utf8))) }

    private func time(_ moment: Timestamp) -> JSONValue { .string(moment.description) }
}
