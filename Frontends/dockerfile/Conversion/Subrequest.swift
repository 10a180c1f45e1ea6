// SPDX-License-Identifier: Apache-2.0

package import OCI

/// What a Dockerfile frontend can be asked besides a build: the option `requestid`.
package enum Subrequest: String, CaseIterable, Sendable {
    case describe = "frontend.subrequests.describe"
    case outline = "frontend.outline"
    case targets = "frontend.targets"
    case lint = "frontend.lint"
    case convertLLB = "frontend.convertllb"

    /// The version of the answer's form.
    package var version: String { self == .convertLLB ? "0.1.0" : "1.0.0" }

    private var summary: String {
        switch self {
        case .describe: "List available subrequest types"
        case .outline: "List all parameters current build target supports"
        case .targets: "List all targets current build supports"
        case .lint: "Lint a Dockerfile"
        case .convertLLB: "Convert Dockerfile to LLB"
        }
    }

    /// The answer to `frontend.subrequests.describe`, as JSON and for people.
    package static var description: (json: JSONValue, text: String) {
        let known = allCases
        let json = JSONValue.array(known.map(\.descriptionJSON))
        let rows = known.map { request in
            let name = request.rawValue
            return [String(name.dropFirst("frontend.".count)), request.version, request.summary]
        }
        return (json, aligned([["NAME", "VERSION", "DESCRIPTION"]] + rows, padding: 1))
    }

    private var descriptionJSON: JSONValue {
        func named(_ name: String, _ description: String = "") -> JSONValue {
            .object([
                JSONMember("name", .string(name)), JSONMember("description", .string(description)),
            ])
        }
        let options = self == .outline ? [named("target", "Target build stage")] : []
        var results = [named("result.json")]
        if self != .convertLLB { results.append(named("result.txt")) }
        if self == .lint { results.append(named("result.statuscode")) }
        return .object([
            JSONMember("name", .string(rawValue)),
            JSONMember("version", .string(version)),
            JSONMember("type", .string("rpc")),
            JSONMember("description", .string(summary)),
            JSONMember("opts", .array(options)),
            JSONMember("inputs", .null),
            JSONMember("metadata", .array(results)),
            JSONMember("refs", .null),
        ])
    }
}
