// SPDX-License-Identifier: Apache-2.0

import Testing

/// A build file with its context, and a state directory, in a workspace of their own.
struct Project: Sendable {
    let kiln: Kiln
    let workspace: Workspace

    /// - Parameter buildFile: Lines of the Dockerfile; the named context `busybox` is the base image.
    init(_ buildFile: String, files: [String: String] = [:]) async throws {
        kiln = try await Kiln.shared
        workspace = try Workspace()
        try workspace.write("context/Dockerfile", buildFile)
        for (name, text) in files { try workspace.write("context/" + name, text) }
    }

    /// Arguments of a build of the context.
    func arguments(_ extra: [String], progress: String = "rawjson") -> [String] {
        [
            "build", "--progress", progress, "--build-context", "busybox=oci-layout://\(kiln.base)",
            workspace.path("context"),
        ] + extra
    }

    func start(_ extra: String..., environment: [String] = []) throws -> Command {
        try kiln.start(arguments(extra), state: workspace.state, environment: environment)
    }

    /// Builds, whatever comes of it.
    func tryBuild(_ extra: String...) async throws -> (result: CommandResult, report: BuildReport) {
        let result = try await kiln.start(arguments(extra), state: workspace.state).result()
        return (result, try BuildReport(result.error))
    }

    /// Builds and expects success.
    @discardableResult
    func build(
        _ extra: String...,
        at location: SourceLocation = #_sourceLocation
    ) async throws
        -> BuildReport
    {
        let result = try await kiln.start(arguments(extra), state: workspace.state).result()
        let report = try BuildReport(result.error)
        try #require(result.status == 0, "\(report.message)", sourceLocation: location)
        return report
    }

    /// Builds and expects a failure of the build itself: status 1 and a message; gives the message.
    func failure(
        _ extra: String...,
        status: Int32 = 1,
        at location: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let result = try await kiln.start(arguments(extra), state: workspace.state).result()
        let report = try BuildReport(result.error)
        #expect(result.status == status, "\(report.message)", sourceLocation: location)
        return report.message
    }
}
