// SPDX-License-Identifier: Apache-2.0

public import LLB
internal import PathPatterns

/// The directory a build works on: the client's local source `context`, or the input of that name.
///
/// An ignore file keeps parts of a local directory out, by the rules of `.dockerignore`: `NAME.dockerignore` beside a
/// build file called `NAME`, else `.dockerignore` at the directory's top. Inputs come filtered already.
public struct BuildContext: Sendable {
    /// The name of the local source and of the input.
    public static let localName = "context"
    /// The name of the local source that holds the build file.
    public static let fileLocalName = "dockerfile"

    /// What is kept out, as patterns of an ignore file; empty for an input.
    public let excludePatterns: [String]
    /// Which ignore file said so; `nil` without one.
    public let ignoreFileName: String?
    private let input: Definition?

    /// Finds the context of a request and reads its ignore file.
    ///
    /// - Throws: ``BuildError`` when the ignore file is malformed; what the session's calls throw.
    public init(_ request: BuildRequest, _ session: FrontendSession) async throws {
        if let definition = request.inputs[Self.localName]?.definition {
            input = definition
            excludePatterns = []
            ignoreFileName = nil
            return
        }
        input = nil
        let fileName = try CommonOptions(request.options).fileName
        let beside = (local: Self.fileLocalName, path: fileName + ".dockerignore")
        let atTop = (local: Self.localName, path: ".dockerignore")
        for candidate in [beside, atTop] {
            guard let content = try await Self.read(candidate.path, of: candidate.local, session)
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
        if let input { return try State(input) }
        var options = State.LocalOptions()
        options.excludePatterns = excludePatterns
        options.followPaths = followPaths
        options.sharedKeyHint = Self.localName
        return State.local(
            Self.localName,
            options: options,
            constraints: Constraints(name: "[internal] load build context")
        )
    }

    private static func read(
        _ path: String,
        of local: String,
        _ session: FrontendSession
    ) async throws -> [UInt8]? {
        var options = State.LocalOptions()
        options.followPaths = [path]
        options.sharedKeyHint = "\(local)-\(path)"
        options.differ = "none"
        let state = State.local(
            local,
            options: options,
            constraints: Constraints(name: "[internal] load \(path)")
        )
        return try await session.readFileIfExists(session.solve(state), path)
    }
}
