// SPDX-License-Identifier: Apache-2.0

internal import FrontendKit
package import FrontendProtocol
internal import OCI

/// A rule of the linter.
package enum LintRule: String, CaseIterable, Sendable {
    case unusedVariable = "UnusedVariable"
    case unusedStage = "UnusedStage"
    case unpinnedImage = "UnpinnedImage"
    case packageManagerInRun = "PackageManagerInRun"
    case variableInScript = "VariableInScript"
    case secretInEnvironment = "SecretInEnvironment"
    case wholeContext = "WholeContext"
    case downloadWithoutChecksum = "DownloadWithoutChecksum"
    case rootUser = "RootUser"
    case undeclaredArgument = "UndeclaredArgument"

    /// What the rule is about, in one line.
    package var summary: String {
        switch self {
        case .unusedVariable: "a variable that nothing uses is a leftover, or misspelt where it should be used"
        case .unusedStage: "a stage that no image needs is never built"
        case .unpinnedImage: "an image without tag or digest is another one next month"
        case .packageManagerInRun: "packages: keeps caches out of the image and its lists fresh; a script does not"
        case .variableInScript: "scripts are handed to the shell as they are; give them the variable by env:"
        case .secretInEnvironment: "everybody who has the image can read its environment; use secrets:"
        case .wholeContext: "any change to the context runs this again; name what is needed"
        case .downloadWithoutChecksum: "what a download brings is only known with its checksum"
        case .rootUser: "a container that need not be root should not be"
        case .undeclaredArgument: "a build argument that no variable takes has no effect"
        }
    }

    /// Hints are shown by `lint` alone, warnings at every build.
    var severity: Diagnostic.Severity {
        switch self {
        case .unusedVariable, .unusedStage, .variableInScript, .secretInEnvironment, .undeclaredArgument: .warning
        case .unpinnedImage, .packageManagerInRun, .wholeContext, .downloadWithoutChecksum, .rootUser: .hint
        }
    }
}

/// Looks for what a spec does that its author hardly wants.
package struct SpecLinter {
    private let spec: Spec
    private var findings: [Diagnostic] = []

    /// All findings, in the order of the files.
    ///
    /// - Parameter arguments: Build arguments, to tell about those that nothing takes.
    package static func findings(_ spec: Spec, arguments: [String: String] = [:]) -> [Diagnostic] {
        var linter = SpecLinter(spec: spec)
        linter.checkVariables(arguments)
        linter.checkStages()
        return linter.findings
    }

    private mutating func add(_ rule: LintRule, _ message: String, at place: Place?) {
        let diagnostic = Diagnostic(
            severity: rule.severity,
            code: rule.rawValue,
            message: message,
            detail: [rule.summary],
            url: nil,
            fileName: place?.source.name,
            ranges: place.map { [$0.range] } ?? []
        )
        if !findings.contains(diagnostic) { findings.append(diagnostic) }
    }

    private mutating func checkVariables(_ arguments: [String: String]) {
        let matrixNames = Set((try? spec.document.targets())?.flatMap { Array($0.cell.keys) } ?? [])
        for variable in spec.document.variables
        where !spec.usedVariables.contains(variable.name) && !matrixNames.contains(variable.name) {
            add(.unusedVariable, "nothing uses variable \"\(variable.name)\"", at: variable.place)
        }
        for (name, place) in spec.scriptVariables {
            add(
                .variableInScript,
                "the shell sees ${\(name)}, not the variable of the spec; add env: {\(name): ${\(name)}}",
                at: place
            )
        }
        let names = spec.document.variables.map(\.name)
        for name in arguments.keys.sorted()
        where !names.contains(name) && !CommonOptions.isPredefinedArgument(name) {
            let hint = nearestWord(to: name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            add(.undeclaredArgument, "no variable takes the build argument \"\(shortened(name))\"" + hint, at: nil)
        }
    }

    private mutating func checkStages() {
        var needed: Set<String> = []
        for stage in spec.stages where stage.isImage { needed.formUnion(spec.needed(by: stage.name).map(\.name)) }
        if let name = spec.document.defaultTargetName() { needed.formUnion(spec.needed(by: name).map(\.name)) }
        for stage in spec.stages {
            if !needed.contains(stage.name) {
                add(.unusedStage, "no image needs stage \"\(stage.name)\"", at: stage.place)
            }
            for (name, place) in stage.externals { checkImage(name, place) }
            for step in stage.steps { check(step) }
            if stage.isImage, stage.settings.user == nil, stage.base != .external("scratch") {
                add(.rootUser, "image \"\(stage.name)\" says nothing about its user", at: stage.place)
            }
        }
    }

    private mutating func checkImage(_ name: String, _ place: Place) {
        guard name != "scratch", let reference = try? Reference(parsing: name), reference.digest == nil,
            reference.tag == nil || reference.tag == "latest"
        else { return }
        add(.unpinnedImage, "\"\(shortened(name))\" names no version", at: place)
    }

    private mutating func check(_ step: Step) {
        switch step.action {
        case .environment(let values, isForBuildOnly: false):
            for (name, value) in values where !value.isEmpty && Self.soundsSecret(name) {
                add(.secretInEnvironment, "\(name) sounds like a secret", at: step.place)
            }
        case .copy(let copy) where copy.from == .context:
            for path in copy.sources where [".", "/", "./"].contains(path) && copy.excludes.isEmpty {
                add(.wholeContext, "the whole context is copied", at: step.place)
            }
        case .download(let download) where download.checksum.isEmpty:
            add(.downloadWithoutChecksum, "\(shortened(download.url)) has no checksum", at: step.place)
        case .run(let run): check(run, step)
        default: return
        }
    }

    private mutating func check(_ run: Run, _ step: Step) {
        for input in run.inputs where input.from == .context && [".", "/", "./"].contains(input.path) {
            if input.excludes.isEmpty { add(.wholeContext, "the whole context is an input", at: input.place) }
        }
        guard case .script(let text) = run.command else { return }
        let commands = [
            ("apt-get install", "apt"), ("apt install", "apt"), ("apk add", "apk"), ("pip install", "pip"),
            ("pip3 install", "pip"), ("npm ci", "npm"), ("npm install -g", "npm"),
        ]
        let used = Set(commands.filter { text.contains($0.0) }.map(\.1)).sorted()
        for manager in used where run.caches.isEmpty {
            add(.packageManagerInRun, "this script installs packages; packages: {\(manager): […]} can", at: step.place)
        }
    }

    private static func soundsSecret(_ name: String) -> Bool {
        let words = name.uppercased().split(separator: "_")
        return words.contains { ["TOKEN", "PASSWORD", "PASSWD", "SECRET", "APIKEY", "CREDENTIALS"].contains($0) }
            || name.uppercased().hasSuffix("API_KEY") || name.uppercased().hasSuffix("PRIVATE_KEY")
    }
}
