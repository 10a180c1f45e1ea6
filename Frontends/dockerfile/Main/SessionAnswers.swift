// SPDX-License-Identifier: Apache-2.0

internal import DockerfileConversion
internal import FrontendKit
internal import FrontendProtocol
internal import LLB
internal import OCI

/// Answers a conversion's questions by asking the engine.
struct SessionAnswers: ConversionContext {
    let session: FrontendSession
    let inputs: [String: BuildRequest.Input]

    func resolveImage(
        _ name: String,
        platform: Platform?,
        mode: LLB.State.ImageResolveMode,
        logName: String
    ) async throws -> ResolvedImage {
        let wireMode: Wire.ResolveSource.Mode =
            switch mode {
            case .default: .standard
            case .pull: .pull
            case .local: .local
            }
        let image = try await session.resolveImage(
            name,
            platform: platform,
            mode: wireMode,
            logName: logName
        )
        return ResolvedImage(name: image.name, digest: image.digest, config: image.config)
    }

    func resolveLayoutImage(
        _ name: String,
        store: String,
        platform: Platform?,
        logName: String
    ) async throws -> ResolvedImage {
        let image = try await session.resolveImage(
            name,
            platform: platform,
            logName: logName,
            layout: (store: store, session: "")
        )
        return ResolvedImage(name: image.name, digest: image.digest, config: image.config)
    }

    func sourceTime(
        identifier: String,
        attributes: [String: String],
        logName: String
    ) async throws -> Int64? {
        if identifier.hasPrefix("git://") { return try await commitTime(identifier, attributes) }
        let source = try await session.resolveSource(
            Wire.ResolveSource(
                identifier: identifier,
                attributes: attributes,
                wantsConfig: false,
                logName: logName
            )
        )
        return source.http?.lastModified
    }

    /// When a commit was made: what its files' times are set to when that is asked for.
    private func commitTime(
        _ identifier: String,
        _ attributes: [String: String]
    ) async throws -> Int64? {
        var attributes = attributes
        attributes[SourceAttribute.gitModificationTime] = "commit"
        let state = State.source(identifier: identifier, attributes: attributes)
        let tree = try await session.solve(try state.definition())
        let files = try await session.readDirectory(tree, "/")
        return files.filter { $0.kind == .file }.map { $0.modified / 1_000_000_000 }.max()
    }

    func solve(_ definition: Definition) async throws -> any ConversionTree {
        SessionTree(session: session, tree: try await session.solve(definition))
    }

    func input(_ name: String) async throws -> Definition? { inputs[name]?.definition }
}

/// A tree in the engine.
private struct SessionTree: ConversionTree {
    let session: FrontendSession
    let tree: Ref

    func readFile(_ path: String, byteLimit: Int?) async throws -> [UInt8]? {
        do {
            return try await session.readFile(tree, path, length: byteLimit.map { Int64($0) })
        } catch  where FrontendSession.isNotFound(error) {
            return nil
        }
    }
}
