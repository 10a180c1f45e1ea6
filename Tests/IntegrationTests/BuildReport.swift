// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import OCI
import Testing

/// What `--progress rawjson` told about a build.
struct BuildReport: Sendable {
    struct Step: Sendable {
        var name = ""
        var isCached = false
        var error = ""
        /// Times as they stand in the report; RFC 3339 in UTC, so they compare as text when equally long.
        var started: String?
        var completed: String?
        var log = ""
    }

    /// Steps by digest.
    private(set) var steps: [String: Step] = [:]
    /// Names of the lint rules that warned.
    private(set) var warnings: [String] = []
    /// Lines that are no JSON: what kiln itself said.
    private(set) var message = ""

    init(_ error: String) throws {
        for line in error.split(separator: "\n", omittingEmptySubsequences: false) {
            guard line.hasPrefix("{") else {
                message += line + "\n"
                continue
            }
            let status = try JSONValue(parsing: String(line))
            for vertex in status["vertexes"]?.elements ?? [] {
                let digest = vertex["digest"]?.text ?? ""
                var step = steps[digest] ?? Step()
                step.name = vertex["name"]?.text ?? step.name
                step.isCached = step.isCached || vertex["cached"]?.truth == true
                step.error = vertex["error"]?.text ?? step.error
                step.started = vertex["started"]?.text ?? step.started
                step.completed = vertex["completed"]?.text ?? step.completed
                steps[digest] = step
            }
            for log in status["logs"]?.elements ?? [] {
                let bytes = Data(base64Encoded: log["data"]?.text ?? "") ?? Data()
                steps[log["vertex"]?.text ?? "", default: Step()].log += String(
                    decoding: bytes,
                    as: UTF8.self
                )
            }
            for warning in status["warnings"]?.elements ?? [] {
                let short = Data(base64Encoded: warning["short"]?.text ?? "") ?? Data()
                let text = String(decoding: short, as: UTF8.self)
                warnings.append(String(text.prefix { $0 != ":" }))
            }
        }
    }

    /// The only step whose name holds a text.
    func step(_ text: String, at location: SourceLocation = #_sourceLocation) throws -> Step {
        let found = steps.values.filter { $0.name.contains(text) }
        try #require(
            found.count == 1,
            "steps with \"\(text)\": \(found.map(\.name)) of \(steps.values.map(\.name).sorted())",
            sourceLocation: location
        )
        return found[0]
    }

    /// Names of the steps that ran, without those that are cached or never started.
    var executed: [String] {
        steps.values.filter { $0.started != nil && !$0.isCached }.map(\.name).sorted()
    }
}
