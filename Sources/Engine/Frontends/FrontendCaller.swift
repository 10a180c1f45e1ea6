// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import FrontendProtocol
internal import LLB
internal import OCI
internal import ProjectFiles
internal import SystemPackage

/// A frontend at work: who it is, what it may do, and who called it.
struct FrontendCaller: Sendable {
    let rights: FrontendRights
    /// The project's names of all frontends that stand inside each other, this one last.
    let chain: [FrontendName]
    let chooser: FrontendChooser
    /// The build file it was given.
    let file: BuildInputs.File
    let services: EngineServices
    let reusesResults: Bool

    /// Starts the first frontend of a build, or uses an earlier result of it.
    static func run(
        _ selected: SelectedFrontend,
        _ request: FrontendBuildRequest<BuildRef>,
        _ caller: FrontendCaller,
        through bridge: BuildBridge,
        trace: FilePath? = nil
    ) async throws -> FrontendResult<BuildRef> {
        let own = bridge.serving(caller)
        defer { own.finishFrontend() }
        return try await caller.services.frontends.build(
            selected.program,
            request: request,
            bridge: own,
            results: caller.reusesResults && selected.isReusable ? caller.services.results : nil,
            trace: trace
        )
    }

    /// Has another frontend build for this one.
    ///
    /// - Throws: `denied` for a frontend it may not call.
    func solve(_ call: FrontendCall<BuildRef>, through bridge: BuildBridge) async throws -> FrontendResult<BuildRef> {
        let selected: SelectedFrontend
        do {
            selected = try await chooser.choose(call.name, calledBy: chain, allowed: rights.callable)
        } catch let error as ProjectError {
            throw ProtocolFailure(error.protocolKind, error.description)
        }
        // The other frontend builds upon these with rights of its own.
        for definition in call.inputs.values.compactMap(\.definition) {
            try rights.check(definition.graph(), in: bridge.session)
        }
        let file = call.file ?? self.file
        var request = FrontendBuildRequest<BuildRef>(
            fileName: file.name,
            fileContent: file.content,
            options: call.options,
            // What a frontend made by solving it can also be built upon.
            inputs: call.inputs.mapValues { .init(ref: $0.ref, definition: $0.definition ?? $0.ref?.definition) },
            workerPlatforms: [Platform.host.normalized]
        )
        request.commandLine = selected.commandLine
        let callee = FrontendCaller(
            rights: rights.lent(to: selected.rights),
            chain: chain + [selected.name],
            chooser: chooser,
            file: file,
            services: services,
            reusesResults: reusesResults
        )
        return try await Self.run(selected, request, callee, through: bridge)
    }
}

extension ProjectError {
    /// What another frontend is told.
    fileprivate var protocolKind: ProtocolFailure.Kind {
        switch code {
        case .nestedFrontend, .frontendCycle, .permission, .overrideRefused, .unlisted: .denied
        case .unavailable: .unavailable
        case .badSyntax, .notLocked: .notFound
        default: .operation
        }
    }
}
