// SPDX-License-Identifier: Apache-2.0

internal import Engine
internal import OCI

/// BuildKit's `SolveStatus` messages, one JSON object a line, as `docker buildx build --progress=rawjson` prints them.
struct RawJSONProgress: ProgressRenderer {
    func show(_ event: BuildEvent) {
        switch event {
        case .vertex(let vertex): line("vertexes", object(vertex))
        case .status(let status): line("statuses", object(status))
        case .log(let log): line("logs", object(log))
        case .warning(let warning): line("warnings", object(warning))
        }
    }

    func tick() {}
    func finish(error: (any Error)?) {}

    private func line(_ key: String, _ object: String) { writeError("{\"\(key)\":[\(object)]}\n") }

    private func object(_ vertex: VertexEvent) -> String {
        var fields = ["\"digest\":\(jsonString(vertex.digest.description))"]
        if !vertex.inputs.isEmpty {
            let inputs = vertex.inputs.map { jsonString($0.description) }
            fields.append("\"inputs\":[\(inputs.joined(separator: ","))]")
        }
        fields.append("\"name\":\(jsonString(vertex.name))")
        if let started = vertex.started { fields.append("\"started\":\(time(started))") }
        if let completed = vertex.completed { fields.append("\"completed\":\(time(completed))") }
        if vertex.cached { fields.append("\"cached\":true") }
        if let error = vertex.error { fields.append("\"error\":\(jsonString(error))") }
        return "{\(fields.joined(separator: ","))}"
    }

    private func object(_ status: StatusEvent) -> String {
        var fields = [
            "\"id\":\(jsonString(status.id))",
            "\"vertex\":\(jsonString(status.vertex.description))", "\"current\":\(status.current)",
            "\"timestamp\":\(time(status.timestamp))",
        ]
        if status.total > 0 { fields.append("\"total\":\(status.total)") }
        if let started = status.started { fields.append("\"started\":\(time(started))") }
        if let completed = status.completed { fields.append("\"completed\":\(time(completed))") }
        return "{\(fields.joined(separator: ","))}"
    }

    private func object(_ log: LogEvent) -> String {
        "{\"vertex\":\(jsonString(log.vertex.description)),\"stream\":\(log.stream.rawValue),"
            + "\"data\":\"\(encodeBase64(log.bytes))\",\"timestamp\":\(time(log.timestamp))}"
    }

    private func object(_ warning: WarningEvent) -> String {
        var fields = ["\"level\":1", "\"short\":\"\(encodeBase64(Array(warning.short.utf8)))\""]
        if let vertex = warning.vertex {
            fields.insert("\"vertex\":\(jsonString(vertex.description))", at: 0)
        }
        if !warning.detail.isEmpty {
            let detail = warning.detail.map { "\"\(encodeBase64(Array($0.utf8)))\"" }
            fields.append("\"detail\":[\(detail.joined(separator: ","))]")
        }
        if let url = warning.url { fields.append("\"url\":\(jsonString(url))") }
        return "{\(fields.joined(separator: ","))}"
    }

    private func time(_ moment: Timestamp) -> String { "\"\(moment)\"" }
}
