// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import FrontendKit
internal import LLB
internal import OCI

extension DockerfileBuild {
    /// Answers something other than a build.
    ///
    /// `name` is the value of the option `requestid`.
    func answer(_ name: String, _ options: DockerfileOptions) async throws -> BuildResult {
        guard let subrequest = Subrequest(rawValue: name) else {
            let known = Subrequest.allCases.map(\.rawValue).joined(separator: ", ")
            throw BuildError("unknown request \"\(name)\"; this frontend knows \(known)")
        }
        switch subrequest {
        case .describe:
            let description = Subrequest.description
            return result(subrequest, description.json, text: description.text)
        case .targets:
            let targets = try await targetList(options)
            return result(subrequest, targets.json, text: targets.text)
        case .outline:
            let outline = try await converted(options).outline
            return result(subrequest, outline.json, text: outline.text)
        case .lint:
            let report = try await LintReport(
                try conversionInput(options, options.targetPlatforms.first),
                context: answers
            )
            var lint = result(subrequest, report.json, text: report.text)
            lint.metadata["result.statuscode"] = Array((report.isClean ? "0" : "1").utf8)
            return lint
        case .convertLLB:
            let definition = try await converted(options).definition()
            return result(subrequest, try definition.json(), text: nil)
        }
    }

    private func result(_ subrequest: Subrequest, _ json: JSONValue, text: String?) -> BuildResult {
        var result = BuildResult(platforms: [])
        result.metadata["result.json"] = Array(json.encodedPretty().utf8)
        if let text { result.metadata["result.txt"] = Array(text.utf8) }
        result.metadata["version"] = Array(subrequest.version.utf8)
        return result
    }
}
