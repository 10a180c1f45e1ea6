// SPDX-License-Identifier: Apache-2.0

internal import DockerfileSyntax
internal import LLB

/// A file that may be included, by where it is read from.
///
/// The Dockerfile's directory is a tree of its own: with `-f elsewhere/Dockerfile` it is no part of the build context.
struct IncludedPath: Hashable, Sendable {
    enum Root: Hashable, Sendable {
        /// The directory the client took the Dockerfile from.
        case file
        /// The build context.
        case context
    }

    let root: Root
    /// From the root, cleaned, without a leading slash.
    let path: String

    init(root: Root, path: String) {
        self.root = root
        self.path = String(SlashPath.join("/", path).dropFirst())
    }

    /// Reads a path as it was written in this file; `nil` when it climbs out of this file's tree.
    func resolving(_ written: String) -> IncludedPath? {
        if SlashPath.isAbsolute(written) { return IncludedPath(root: .context, path: written) }
        let directory = path.split(separator: "/").dropLast().joined(separator: "/")
        // A relative path that is joined and cleaned keeps the dots it climbs with.
        let joined = SlashPath.join(directory, written)
        guard joined != "..", !joined.hasPrefix("../") else { return nil }
        return IncludedPath(root: root, path: joined)
    }
}

/// Carries out the INCLUDE instructions of a Dockerfile.
final class Inclusion {
    private let buildContext: BuildContext
    private(set) var files: SourceFiles
    private var trees: [IncludedPath: SyntaxTree] = [:]
    private var nodes: [Node] = []
    private var emptyContinuationLines: [Int] = []
    private var includeCount = 0
    private var byteCount = 0

    init(_ main: SourceFile, _ buildContext: BuildContext) {
        files = SourceFiles(main)
        self.buildContext = buildContext
    }

    /// Puts the instructions of included files in the places of the instructions that include them.
    ///
    /// - Throws: `DockerfileError` at the INCLUDE for a file that is missing, a circle, or more than ``Limit`` allows.
    func expand(_ tree: SyntaxTree) async throws -> SyntaxTree {
        let main = IncludedPath(root: try await buildContext.fileRoot(), path: tree.file)
        emptyContinuationLines = tree.emptyContinuationLines
        try await add(tree, open: [main], escape: tree.escape)
        guard !nodes.isEmpty else {
            throw DockerfileError(
                .noInstructions,
                "cannot build from this file: the files it includes hold no instruction"
            )
        }
        return SyntaxTree(tree, nodes: nodes, emptyContinuationLines: emptyContinuationLines)
    }

    /// Adds the nodes of a file; `open` are the files being read, this one last.
    private func add(_ tree: SyntaxTree, open: [IncludedPath], escape: Unicode.Scalar) async throws {
        for node in tree.nodes {
            guard IncludeInstruction.matches(node) else {
                nodes.append(node)
                guard nodes.count <= Limit.instructionCount else {
                    throw refusal(node, "more than \(Limit.instructionCount) instructions are included", .tooLarge)
                }
                continue
            }
            let instruction = try IncludeInstruction(node)
            guard let path = open[open.count - 1].resolving(instruction.path) else {
                throw refusal(
                    node,
                    "cannot include \(instruction.path): it lies outside of the directory the file is read from; a path "
                        + "that begins with / counts from the build context"
                )
            }
            if let start = open.firstIndex(of: path) {
                let circle = (open[start...] + [path]).map(\.path).joined(separator: " includes ")
                throw refusal(node, "files include each other in a circle: \(circle)")
            }
            guard open.count <= Limit.includeDepth else {
                throw refusal(node, "files include files more than \(Limit.includeDepth) deep", .tooLarge)
            }
            includeCount += 1
            guard includeCount <= Limit.includeCount else {
                throw refusal(node, "more than \(Limit.includeCount) files are included", .tooLarge)
            }
            guard let included = try await read(path, for: node) else { continue }
            guard included.escape == escape else {
                throw refusal(
                    node,
                    "cannot include \(path.path): its escape character is \(included.escape), here it is \(escape); give "
                        + "both files the same escape directive"
                )
            }
            try await add(included, open: open + [path], escape: escape)
        }
    }

    /// Reads a file, once however often it is included; `nil` when it holds no instruction.
    private func read(_ path: IncludedPath, for node: Node) async throws -> SyntaxTree? {
        if let known = trees[path] { return known }
        let room = Limit.includedByteCount - byteCount
        guard let data = try await buildContext.readIncluded(path, byteLimit: room + 1) else {
            let place = path.root == .file ? "in the directory of the Dockerfile" : "in the build context"
            throw refusal(node, "cannot include \(path.path): there is no such file \(place)")
        }
        byteCount += data.count
        guard data.count <= room else {
            throw refusal(node, "included files have more than \(Limit.includedByteCount) bytes in all", .tooLarge)
        }
        let file = SourceFile(
            filename: path.path,
            language: files.main.language,
            data: data,
            definition: try await buildContext.definition(of: buildContext.includedState(path))
        )
        let offset = files.add(file, includedBy: node.lines)
        do {
            let tree = try SyntaxTree(parsing: data, file: path.path, lineOffset: offset)
            emptyContinuationLines += tree.emptyContinuationLines
            trees[path] = tree
            return tree
        } catch {
            // A file of comments alone adds nothing.
            if error.code == .noInstructions { return nil }
            throw error
        }
    }

    private func refusal(
        _ node: Node,
        _ reason: String,
        _ code: DockerfileError.Code = .badInclude
    ) -> DockerfileError {
        DockerfileError(code, reason, range: node.range, lines: node.lines)
    }
}
