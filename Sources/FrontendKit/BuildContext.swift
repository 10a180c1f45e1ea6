// SPDX-License-Identifier: Apache-2.0

public import LLB
internal import PathPatterns

/// The directory a build works on: the client's local source `context`, the input of that name, or what the option
/// `context` names, a git repository or an archive.
///
/// An ignore file keeps parts of a local directory out, by the rules of `.dockerignore`: `NAME.dockerignore` beside a
/// build file called `NAME`, else `.dockerignore` at the directory's top. Other contexts come filtered already.
///
///     let context = try await BuildContext(request, session)
///     let sources = try context.state(followPaths: ["src", "go.mod"])
public struct BuildContext: Sendable {
    /// The name of the local source and of the input.
    public static let localName = "context"
    /// The name of the local source that holds the build file.
    public static let fileLocalName = "dockerfile"

    /// What is kept out, as patterns of an ignore file; empty for a context that is no local directory.
    public let excludePatterns: [String]
    /// Which ignore file said so; `nil` without one.
    public let ignoreFileName: String?
    /// The whole context, where it is no local directory.
    private let tree: State?
    private let localSession: String?

    /// Finds the context of a request and reads its ignore file.
    ///
    /// - Throws: ``BuildError`` when the ignore file or the option `context` is malformed; what the session's calls throw.
    public init(_ request: BuildRequest, _ session: FrontendSession) async throws {
        localSession = request.options["local-sessionid:" + Self.localName]
        tree = try await Self.remoteTree(request, session)
        guard tree == nil else {
            excludePatterns = []
            ignoreFileName = nil
            return
        }
        let fileName = try CommonOptions(request.options).fileName
        let fileSession = request.options["local-sessionid:" + Self.fileLocalName]
        let candidates = [
            (local: Self.fileLocalName, session: fileSession, path: fileName + ".dockerignore"),
            (local: Self.localName, session: localSession, path: ".dockerignore"),
        ]
        for candidate in candidates {
            guard let content = try await session.readLocalFile(candidate.path, of: candidate.local, candidate.session)
            else { continue }
            ignoreFileName = candidate.path
            do throws(PathPatternError) {
                excludePatterns = try readIgnoreFile(content)
            } catch {
                throw BuildError("\(candidate.path): \(error)")
            }
            return
        }
        ignoreFileName = nil
        excludePatterns = []
    }

    /// The tree to build upon.
    ///
    /// - `followPaths`: Only these paths are needed, with what their symlinks point at; empty is
    ///   all.
    ///
    /// - Throws: `LLBError` when the input is no valid definition.
    public func state(followPaths: [String] = []) throws -> State {
        if let tree { return tree }
        var options = State.LocalOptions(session: localSession)
        options.excludePatterns = excludePatterns
        options.followPaths = followPaths
        options.sharedKeyHint = Self.localName
        return State.local(
            Self.localName,
            options: options,
            constraints: Constraints(name: "[internal] load build context")
        )
    }

    /// Whether an ignore file keeps a path of the context out, itself or with a directory above it.
    public func isIgnored(_ path: String) -> Bool {
        guard !excludePatterns.isEmpty, let matcher = try? PatternMatcher(patterns: excludePatterns) else {
            return false
        }
        return matcher.matchesOrParentMatches(cleanPath(path))
    }

    /// Reads a file of the context for the frontend's own use, such as one that the build file includes.
    ///
    /// Symlinks are followed as in a chroot: nothing outside of the context is ever read. The ignore file has no say.
    ///
    /// - `byteLimit`: A longer file is cut there.
    ///
    /// - Returns: `nil` when there is no such file.
    public func readFile(_ path: String, byteLimit: Int, _ session: FrontendSession) async throws -> [UInt8]? {
        guard let tree else {
            return try await session.readLocalFile(path, of: Self.localName, localSession, byteLimit: byteLimit)
        }
        let ref = try await session.solve(tree)
        return try await session.readFileIfExists(ref, path, length: Int64(byteLimit))
    }

    private static func remoteTree(_ request: BuildRequest, _ session: FrontendSession) async throws -> State? {
        if let definition = request.inputs[localName]?.definition { return try State(definition) }
        guard let location = request.options["context"], !location.isEmpty else { return nil }
        let tree: State
        do throws(GitReference.Refusal) {
            if let git = try GitReference(parsing: location) {
                tree = State.git(
                    git.remote,
                    options: git.options,
                    constraints: Constraints(name: "[internal] load git source " + location)
                )
            } else if location.hasPrefix("http://") || location.hasPrefix("https://") {
                tree = unpacked(location)
            } else {
                return nil
            }
        } catch {
            throw BuildError("option context=\(location): \(error.message)")
        }
        guard let directory = request.options["contextsubdir"], !directory.isEmpty else { return tree }
        var copy = CopyOptions()
        copy.copiesDirectoryContents = true
        var actions = FileActions()
        actions.copy(from: tree, directory, to: "/", options: copy)
        return State.scratch.file(actions)
    }

    /// An archive from the network, unpacked; what is none becomes the only file of the context.
    private static func unpacked(_ url: String) -> State {
        let download = State.http(
            url,
            options: State.HTTPOptions(filename: "context"),
            constraints: Constraints(name: "[internal] load remote build context")
        )
        var copy = CopyOptions()
        copy.attemptsUnpack = true
        var actions = FileActions()
        actions.copy(from: download, "/context", to: "/", options: copy)
        return State.scratch.file(actions)
    }
}

extension FrontendSession {
    /// Reads one small file of a local source without transferring the rest of it.
    ///
    /// - `session`: Which client offers the directory; `nil` is the build's.
    /// - `byteLimit`: A longer file is cut there.
    ///
    /// - Returns: `nil` when there is no such file.
    public func readLocalFile(
        _ path: String,
        of local: String,
        _ session: String? = nil,
        byteLimit: Int? = nil
    ) async throws -> [UInt8]? {
        var options = State.LocalOptions(session: session)
        options.followPaths = [path]
        options.sharedKeyHint = "\(local)-\(path)"
        options.differ = "none"
        let state = State.local(
            local,
            options: options,
            constraints: Constraints(name: "[internal] load \(path)")
        )
        return try await readFileIfExists(solve(state), path, length: byteLimit.map { Int64($0) })
    }
}
