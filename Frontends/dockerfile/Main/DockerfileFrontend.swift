// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import DockerfileSyntax
internal import FrontendKit
internal import FrontendProtocol
internal import LLB
internal import OCI

/// The frontend for Dockerfiles: reads the file, converts it for every platform, gives the trees and configs back.
enum DockerfileFrontend {
    static func run() -> Never {
        FrontendMain.run(name: "dockerfile", version: "1.20.0", questions: questions) { session, request in
            try await answer(session, request) { try await $0.run() }
        }
    }
}

/// One request to the frontend.
struct DockerfileBuild: Sendable {
    let session: FrontendSession
    let request: BuildRequest

    func run() async throws -> BuildResult {
        let options = try DockerfileOptions(
            request.options,
            workerPlatforms: request.workerPlatforms
        )
        if let name = request.options["requestid"], !name.isEmpty {
            return try await answer(name, options)
        }
        var result = BuildResult(platforms: [], isIndex: options.isMultiPlatform)
        let wanted: [Platform?] = options.targetPlatforms.isEmpty ? [nil] : options.targetPlatforms
        result.platforms = try await withThrowingTaskGroup(
            of: (Int, BuildResult.PlatformResult).self
        ) { group in
            for (index, platform) in wanted.enumerated() {
                group.addTask {
                    // Every platform finds the same weaknesses: one of them tells.
                    (index, try await convert(options, platform, reportsWarnings: index == 0))
                }
            }
            var parts: [(Int, BuildResult.PlatformResult)] = []
            for try await part in group { parts.append(part) }
            return parts.sorted { $0.0 < $1.0 }.map(\.1)
        }
        return result
    }

    private func convert(
        _ options: DockerfileOptions,
        _ platform: Platform?,
        reportsWarnings: Bool
    ) async throws -> BuildResult.PlatformResult {
        let conversion = try self.conversion(options, platform)
        defer { if reportsWarnings { report(conversion) } }
        let conversionResult = try await explaining(conversion) { try await conversion.run() }
        let tree = try await session.solve(try conversionResult.definition())
        let built = exportPlatform(platform ?? request.workerPlatform, conversionResult.image)
        var part = BuildResult.PlatformResult(
            id: (platform ?? request.workerPlatform).normalized.identifier,
            platform: built,
            tree: tree,
            config: conversionResult.image.encoded
        )
        if let base = conversionResult.baseImage {
            part.metadata["containerimage.base.config"] = base.encoded
        }
        if let epoch = conversionResult.epoch {
            part.metadata["source.date.epoch"] = Array("\(epoch)".utf8)
        }
        return part
    }

    /// A conversion of the request's file that has not run.
    private func conversion(
        _ options: DockerfileOptions,
        _ platform: Platform?
    ) throws -> DockerfileConversion {
        DockerfileConversion(try conversionInput(options, platform), context: answers)
    }

    /// The request's file, converted for the first platform.
    func converted(_ options: DockerfileOptions) async throws -> ConversionResult {
        let conversion = try conversion(options, options.targetPlatforms.first)
        return try await explaining(conversion) { try await conversion.run() }
    }

    /// The stages of the request's file and all it includes.
    func targetList(_ options: DockerfileOptions) async throws -> TargetList {
        let conversion = try conversion(options, options.targetPlatforms.first)
        return try await explaining(conversion) { try await TargetList(reading: conversion) }
    }

    /// What a conversion of the request's file is told.
    func conversionInput(
        _ options: DockerfileOptions,
        _ platform: Platform?
    ) throws -> ConversionInput {
        let source = SourceFile(
            filename: options.filename,
            language: "Dockerfile",
            data: request.fileContent,
            definition: try options.fileState.definition(
                MarshalOptions(capabilities: capabilities)
            )
        )
        return ConversionInput(
            source: source,
            options: options,
            targetPlatform: platform,
            capabilities: capabilities
        )
    }

    /// What the engine can do with LLB; everything when it does not say.
    private var capabilities: Set<String> { session.llbCapabilities ?? Capability.all }

    /// What a conversion asks.
    var answers: SessionAnswers { SessionAnswers(session: session, inputs: request.inputs) }

    /// Windows images run on one release only: it is taken from the image when nobody named it.
    private func exportPlatform(_ platform: Platform, _ image: ImageConfig) -> Platform {
        var result = platform.normalized
        if result.os == "windows", image.platform.os == "windows" {
            result.osVersion = result.osVersion ?? image.platform.osVersion
            result.osFeatures = result.osFeatures ?? image.platform.osFeatures
        }
        return result.normalized
    }

    private func report(_ conversion: DockerfileConversion) {
        for warning in conversion.warnings {
            session.report(Diagnostic(warning, place(of: warning.lines, in: conversion.files)))
        }
    }
}
