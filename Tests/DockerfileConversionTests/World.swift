// SPDX-License-Identifier: Apache-2.0

import DockerfileConversion
import DockerfileSyntax
import LLB
import LLBMessages
import OCI
import SwiftProtobuf
import Synchronization

/// Made-up answers to what a conversion asks, and a record of the questions.
final class World: ConversionContext {
    struct Unknown: Error {}

    /// Image configs by full name; anything else has the plain one.
    let images: [String: ImageConfig]
    /// Files of every tree.
    let files: [String: String]
    let inputs: [String: Definition]
    let time: Int64?
    private let questions = Mutex<[String]>([])

    init(
        images: [String: ImageConfig] = [:],
        files: [String: String] = [:],
        inputs: [String: Definition] = [:],
        time: Int64? = nil
    ) {
        self.images = images
        self.files = files
        self.inputs = inputs
        self.time = time
    }

    static var plain: ImageConfig {
        var config = ImageConfig(
            platform: Platform(os: "linux", architecture: "amd64"),
            rootFS: .init(diffIDs: [Digest.of("")])
        )
        config.config.environment = ["PATH=" + State.defaultPath]
        return config
    }

    var asked: [String] { questions.withLock { $0.sorted() } }

    func resolveImage(
        _ name: String,
        platform: Platform?,
        mode: State.ImageResolveMode,
        logName: String
    ) async throws -> ResolvedImage {
        questions.withLock { $0.append(logName) }
        guard !name.contains("missing") else { throw Unknown() }
        var config = images[name] ?? World.plain
        if images[name] == nil, let platform { config.platform = platform }
        return ResolvedImage(name: name, digest: Digest.of(name), config: config.encoded)
    }

    func resolveLayoutImage(
        _ name: String,
        store: String,
        platform: Platform?,
        logName: String
    ) async throws -> ResolvedImage {
        ResolvedImage(name: name, digest: nil, config: World.plain.encoded)
    }

    func sourceTime(
        identifier: String,
        attributes: [String: String],
        logName: String
    ) async throws -> Int64? {
        time
    }

    func solve(_ definition: Definition) async throws -> any ConversionTree { Tree(files: files) }

    func input(_ name: String) async throws -> Definition? { inputs[name] }

    private struct Tree: ConversionTree {
        let files: [String: String]

        func readFile(_ path: String, byteLimit: Int?) async throws -> [UInt8]? {
            files[path].map { Array($0.utf8.prefix(byteLimit ?? .max)) }
        }
    }
}

/// A conversion's result, taken apart.
struct Converted {
    let result: ConversionResult
    let graph: Graph
    let warnings: [LintWarning]

    var image: ImageConfig { result.image }
    /// The operations, each after its inputs.
    var operations: [Pb_Op] { graph.vertices.map(\.operation) }
    var names: [String] { graph.vertices.map(\.name) }
    var execs: [Pb_ExecOp] { operations.map(\.exec).filter(\.hasMeta) }
    var sources: [Pb_SourceOp] { operations.map(\.source).filter { !$0.identifier.isEmpty } }
    var actions: [Pb_FileAction] { operations.flatMap(\.file.actions) }
    var history: [String] { image.history.map(\.createdBy) }
}

/// Converts a Dockerfile.
func convert(
    _ text: String,
    options: [String: String] = [:],
    platform: Platform? = nil,
    capabilities: Set<String> = Capability.all,
    world: World = World()
) async throws -> Converted {
    let options = try DockerfileOptions(
        options,
        workerPlatforms: [Platform(os: "linux", architecture: "amd64")],
        session: "golden-session"
    )
    let source = SourceFile(filename: "Dockerfile", language: "Dockerfile", data: Array(text.utf8))
    let input = ConversionInput(
        source: source,
        options: options,
        targetPlatform: platform ?? options.targetPlatforms.first,
        capabilities: capabilities
    )
    let conversion = DockerfileConversion(input, context: world)
    let result = try await conversion.run()
    return Converted(
        result: result,
        graph: try result.definition().graph(),
        warnings: conversion.warnings
    )
}

/// Why a Dockerfile is refused; `accepted` when it is not.
func refusal(
    _ text: String,
    options: [String: String] = [:],
    world: World = World()
) async -> String {
    do {
        _ = try await convert(text, options: options, world: world)
        return "accepted"
    } catch let error as DockerfileError {
        return error.description
    } catch {
        return "\(error)"
    }
}
