// SPDX-License-Identifier: Apache-2.0

internal import LLB
internal import OCI
internal import PathPatterns

/// The build context and what belongs to it: where it comes from and what is left out of it.
final class BuildContext {
    private let options: DockerfileOptions
    private let capabilities: Set<String>
    private let context: any ConversionContext
    private var ignored: [String]?
    /// Ignore files of the context that are read besides the usual one.
    var moreIgnoreFiles: [String] = []
    private var origin: Origin?

    private enum Origin {
        /// A directory of the client, by its name there.
        case local(String)
        /// Anything else.
        case tree(State)
    }

    init(options: DockerfileOptions, capabilities: Set<String>, context: any ConversionContext) {
        self.options = options
        self.capabilities = capabilities
        self.context = context
    }

    /// Paths as the options of a local source: relative and sorted; nothing when all of it is used.
    static func filter(_ paths: Set<String>) -> [String] {
        guard !paths.contains("/") else { return [] }
        return paths.map { SlashPath.join(".", $0) }.sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
    }

    /// The tree of the build context.
    ///
    /// `followPaths` are those that are used; empty for all.
    func main(followPaths: [String]) async throws -> State {
        switch try await findOrigin() {
        case .tree(let state): return state
        case .local(let name):
            var local = State.LocalOptions(session: session(of: name))
            local.excludePatterns = try await ignorePatterns()
            local.sharedKeyHint = name
            local.followPaths = followPaths
            return .local(
                name,
                options: local,
                constraints: Constraints(name: "[internal] load build context")
            )
        }
    }

    /// What is left out of the context by `NAME.dockerignore` beside the Dockerfile, or else by `.dockerignore` at its top;
    /// empty for a context that is no directory of the client.
    func ignorePatterns() async throws -> [String] {
        if let ignored { return ignored }
        guard case .local(let name) = try await findOrigin() else { return [] }
        var fileName = options.filename + ".dockerignore"
        // A client that hands over the Dockerfile itself may offer no directory around it.
        var content = try? await read(fileName, of: options.fileState)
        try Task.checkCancellation()
        if content == nil {
            fileName = ".dockerignore"
            content = try await read(fileName, of: ignoreFileState(of: name, fileName))
        }
        var patterns = try ignorePatterns(content ?? [], fileName)
        for path in moreIgnoreFiles {
            guard let content = try await read(path, of: ignoreFileState(of: name, path)) else {
                throw ConversionError(.badOption, "cannot find ignore file \(path) in the build context")
            }
            patterns += try ignorePatterns(content, path)
        }
        ignored = patterns
        return patterns
    }

    private func ignorePatterns(_ content: [UInt8], _ fileName: String) throws -> [String] {
        do {
            return try readIgnoreFile(content)
        } catch {
            throw ConversionError(.badOption, "cannot read \(fileName): \(error)")
        }
    }

    // MARK: Included files

    /// Where the Dockerfile is read from.
    func fileRoot() async throws -> IncludedPath.Root {
        if case .local = try await findOrigin() { .file } else { .context }
    }

    /// Reads a file that a Dockerfile includes; `nil` when there is none.
    ///
    /// A symlink is followed as in a chroot. A longer file is cut at the limit.
    func readIncluded(_ path: IncludedPath, byteLimit: Int) async throws -> [UInt8]? {
        let tree = try await context.solve(try await definition(of: includedState(path)))
        return try await tree.readFile(path.path, byteLimit: byteLimit)
    }

    /// The tree such a file is read from: of a client's directory no more than the file.
    func includedState(_ path: IncludedPath) async throws -> State {
        let directory: String
        switch (path.root, try await findOrigin()) {
        case (.context, .tree(let state)): return state
        case (.context, .local(let name)): directory = name
        case (.file, _): directory = options.raw["dockerfilekey"] ?? "dockerfile"
        }
        var local = State.LocalOptions(session: session(of: directory))
        local.followPaths = [path.path]
        local.sharedKeyHint = directory + "-" + path.path
        local.differ = "none"
        return .local(
            directory,
            options: local,
            constraints: Constraints(name: "[internal] load included file \(path.path)")
        )
    }

    /// The session that offers a directory.
    func session(of name: String) -> String? { options.session(of: name) }

    private func ignoreFileState(of name: String, _ path: String) -> State {
        var local = State.LocalOptions(session: session(of: name))
        local.followPaths = [path]
        local.sharedKeyHint = name + "-" + path
        local.differ = "none"
        return .local(
            name,
            options: local,
            constraints: Constraints(name: "[internal] load " + path)
        )
    }

    private func read(_ path: String, of state: State) async throws -> [UInt8]? {
        let tree = try await context.solve(try definition(of: state))
        return try await tree.readFile(path, byteLimit: nil)
    }

    func definition(of state: State) throws -> Definition {
        try state.definition(MarshalOptions(capabilities: capabilities))
    }

    private func findOrigin() async throws -> Origin {
        if let origin { return origin }
        var found = try await detectOrigin()
        if case .tree(let state) = found, let directory = options.raw["contextsubdir"] {
            var copy = CopyOptions()
            copy.copiesDirectoryContents = true
            var actions = FileActions()
            actions.copy(from: state, directory, to: "/", options: copy)
            found = .tree(State.scratch.file(actions))
        }
        origin = found
        return found
    }

    private func detectOrigin() async throws -> Origin {
        let name = options.raw["contextkey"] ?? "context"
        let location = options.raw[name] ?? ""
        if let git = try GitReference(source: location) {
            var gitOptions = git.options
            if let keeps = options.raw["build-arg:BUILDKIT_CONTEXT_KEEP_GIT_DIR"].flatMap(
                parseBoolean
            ), keeps {
                gitOptions.keepsGitDirectory = true
            }
            let epoch = options.raw["build-arg:SOURCE_DATE_EPOCH"] ?? ""
            if gitOptions.modificationTime.isEmpty, !epoch.isEmpty {
                gitOptions.modificationTime = "commit"
            }
            return .tree(
                .git(
                    git.remote,
                    options: gitOptions,
                    constraints: Constraints(name: "[internal] load git source " + location)
                )
            )
        }
        if location.hasPrefix("http://") || location.hasPrefix("https://") {
            return .tree(try await download(location))
        }
        if let definition = try await context.input("context") {
            return .tree(try State(definition))
        }
        return .local("context")
    }

    /// A context from the network: an archive is unpacked, anything else is the Dockerfile.
    private func download(_ url: String) async throws -> State {
        let state = State.http(
            url,
            options: State.HTTPOptions(filename: "context"),
            constraints: Constraints(name: "[internal] load remote build context")
        )
        let tree = try await context.solve(try definition(of: state))
        guard let head = try await tree.readFile("context", byteLimit: 1024), isArchive(head) else {
            return state
        }
        var copy = CopyOptions()
        copy.attemptsUnpack = true
        var actions = FileActions()
        actions.copy(from: state, "/context", to: "/", options: copy)
        return State.scratch.file(actions)
    }

    private func isArchive(_ head: [UInt8]) -> Bool {
        let marks: [[UInt8]] = [
            [0x42, 0x5a, 0x68], [0x1f, 0x8b, 0x08], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
        ]
        if marks.contains(where: { head.starts(with: $0) }) { return true }
        guard head.count >= 512 else { return false }
        // A tar header's checksum counts its own eight bytes as blanks.
        let sum = head.prefix(512).enumerated().reduce(0) {
            $0 + Int((148..<156).contains($1.offset) ? 32 : $1.element)
        }
        let text = String(
            decoding: head[148..<156].prefix { (0x30...0x37).contains($0) || $0 == 0x20 },
            as: UTF8.self
        )
        return Int(text.filter { $0 != " " }, radix: 8) == sum
    }
}
