// SPDX-License-Identifier: Apache-2.0

package import FrontendKit
internal import FrontendProtocol
package import LLB
package import OCI

/// What a conversion asks of the world.
package protocol SpecWorld: Sendable {
    /// An image, or what the client gives under its name.
    func tree(_ name: String, platform: Platform, constraints: Constraints) async throws -> SourceTree
    /// The build context; only `followPaths` of it are needed, all of it when they are empty.
    func context(followPaths: [String]) throws -> State
}

/// What a spec is converted for, besides its own content.
package struct ConversionOptions: Sendable {
    package var targetPlatform: Platform
    package var buildPlatform: Platform
    /// Whether several platforms are built: the names of steps then tell which.
    package var isMultiPlatform = false
    package var uncached = CommonOptions.Uncached.none
    /// Keeps caches apart from those of other projects.
    package var cacheNamespace = ""
    /// Added to the labels of the spec.
    package var labels: [String: String] = [:]
    /// Proxies of the client, as build arguments name them; no part of any cache key.
    package var proxies: [String: String] = [:]
    /// Seconds since 1970 that files and history claim to be from.
    package var epoch: Int64?

    package init(targetPlatform: Platform, buildPlatform: Platform) {
        self.targetPlatform = targetPlatform.normalized
        self.buildPlatform = buildPlatform.normalized
    }
}

/// Turns a target of a spec into a graph and an image config.
///
/// Equal specs, options and answers of the world give equal graphs: nothing here depends on the order of a hash table or
/// of answers.
package struct SpecConversion: Sendable {
    let spec: Spec
    let options: ConversionOptions
    let world: any SpecWorld

    package init(_ spec: Spec, _ options: ConversionOptions, world: any SpecWorld) {
        self.spec = spec
        self.options = options
        self.world = world
    }

    /// Where the steps of a stage run.
    func platform(of stage: Stage) -> Platform {
        switch stage.platform {
        case .target: options.targetPlatform
        case .build: options.buildPlatform
        case .fixed(let platform): platform
        }
    }

    /// Converts a stage or image with all it needs.
    ///
    /// - Throws: ``SourceProblem`` for what only shows now; what the world throws, with the line it is about.
    package func convert(_ name: String) async throws -> SourceTree {
        let stages = spec.needed(by: name)
        let trees = try await externalTrees(stages)
        let context = try world.context(followPaths: Self.followPaths(stages))
        var built: [String: SourceTree] = [:]
        for stage in stages {
            var builder = StageBuilder(stage, conversion: self, trees: trees, built: built, context: context)
            built[stage.name] = try builder.build()
        }
        guard let result = built[name] else {
            throw SourceProblem("there is no stage \"\(shortened(name))\"")
        }
        return result
    }

    struct ExternalName: Hashable, Sendable {
        let name: String
        let platform: Platform
    }

    /// Asks for all images side by side.
    private func externalTrees(_ stages: [Stage]) async throws -> [ExternalName: SourceTree] {
        var wanted: [ExternalName: Place] = [:]
        var order: [ExternalName] = []
        for stage in stages {
            for (name, place) in stage.externals {
                let external = ExternalName(name: name, platform: platform(of: stage))
                if wanted.updateValue(wanted[external] ?? place, forKey: external) == nil { order.append(external) }
            }
        }
        let answers = await withTaskGroup(of: (ExternalName, Result<SourceTree, any Error>).self) { group in
            for external in order {
                let constraints = Constraints(
                    platform: external.platform,
                    locations: wanted[external].map { [$0.location] } ?? []
                )
                group.addTask { [world] in
                    do {
                        let tree = try await world.tree(
                            external.name,
                            platform: external.platform,
                            constraints: constraints
                        )
                        return (external, .success(tree))
                    } catch {
                        return (external, .failure(error))
                    }
                }
            }
            var answers: [ExternalName: Result<SourceTree, any Error>] = [:]
            for await (external, answer) in group { answers[external] = answer }
            return answers
        }
        var trees: [ExternalName: SourceTree] = [:]
        // The first failure in the order of the file is the one that is told.
        for external in order {
            switch answers[external] {
            case .success(let tree): trees[external] = tree
            case .failure(let error): throw explained(error, external.name, wanted[external])
            case nil: continue
            }
        }
        return trees
    }

    private func explained(_ error: any Error, _ name: String, _ place: Place?) -> any Error {
        guard !(error is CancellationError), let place else { return error }
        let hint =
            nearestWord(to: name, among: spec.stages.map(\.name)).map { "; did you mean the stage \"\($0)\"?" } ?? ""
        return BuildError(place.problem("\(name): \(error)\(hint)").rendered, because: error)
    }

    /// Paths of the context that stages need, as a local source takes them: relative and sorted; empty for all.
    static func followPaths(_ stages: [Stage]) -> [String] {
        var paths: Set<String> = []
        for path in stages.flatMap(\.contextPaths) {
            let cleaned = SlashPath.join("/", path)
            if cleaned == "/" { return [] }
            paths.insert(String(cleaned.dropFirst()))
        }
        return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}

extension Place {
    /// The lines, for the operations that come from them.
    var location: SourceLocation {
        SourceLocation(
            file: SourceFile(filename: source.name, language: "YAML", data: source.bytes),
            ranges: [SourceRange(startLine: range.startLine, endLine: max(range.startLine, range.endLine))]
        )
    }
}
