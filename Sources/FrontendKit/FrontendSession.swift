// SPDX-License-Identifier: Apache-2.0

public import FrontendProtocol
public import LLB
public import OCI

/// What a frontend can ask of the engine and tell it, for as long as its build runs.
///
/// Calls may overlap; the engine answers them in any order. A call that fails throws `ProtocolFailure`, whose `kind` says
/// what happened (``isNotFound(_:)`` for the commonest). A call whose task is cancelled throws `CancellationError`.
public final class FrontendSession: Sendable {
    /// What this engine offers.
    ///
    /// A method it does not offer fails with the kind `unsupported`.
    public let capabilities: Set<EngineCapability>
    /// Which operations and attributes of LLB this engine knows, for `MarshalOptions`; `nil` when it did not tell.
    public let llbCapabilities: Set<String>?
    private let channel: ProtocolChannel

    init(channel: ProtocolChannel, hello: Wire.Initialize) {
        self.channel = channel
        capabilities = Set(hello.capabilities)
        llbCapabilities = hello.llbCapabilities.isEmpty ? nil : Set(hello.llbCapabilities)
    }

    /// Whether an error says that a file, image or commit does not exist.
    public static func isNotFound(_ error: any Error) -> Bool {
        (error as? ProtocolFailure)?.kind == .notFound
    }

    // MARK: Graphs

    /// Makes a tree of a definition.
    ///
    /// Nothing runs until something reads it.
    ///
    /// - `evaluate`: Wait until the result stands.
    public func solve(_ definition: Definition, evaluate: Bool = false) async throws -> Ref {
        if definition.isScratch { return .scratch }
        let request = Wire.Solve(
            definition: .protobuf(try definition.serialized()),
            evaluate: evaluate
        )
        return Ref(id: try await channel.call(request).ref)
    }

    /// Makes a tree of a state of the graph builder.
    public func solve(
        _ state: LLB.State,
        options: MarshalOptions = MarshalOptions(),
        evaluate: Bool = false
    ) async throws -> Ref {
        try await solve(try state.definition(options), evaluate: evaluate)
    }

    /// Waits until a tree stands.
    public func evaluate(_ tree: Ref) async throws {
        guard let id = tree.id else { return }
        _ = try await channel.call(Wire.Evaluate(ref: id))
    }

    /// Gives a tree back that is part of no result; only long sessions with thousands of trees need this.
    public func release(_ tree: Ref) async throws {
        guard let id = tree.id else { return }
        _ = try await channel.call(Wire.ReleaseRef(ref: id))
    }

    // MARK: Files

    /// Reads a file, or a part of it.
    ///
    /// - `path`: In the tree; symlinks are followed as in a chroot.
    /// - `length`: How many bytes at most; `nil` is all the rest.
    public func readFile(
        _ tree: Ref,
        _ path: String,
        offset: Int64 = 0,
        length: Int64? = nil
    ) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            let request = Wire.ReadFile(
                ref: tree.id,
                path: path,
                offset: offset + Int64(bytes.count),
                length: length.map { $0 - Int64(bytes.count) }
            )
            let chunk = try await channel.call(request)
            bytes += chunk.data
            // An engine answers in pieces; an empty one before the end would be no progress.
            if chunk.isEnd || chunk.data.isEmpty { return bytes }
            if let length, Int64(bytes.count) >= length { return bytes }
        }
    }

    /// Reads a file that may be missing: `nil` then.
    ///
    /// - `length`: How many bytes at most; `nil` is all of it.
    public func readFileIfExists(_ tree: Ref, _ path: String, length: Int64? = nil) async throws -> [UInt8]? {
        do {
            return try await readFile(tree, path, length: length)
        } catch  where Self.isNotFound(error) {
            return nil
        }
    }

    /// Lists a directory, ordered by the bytes of the names.
    ///
    /// - `pattern`: A shell pattern the names must match.
    public func readDirectory(
        _ tree: Ref,
        _ path: String,
        pattern: String? = nil
    ) async throws -> [FileInfo] {
        let request = Wire.ReadDirectory(ref: tree.id, path: path, pattern: pattern)
        return try await channel.call(request).entries
    }

    /// Facts about a file.
    public func stat(
        _ tree: Ref,
        _ path: String,
        followSymlinks: Bool = false
    ) async throws -> FileInfo {
        try await channel.call(
            Wire.Stat(ref: tree.id, path: path, followSymlinks: followSymlinks)
        )
    }

    // MARK: Sources

    /// Asks what a source stands for now.
    public func resolveSource(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        try await channel.call(query)
    }

    /// What an image's name stands for now.
    public struct ResolvedImage: Sendable {
        /// The name to use from now on; policy of the engine may have changed it.
        public let name: String
        /// Of the manifest or index the name points at.
        public let digest: Digest
        /// The bytes of the config of the asked platform's image.
        public let config: [UInt8]
    }

    /// Resolves an image's tag and fetches its config.
    ///
    /// - `name`: A full reference: `docker.io/library/alpine:3`.
    /// - `platform`: `nil` is the worker's.
    /// - `logName`: What the progress calls this.
    /// - `layout`: The image is in an OCI layout that the client offers: store and session.
    public func resolveImage(
        _ name: String,
        platform: Platform? = nil,
        mode: Wire.ResolveSource.Mode = .standard,
        logName: String? = nil,
        layout: (store: String, session: String)? = nil
    ) async throws -> ResolvedImage {
        var attributes: [String: String] = [:]
        if let layout {
            attributes = ["oci.store": layout.store]
            if !layout.session.isEmpty { attributes["oci.session"] = layout.session }
        }
        let scheme = layout == nil ? "docker-image://" : "oci-layout://"
        let answer = try await resolveSource(
            Wire.ResolveSource(
                identifier: scheme + name,
                attributes: attributes,
                platform: platform,
                mode: mode,
                logName: logName
            )
        )
        guard let image = answer.image, let config = image.config else {
            throw BuildError("cannot resolve \(name): \(answer.identifier) is no image")
        }
        let found =
            answer.identifier.hasPrefix(scheme)
            ? String(answer.identifier.dropFirst(scheme.count)) : answer.identifier
        return ResolvedImage(name: found, digest: image.digest, config: config)
    }

    // MARK: Other frontends

    /// Has another frontend do a build; the trees of its result belong to this session.
    ///
    /// The project must allow the call: `permissions.frontends` of this frontend's package names the other one.
    ///
    /// - Parameters:
    ///   - name: The frontend, as the project calls it.
    ///   - file: A build file for it; `nil` is this build's own.
    ///   - options: As a user would give them, such as `target` and `build-arg:NAME`.
    ///   - inputs: Named trees for it to build upon.
    /// - Throws: `ProtocolFailure`: `denied` when the call is not allowed, otherwise what the other frontend answered.
    public func build(
        with name: String,
        file: (name: String, content: [UInt8])? = nil,
        options: [String: String] = [:],
        inputs: [String: Ref] = [:]
    ) async throws -> BuildResult {
        let answer = try await channel.call(
            Wire.SolveFrontend(
                name: name,
                file: file.map { Wire.SolveFrontend.File(name: $0.name, content: $0.content) },
                options: options,
                inputs: inputs.mapValues { Wire.Input(ref: $0.id) }
            )
        )
        return BuildResult(
            platforms: answer.results.map { result in
                BuildResult.PlatformResult(
                    id: result.id,
                    platform: result.platform,
                    tree: Ref(id: result.ref),
                    config: result.config,
                    metadata: result.metadata
                )
            },
            isIndex: answer.isIndex,
            metadata: answer.metadata
        )
    }

    // MARK: Telling

    /// Adds a line to the build's log.
    public func log(_ message: String, level: Wire.Log.Level = .info) {
        channel.notify(Wire.Log(level: level, message: message))
    }

    /// Tells about a weakness in the build file.
    public func report(_ diagnostic: Diagnostic) { channel.notify(diagnostic) }

    /// Tells how far a piece of the frontend's own work is.
    public func report(_ progress: Wire.Progress) { channel.notify(progress) }
}
