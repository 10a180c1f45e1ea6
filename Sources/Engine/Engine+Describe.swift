// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
public import FrontendProtocol
internal import LLB

/// What can be asked about a build file without building it.
public enum BuildQuestion: String, Sendable, Hashable, CaseIterable {
    /// What it can build.
    case targets
    /// What the chosen target takes.
    case outline
    /// What is weak or wrong in it.
    case lint
    /// The graph it makes for the first platform.
    case graph
    /// Its text in the usual form.
    case format
}

/// The answer to a ``BuildQuestion``.
public enum BuildDescription: Sendable, Hashable {
    /// What the file can build.
    case targets(TargetsDescription)
    /// What the chosen target takes.
    case outline(OutlineDescription)
    /// What is weak or wrong in the file.
    case lint(LintFindings)
    /// A `pb.Definition`; empty for the empty tree.
    case graph([UInt8])
    /// The whole build file in its usual form.
    case formatted([UInt8])
}

extension Engine {
    /// Asks the frontend of a build about its build file; nothing is built.
    ///
    /// - Parameter onEvent: Called in order, one call at a time; it must return soon.
    /// - Throws: An error with a sentence, also when the frontend does not answer such questions.
    public func describe(
        _ request: BuildRequest,
        _ question: BuildQuestion,
        onEvent: @escaping @Sendable (BuildEvent) -> Void = { _ in }
    ) async throws -> BuildDescription {
        try await Build(services: services, request: request, onEvent: onEvent).describe(question)
    }
}

extension Build {
    func describe(_ question: BuildQuestion) async throws -> BuildDescription {
        try await withBridge { inputs, bridge in
            let work = try await FrontendWork(request, inputs, bridge, services: services, events: events)
            let own = bridge.serving(work.caller)
            defer { own.finishFrontend() }
            func ask<Answer: WorkAnswer>(_ answer: Answer.Type) async throws -> Answer {
                try await services.frontends.ask(
                    work.selected.program,
                    for: answer,
                    request: work.request,
                    bridge: own,
                    trace: request.frontendTrace
                )
            }
            switch question {
            case .targets: return .targets(try await ask(TargetsDescription.self))
            case .outline: return .outline(try await ask(OutlineDescription.self))
            case .lint: return .lint(try await ask(LintFindings.self))
            case .format: return .formatted(try await ask(Wire.Formatted.self).content)
            case .graph:
                guard let wire = try await ask(Wire.Converted.self).definition else { return .graph([]) }
                let definition = try LLB.Definition(wire)
                // What is no graph is refused here, as it would be by a build.
                _ = try definition.graph()
                return .graph(try definition.serialized())
            }
        }
    }
}
