// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import OCI

extension DockerfileConversion {
    /// The label of a stage's next step: `[linux/amd64 build 2/7] RUN make`.
    func stepName(
        _ text: String,
        _ stage: StageState,
        platform: Platform?,
        environment: EnvironmentList?
    ) -> String {
        guard stage.stepCount > 0 else { return text }
        var label = "["
        if options.isMultiPlatform, let platform {
            label += platform.identifier + crossTarget(of: platform, environment) + " "
        }
        if !stage.displayName.isEmpty { label += stage.displayName + " " }
        stage.stepIndex += 1
        let index = "\(stage.stepIndex)"
        let padding = String(
            repeating: " ",
            count: max(0, "\(stage.stepCount)".count - index.count)
        )
        label += padding + "\(index)/\(stage.stepCount)] "
        return label + (stage.isInOnBuild ? "ONBUILD " : "") + text
    }

    /// An instruction's text with its variables replaced and its keyword in capitals; the text itself when that fails.
    ///
    /// - Throws: `tooLarge`, which is an error anywhere.
    func label(
        _ text: String,
        expander: Expander,
        _ variables: some VariableLookup
    ) throws(DockerfileError) -> String {
        let expanded: String
        do {
            expanded = try expansion(of: text, expander, variables).text
        } catch {
            if error.code == .tooLarge { throw error }
            expanded = text
        }
        budget.charge(bytes: expanded.utf8.count)
        guard let blank = expanded.firstIndex(of: " ") else { return expanded.uppercased() }
        return expanded[..<blank].uppercased() + expanded[blank...]
    }

    /// `->arm64` when the environment says that something else is built than what steps run on.
    private func crossTarget(of base: Platform, _ environment: EnvironmentList?) -> String {
        guard let environment, let wanted = statedTarget(environment) else { return "" }
        var target = wanted
        if target.os.isEmpty { target.os = base.os }
        if target.architecture.isEmpty { target.architecture = base.architecture }
        target = target.normalized
        if target.os != base.os { return "->" + target.identifier }
        guard target.architecture != base.architecture else { return "" }
        return "->" + target.architecture + (target.variant.map { "/" + $0 } ?? "")
    }

    private func statedTarget(_ environment: EnvironmentList) -> Platform? {
        var platform: Platform?
        for name in environment.names {
            let value = environment[name] ?? ""
            switch name {
            case "TARGETPLATFORM":
                if let stated = try? Platform(parsing: value) { return stated }
            case "TARGETOS", "TARGETARCH", "TARGETVARIANT":
                var stated = platform ?? Platform(os: "", architecture: "")
                if name == "TARGETOS" { stated.os = value }
                if name == "TARGETARCH" { stated.architecture = value }
                if name == "TARGETVARIANT" { stated.variant = value.isEmpty ? nil : value }
                platform = stated
            default: break
            }
        }
        return platform
    }
}
