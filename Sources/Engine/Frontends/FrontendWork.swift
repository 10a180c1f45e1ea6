// SPDX-License-Identifier: Apache-2.0

internal import FrontendHost
internal import OCI

/// What the frontend of a build is given: the frontend that was chosen, its request, and itself as a caller of others.
struct FrontendWork: Sendable {
    let selected: SelectedFrontend
    let request: FrontendBuildRequest<BuildRef>
    let caller: FrontendCaller

    /// Chooses the frontend by the build file and the project.
    init(
        _ build: BuildRequest,
        _ inputs: BuildInputs,
        _ bridge: BuildBridge,
        services: EngineServices,
        events: BuildEventStream
    ) async throws {
        let file = try await inputs.buildFile(bridge)
        let chooser = try FrontendChooser(build, inputs, services: services, events: events)
        selected = try await chooser.choose(for: file, path: inputs.filePath)
        var request = FrontendBuildRequest<BuildRef>(
            fileName: file.name,
            fileContent: file.content,
            options: inputs.options,
            workerPlatforms: [Platform.host.normalized]
        )
        request.commandLine = selected.commandLine
        self.request = request
        caller = FrontendCaller(
            rights: selected.rights,
            chain: [selected.name],
            chooser: chooser,
            file: file,
            services: services,
            reusesResults: build.reusesFrontendResults
        )
    }
}
