// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB
internal import OCI
internal import PathPatterns

/// A stage or image that the options of the build replace: `context:NAME=docker-image://…`.
struct NamedContext {
    /// What it is replaced by.
    let value: String
    /// Without platform.
    let name: String
    /// As the option names it.
    let optionName: String
    let platform: Platform?
    /// Paths of it that are used, known at the end.
    let usedPaths: StageState.PathSet
}

extension DockerfileConversion {
    /// The option that replaces a stage or image; the one for the platform first.
    ///
    /// - Throws: `badBase` for a name that could be no image's.
    func namedContext(
        _ name: String,
        platform: Platform?,
        paths: StageState.PathSet,
        _ lines: ClosedRange<Int>?
    ) throws -> NamedContext? {
        guard !["scratch", "context"].contains(name.lowercased()) else { return nil }
        let reference: Reference
        do {
            reference = try Reference(parsing: name)
        } catch {
            throw ConversionError(
                .badBase,
                "invalid context name \(name): \(error.message)",
                lines: lines
            )
        }
        var short = reference.familiar
        if short.hasSuffix(":latest") { short.removeLast(":latest".count) }
        let platform = platform ?? input.targetPlatform
        let specific = short + "::" + (platform ?? Platform.host).normalized.identifier
        for optionName in [specific, short] {
            guard let value = options.raw["context:" + optionName] else { continue }
            return NamedContext(
                value: value,
                name: short,
                optionName: optionName,
                platform: platform,
                usedPaths: paths
            )
        }
        return nil
    }

    /// The tree that stands in, and its image config if it is an image.
    func load(_ named: NamedContext) async throws -> (State, ImageConfig?) {
        guard let colon = named.value.firstIndex(of: ":") else {
            throw refusal(named, "it has no scheme")
        }
        var scheme = String(named.value[..<colon])
        let rest = String(named.value[named.value.index(after: colon)...])
        let location = rest.hasPrefix("//") ? String(rest.dropFirst(2)) : rest
        if scheme.hasPrefix("git@") { scheme = "git" }
        switch scheme {
        case "docker-image": return try await loadImage(location, named)
        case "oci-layout": return try await loadLayout(location, named)
        case "git", "http", "https": return (try loadRemote(scheme, named), nil)
        case "local": return (try await loadLocal(rest, named), nil)
        case "input": return try await loadInput(rest, named)
        default: throw refusal(named, "unknown scheme \"\(scheme)\"")
        }
    }

    private func refusal(_ named: NamedContext, _ reason: String) -> ConversionError {
        ConversionError(
            .badOption,
            "cannot use context \(named.optionName)=\(named.value): \(reason)"
        )
    }

    private func loadImage(
        _ name: String,
        _ named: NamedContext
    ) async throws -> (State, ImageConfig?) {
        if name == "scratch" { return (.scratch, nil) }
        let reference: Reference
        do {
            reference = try Reference(parsing: name).withDefaultTag
        } catch {
            throw refusal(named, error.message)
        }
        let resolved = try await context.resolveImage(
            reference.description,
            platform: named.platform,
            mode: options.resolveMode,
            logName: "[context \(named.optionName)] load metadata for \(reference)"
        )
        var image = try ImageConfig(parsing: resolved.config)
        image.created = nil
        let constraints = Constraints(
            platform: named.platform,
            name: "[context \(named.optionName)] \(name)"
        )
        return (try State.image(resolved.name, constraints: constraints).applying(image), image)
    }

    private func loadLayout(
        _ name: String,
        _ named: NamedContext
    ) async throws -> (State, ImageConfig?) {
        let parts = name.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(
            String.init
        )
        guard parts.count == 2, !parts[0].isEmpty, let digest = Digest(parts[1]) else {
            throw refusal(named, "expected a name and a digest")
        }
        // The tag plays no part: the digest says which image.
        let slash = parts[0].lastIndex(of: "/") ?? parts[0].startIndex
        let store =
            parts[0][slash...].firstIndex(of: ":").map { String(parts[0][..<$0]) } ?? parts[0]
        var shown = try Reference(parsing: named.name)
        shown.digest = digest
        let resolved = try await context.resolveLayoutImage(
            shown.description,
            store: store,
            platform: named.platform,
            logName: "[context \(named.optionName)] load metadata for \(shown)"
        )
        let image = try ImageConfig(parsing: resolved.config)
        let state = State.ociLayout(
            shown.description,
            session: options.session,
            store: store,
            constraints: Constraints(
                platform: named.platform,
                name: "[context \(named.optionName)] OCI load from client"
            )
        )
        return (state.applying(image), image)
    }

    private func loadRemote(_ scheme: String, _ named: NamedContext) throws -> State {
        if let git = try GitReference(source: named.value) {
            return .git(
                git.remote,
                options: git.options,
                constraints: Constraints(name: "[internal] load git source " + named.value)
            )
        }
        guard scheme != "git" else { throw refusal(named, "it is no git repository") }
        return .http(
            named.value,
            options: State.HTTPOptions(filename: "context"),
            constraints: Constraints(name: "[context \(named.optionName)] \(named.value)")
        )
    }

    /// A directory of the client, with an ignore file of its own.
    ///
    /// Which files are needed is known at the end.
    private func loadLocal(_ name: String, _ named: NamedContext) async throws -> State {
        let session = buildContext.session(of: name)
        var ignoreOptions = State.LocalOptions(session: session)
        ignoreOptions.followPaths = [".dockerignore"]
        ignoreOptions.sharedKeyHint = "context:\(named.optionName)-.dockerignore"
        ignoreOptions.differ = "none"
        let ignoreFile = State.local(
            name,
            options: ignoreOptions,
            constraints: Constraints(name: "[context \(named.optionName)] load .dockerignore")
        )
        let tree = try await context.solve(try buildContext.definition(of: ignoreFile))
        let bytes = try await tree.readFile(".dockerignore", byteLimit: nil) ?? []
        let excludes = try readIgnoreFile(bytes)
        let sharedKey = options.raw["sharedkey:localdir:" + named.optionName] ?? ""
        let deferred = DeferredOutput()
        pendingContexts.append {
            var local = State.LocalOptions(session: session)
            local.sharedKeyHint = "context:\(named.optionName)-\(sharedKey)"
            local.excludePatterns = excludes
            local.followPaths = BuildContext.filter(named.usedPaths.paths)
            deferred.resolve(
                .local(
                    name,
                    options: local,
                    constraints: Constraints(name: "[context \(named.optionName)] load from client")
                )
            )
        }
        return deferred.state
    }

    private func loadInput(
        _ name: String,
        _ named: NamedContext
    ) async throws -> (State, ImageConfig?) {
        guard let definition = try await context.input(name) else {
            throw refusal(named, "there is no such input")
        }
        let state = try State(definition)
        guard let metadata = options.raw["input-metadata:" + name] else { return (state, nil) }
        guard let encoded = try JSONValue(parsing: metadata)["containerimage.config"]?.text,
            let config = base64Decoded(encoded)
        else { return (state, nil) }
        let image = try ImageConfig(parsing: config)
        return (state.applying(image), image)
    }
}
