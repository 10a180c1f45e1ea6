// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
internal import FrontendProtocol
package import OCI

/// A spec read for one target and platform: all its stages with their variables replaced, checked.
package struct Spec: Sendable {
    /// What a spec is read for.
    package struct Request: Sendable {
        package var target: BuildTarget?
        /// Build arguments; those that name no variable have no effect.
        package var arguments: [String: String]
        package var targetPlatform: Platform
        package var buildPlatform: Platform
        /// Whether a required variable without a value is no error: for questions, which build nothing.
        package var isLenient: Bool

        package init(
            target: BuildTarget?,
            arguments: [String: String] = [:],
            targetPlatform: Platform,
            buildPlatform: Platform,
            isLenient: Bool = false
        ) {
            self.target = target
            self.arguments = arguments
            self.targetPlatform = targetPlatform
            self.buildPlatform = buildPlatform
            self.isLenient = isLenient
        }
    }

    /// Steps of all stages together: each begins with what the one before has left, and that chain has an end.
    static let stepCountMax = 2000

    package let document: SpecDocument
    /// In the order of the files.
    package private(set) var stages: [Stage] = []
    /// Labels of all images.
    private(set) var labels: [(name: String, value: String)] = []
    /// Values of the variables.
    package let scope: VariableScope
    /// Variables that something uses.
    private(set) var usedVariables: Set<String> = []
    /// Variables that scripts seem to use, and where.
    private(set) var scriptVariables: [(name: String, place: Place)] = []

    /// Reads all stages and images.
    ///
    /// - Throws: All that is wrong, in whatever stage.
    package init(_ document: SpecDocument, _ request: Request) throws(SourceProblems) {
        self.document = document
        var given = request.arguments
        for (name, value) in request.target?.cell ?? [:] { given[name] = value }
        let evaluation = VariableEvaluation(
            document.variables,
            given: given,
            builtIn: BuiltInVariable.values(target: request.targetPlatform, build: request.buildPlatform),
            isLenient: request.isLenient
        )
        scope = evaluation.scope
        let reader = SpecReader(scope: scope)
        let stageReader = StageReader(
            reader: reader,
            names: Set(document.names),
            variables: Set(document.variables.map(\.name))
        )
        stages = document.declarations.compactMap { stageReader.stage($0) }
        labels = document.labels.flatMap { stageReader.labels($0) }
        checkCircles(reader)
        var stepCount = 0
        for stage in stages {
            stepCount += stage.steps.count
            guard stepCount <= Self.stepCountMax else {
                reader.report("a spec has at most \(Self.stepCountMax) steps", at: stage.place)
                break
            }
        }
        let problems = evaluation.problems + reader.problems
        guard problems.isEmpty else { throw SourceProblems(problems) }
        usedVariables = reader.usedVariables
        scriptVariables = reader.scriptVariables
        for variable in document.variables {
            if let template = variable.defaultText.flatMap({ try? Template($0) }) {
                usedVariables.formUnion(template.names)
            }
        }
    }

    /// A stage or image by its name.
    package func stage(_ name: String) -> Stage? { stages.first { $0.name == name } }

    /// A stage and all it needs, those that others need first.
    package func needed(by name: String) -> [Stage] {
        var found: [Stage] = []
        var seen: Set<String> = []
        func visit(_ name: String) {
            guard seen.insert(name).inserted, let stage = stage(name) else { return }
            for (other, _) in stage.dependencies { visit(other) }
            found.append(stage)
        }
        visit(name)
        return found
    }

    private func checkCircles(_ reader: SpecReader) {
        var finished: Set<String> = []
        var path: [String] = []
        func visit(_ stage: Stage) {
            guard !finished.contains(stage.name) else { return }
            path.append(stage.name)
            for (other, place) in stage.dependencies {
                if let start = path.firstIndex(of: other) {
                    let circle = (path[start...] + [other]).joined(separator: " → ")
                    reader.report("stages need each other: \(circle)", at: place)
                } else if let next = self.stage(other) {
                    visit(next)
                }
            }
            path.removeLast()
            finished.insert(stage.name)
        }
        for stage in stages { visit(stage) }
    }
}

extension Stage {
    /// Stages and images it begins with, copies from or shows to its commands, with the place that says so.
    package var dependencies: [(name: String, place: Place)] {
        trees.compactMap { tree, place in
            if case .stage(let name) = tree { (name, place) } else { nil }
        }
    }

    /// Images from elsewhere that it needs, with the place that says so.
    package var externals: [(name: String, place: Place)] {
        trees.compactMap { tree, place in
            if case .external(let name) = tree { (name, place) } else { nil }
        }
    }

    private var trees: [(TreeName, Place)] {
        [(base, basePlace)]
            + steps.flatMap { step -> [(TreeName, Place)] in
                switch step.action {
                case .copy(let copy): [(copy.from, step.place)]
                case .run(let run): run.inputs.map { ($0.from, $0.place) }
                default: []
                }
            }
    }

    /// Paths of the context that it needs, as written; a pattern may stand among them.
    package var contextPaths: [String] {
        steps.flatMap { step -> [String] in
            switch step.action {
            case .copy(let copy): copy.from == .context ? copy.sources : []
            case .run(let run): run.inputs.filter { $0.from == .context }.map(\.path)
            case .install(let install):
                install.requirementFiles
                    + (install.project.map { project in
                        ["package.json", "package-lock.json"].map { project == "." ? $0 : project + "/" + $0 }
                    } ?? [])
            default: []
            }
        }
    }
}
