// SPDX-License-Identifier: Apache-2.0

import FrontendKit
import LLB
import OCI
import YAMLSpec

/// A world in which every image exists: its digest is made of its name, its config has a search path alone.
struct World: SpecWorld {
    func tree(_ name: String, platform: Platform, constraints: Constraints) async throws -> SourceTree {
        if name == "scratch" { return .scratch(platform) }
        if name.hasPrefix("missing") { throw BuildError("not found") }
        var reference = try Reference(parsing: name).withDefaultTag
        reference.digest = Digest.of(Array(reference.description.utf8))
        var constraints = constraints
        constraints.platform = platform
        var config = ImageConfig.empty(platform)
        config.config.command = ["sh"]
        let state = try State.image(reference.description, constraints: constraints)
        return SourceTree(state: state.applying(config), config: config)
    }

    func context(followPaths: [String]) throws -> State {
        var options = State.LocalOptions()
        options.followPaths = followPaths
        return .local("context", options: options)
    }
}

let amd64 = Platform(os: "linux", architecture: "amd64")
let arm64 = Platform(os: "linux", architecture: "arm64")

/// Reads a spec whose included files stand in a dictionary.
func load(_ text: String, files: [String: String] = [:]) async throws -> SpecDocument {
    try await SpecLoader.load(SourceText(name: "image.yaml", bytes: Array(text.utf8))) { path in
        files[path].map { Array($0.utf8) }
    }
}

/// A target of a spec, converted.
struct Converted {
    let definition: Definition
    let config: ImageConfig
    let spec: Spec
}

func convert(
    _ text: String,
    target: String? = nil,
    arguments: [String: String] = [:],
    platform: Platform = amd64,
    files: [String: String] = [:],
    options change: (inout ConversionOptions) -> Void = { _ in }
) async throws -> Converted {
    let document = try await load(text, files: files)
    let target = try document.target(named: target, arguments: arguments)
    let spec = try Spec(
        document,
        Spec.Request(target: target, arguments: arguments, targetPlatform: platform, buildPlatform: amd64)
    )
    var options = ConversionOptions(targetPlatform: platform, buildPlatform: amd64)
    change(&options)
    let tree = try await SpecConversion(spec, options, world: World()).convert(target.declaration.name)
    return Converted(
        definition: try tree.state.definition(MarshalOptions(platform: platform)),
        config: tree.config ?? .empty(platform),
        spec: spec
    )
}

/// What is said about a spec that is wrong; empty when nothing is.
func complaint(
    _ text: String,
    target: String? = nil,
    arguments: [String: String] = [:],
    files: [String: String] = [:]
) async -> String {
    do {
        _ = try await convert(text, target: target, arguments: arguments, files: files)
        return ""
    } catch let error as SourceProblem {
        return error.rendered
    } catch {
        return "\(error)"
    }
}

extension Converted {
    /// The operations as JSON, inputs first.
    func operations() throws -> [JSONValue] {
        let json = try definition.json()
        return definition.operations.compactMap { json["def"]?[$0.digest.description] }
    }

    /// The commands, in order.
    func commands() throws -> [JSONValue] { try operations().compactMap { $0["exec"] } }

    /// All file actions, in order.
    func actions() throws -> [JSONValue] { try operations().flatMap { $0["file"]?["actions"]?.elements ?? [] } }
}

extension JSONValue {
    /// The texts of a list.
    var texts: [String] { (elements ?? []).compactMap(\.text) }
}
