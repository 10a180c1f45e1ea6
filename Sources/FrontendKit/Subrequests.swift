// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import OCI

/// The questions of BuildKit's clients, asked by the option `requestid` of a build.
private enum Subrequest: String, CaseIterable {
    case describe = "frontend.subrequests.describe"
    case outline = "frontend.outline"
    case targets = "frontend.targets"
    case lint = "frontend.lint"
    case convert = "frontend.convertllb"

    /// Version of the answer's form.
    var version: String { self == .convert ? "0.1.0" : "1.0.0" }

    var summary: String {
        switch self {
        case .describe: "List available subrequest types"
        case .outline: "List all parameters current build target supports"
        case .targets: "List all targets current build supports"
        case .lint: "Lint the build file"
        case .convert: "Convert the build file to LLB"
        }
    }
}

extension FrontendQuestions {
    /// Answers a build that is a question.
    ///
    /// - Returns: `nil` for a build, and where nobody offers to answer.
    /// - Throws: ``BuildError`` for a question nobody knows.
    func subrequestAnswer(_ session: FrontendSession, _ request: BuildRequest) async throws -> BuildResult? {
        guard answersSubrequests, !methods.isEmpty, let name = request.options["requestid"], !name.isEmpty else {
            return nil
        }
        let file = SourceText(name: request.fileName, bytes: request.fileContent)
        switch Subrequest(rawValue: name) {
        case .describe: return result(.describe, json: description, text: descriptionText)
        case .targets:
            guard let answer = try await targets?(session, request) else { break }
            return result(.targets, json: answer.subrequestJSON(file), text: answer.text)
        case .outline:
            guard let answer = try await outline?(session, request) else { break }
            return result(.outline, json: answer.subrequestJSON(file), text: answer.text)
        case .lint:
            guard let answer = try await lint?(session, request) else { break }
            var lint = result(.lint, json: answer.subrequestJSON(file), text: answer.text(file))
            lint.metadata["result.statuscode"] = Array((answer.isClean ? "0" : "1").utf8)
            return lint
        case .convert:
            guard let convert else { break }
            let definition = try await convert(session, request) ?? .scratch
            return result(.convert, json: try definition.json(), text: nil)
        case nil: break
        }
        let known = offered.map(\.rawValue).joined(separator: ", ")
        throw BuildError("unknown request \"\(name)\"; this frontend knows \(known)")
    }

    private var offered: [Subrequest] {
        Subrequest.allCases.filter { request in
            switch request {
            case .describe: true
            case .targets: targets != nil
            case .outline: outline != nil
            case .lint: lint != nil
            case .convert: convert != nil
            }
        }
    }

    private var description: JSONValue {
        .array(
            offered.map { request in
                .object([
                    JSONMember("name", .string(request.rawValue)), JSONMember("version", .string(request.version)),
                    JSONMember("type", .string("rpc")), JSONMember("description", .string(request.summary)),
                    JSONMember("opts", .array([])), JSONMember("inputs", .null),
                    JSONMember("metadata", .array([.object([JSONMember("name", .string("result.json"))])])),
                    JSONMember("refs", .null),
                ])
            }
        )
    }

    private var descriptionText: String {
        let rows = offered.map { [String($0.rawValue.dropFirst("frontend.".count)), $0.version, $0.summary] }
        return aligned([["NAME", "VERSION", "DESCRIPTION"]] + rows)
    }

    private func result(_ request: Subrequest, json: JSONValue, text: String?) -> BuildResult {
        var result = BuildResult(platforms: [])
        result.metadata["result.json"] = Array(json.encodedPretty().utf8)
        if let text { result.metadata["result.txt"] = Array(text.utf8) }
        result.metadata["version"] = Array(request.version.utf8)
        return result
    }
}
