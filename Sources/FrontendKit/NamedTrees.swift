// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
public import LLB
public import OCI
internal import PathPatterns

/// A tree that steps can begin with or copy from, and the image config that belongs to it.
public struct SourceTree: Sendable {
    /// The tree, with the environment and directory of the image.
    public var state: State
    /// `nil` for a tree that is no image.
    public var config: ImageConfig?

    /// A tree by its parts.
    public init(state: State, config: ImageConfig?) {
        self.state = state
        self.config = config
    }

    /// The empty tree, with the config of an image that has nothing yet but a search path.
    public static func scratch(_ platform: Platform) -> SourceTree {
        SourceTree(state: .scratch, config: .empty(platform))
    }
}

/// What the names of images stand for in one build: the image of that name, unless the client says otherwise by the option
/// `context:NAME[::PLATFORM]`.
///
/// The value of that option is `docker-image://REF`, `oci-layout://NAME@DIGEST`, a git repository, an `http` address,
/// `local:NAME` or `input:NAME`.
public struct NamedTrees: Sendable {
    private let request: BuildRequest
    private let options: CommonOptions
    private let session: FrontendSession

    /// Names of a request.
    ///
    /// - Throws: ``BuildError`` for an option that cannot be read.
    public init(_ request: BuildRequest, _ session: FrontendSession) throws {
        self.request = request
        self.session = session
        options = try CommonOptions(request.options)
    }

    /// Whether the client says what a name stands for.
    public func isGiven(_ name: String, platform: Platform) -> Bool { given(name, platform) != nil }

    /// Finds out what a name stands for; an image is resolved, its config read.
    ///
    /// - `name`: An image reference, or the name of an option `context:NAME`; `scratch` is the empty tree.
    /// - `constraints`: Of the operation that loads the tree; its name is set where it has none.
    ///
    /// - Throws: ``BuildError`` for a name or value that means nothing; what the session's calls throw.
    public func tree(
        _ name: String,
        platform: Platform,
        constraints: Constraints = Constraints()
    ) async throws -> SourceTree {
        if name == "scratch" { return .scratch(platform) }
        if let given = given(name, platform) { return try await load(given, platform, constraints) }
        return try await image(name, platform, constraints, prefix: "[internal]")
    }

    // MARK: Named contexts

    private struct Given {
        let option: String
        let value: String
        let name: String
    }

    private func given(_ name: String, _ platform: Platform) -> Given? {
        var names = [name]
        if let reference = try? Reference(parsing: name) {
            var short = reference.familiar
            if short.hasSuffix(":latest") { short.removeLast(":latest".count) }
            names.append(short)
        }
        for name in names {
            for option in [name + "::" + platform.normalized.identifier, name] {
                if let value = options.namedContexts[option] { return Given(option: option, value: value, name: name) }
            }
        }
        return nil
    }

    private func load(_ given: Given, _ platform: Platform, _ constraints: Constraints) async throws -> SourceTree {
        let value = given.value
        let prefix = "[context \(given.option)]"
        if let location = value.dropping("docker-image://") {
            if location == "scratch" { return .scratch(platform) }
            return try await image(location, platform, constraints, prefix: prefix)
        }
        if let location = value.dropping("oci-layout://") {
            return try await layout(location, given, platform, constraints, prefix)
        }
        if let name = value.dropping("local:") {
            return SourceTree(state: try await local(name, given, prefix), config: nil)
        }
        if let name = value.dropping("input:") { return try input(name, given) }
        var constraints = constraints
        do throws(GitReference.Refusal) {
            if let git = try GitReference(parsing: value) {
                constraints.name = constraints.name ?? "\(prefix) load git source \(value)"
                return SourceTree(
                    state: .git(git.remote, options: git.options, constraints: constraints),
                    config: nil
                )
            }
        } catch {
            throw refusal(given, error.message)
        }
        guard value.hasPrefix("http://") || value.hasPrefix("https://") else {
            throw refusal(given, "expected docker-image://, oci-layout://, http://, https://, local:, input: or git")
        }
        constraints.name = constraints.name ?? "\(prefix) \(value)"
        let download = State.http(value, options: State.HTTPOptions(filename: "context"), constraints: constraints)
        return SourceTree(state: download, config: nil)
    }

    private func refusal(_ given: Given, _ reason: String) -> BuildError {
        BuildError("cannot use context \(given.option)=\(given.value): \(reason)")
    }

    private func layout(
        _ location: String,
        _ given: Given,
        _ platform: Platform,
        _ constraints: Constraints,
        _ prefix: String
    ) async throws -> SourceTree {
        let parts = location.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, let digest = Digest(parts[1]) else {
            throw refusal(given, "expected a name and a digest")
        }
        // The tag plays no part: the digest says which image.
        let slash = parts[0].lastIndex(of: "/") ?? parts[0].startIndex
        let store = parts[0][slash...].firstIndex(of: ":").map { String(parts[0][..<$0]) } ?? parts[0]
        var shown = try Reference(parsing: given.name)
        shown.tag = nil
        shown.digest = digest
        let resolved = try await session.resolveImage(
            shown.description,
            platform: platform,
            logName: "\(prefix) load metadata for \(shown)",
            layout: (store: store, session: "")
        )
        var constraints = constraints
        constraints.platform = platform
        constraints.name = constraints.name ?? "\(prefix) OCI load from client"
        let state = State.ociLayout(shown.description, store: store, constraints: constraints)
        return try imageTree(state, resolved.config, platform)
    }

    private func local(_ name: String, _ given: Given, _ prefix: String) async throws -> State {
        let localSession = request.options["local-sessionid:" + name]
        let ignoreFile = try await session.readLocalFile(".dockerignore", of: name, localSession) ?? []
        var options = State.LocalOptions(session: localSession)
        options.sharedKeyHint = "context:\(given.option)"
        do throws(PathPatternError) {
            options.excludePatterns = try readIgnoreFile(ignoreFile)
        } catch {
            throw refusal(given, ".dockerignore: \(error)")
        }
        return State.local(name, options: options, constraints: Constraints(name: "\(prefix) load from client"))
    }

    private func input(_ name: String, _ given: Given) throws -> SourceTree {
        guard let definition = request.inputs[name]?.definition else { throw refusal(given, "there is no such input") }
        let state = try State(definition)
        guard let metadata = request.options["input-metadata:" + name],
            let encoded = try JSONValue(parsing: metadata)["containerimage.config"]?.text,
            let bytes = base64Decoded(encoded)
        else { return SourceTree(state: state, config: nil) }
        let config = try ImageConfig(parsing: bytes)
        return SourceTree(state: state.applying(config), config: config)
    }

    // MARK: Images

    private func image(
        _ name: String,
        _ platform: Platform,
        _ constraints: Constraints,
        prefix: String
    ) async throws -> SourceTree {
        var reference: Reference
        do throws(OCIError) {
            reference = try Reference(parsing: name).withDefaultTag
        } catch {
            throw BuildError("cannot use image \"\(name)\": \(error.message)")
        }
        let mode: Wire.ResolveSource.Mode =
            switch options.imageResolveMode {
            case .default: .standard
            case .pull: .pull
            case .local: .local
            }
        let resolved = try await session.resolveImage(
            reference.description,
            platform: platform,
            mode: mode,
            logName: "\(prefix) load metadata for \(reference)"
        )
        if let found = try? Reference(parsing: resolved.name) { reference = found }
        reference.digest = resolved.digest
        var constraints = constraints
        constraints.platform = platform
        constraints.name = constraints.name ?? "\(prefix) \(reference)"
        let state = try State.image(
            reference.description,
            resolveMode: options.imageResolveMode,
            constraints: constraints
        )
        return try imageTree(state, resolved.config, platform)
    }

    private func imageTree(_ state: State, _ bytes: [UInt8], _ platform: Platform) throws -> SourceTree {
        var config = try ImageConfig(parsing: bytes)
        config.created = nil
        config.config.onBuild = []
        let isEmpty = (config.rootFS.diffIDs ?? []).isEmpty && config.history.allSatisfy(\.emptyLayer)
        let tree = isEmpty ? State.scratch : state
        return SourceTree(state: tree.applying(config).onPlatform(platform), config: config)
    }
}

extension ImageConfig {
    /// The config of an image that starts from nothing.
    public static func empty(_ platform: Platform) -> ImageConfig {
        var image = ImageConfig(platform: platform.normalized)
        image.config.workingDirectory = "/"
        image.config.environment = ["PATH=" + State.defaultPath]
        return image
    }
}

extension String {
    /// What follows a prefix; `nil` when the text begins otherwise.
    fileprivate func dropping(_ prefix: String) -> String? { hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil }
}
