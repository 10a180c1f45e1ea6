// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import OCI
internal import Snapshots

/// The result of every operation here: a file tree.
///
/// - Throws: `invalidDefinition` when a result is something else, which only a defect of the engine can cause.
func fileTree(_ result: any Sendable) throws -> FileTree {
    guard let tree = result as? FileTree else {
        throw EngineError(.invalidDefinition, "a result is no file tree")
    }
    return tree
}

/// The digest of parts of a tree, as BuildKit combines it: each part's content digest, joined by zero bytes.
func contentDigest(of result: any Sendable, _ selections: [ContentSelection]) async throws -> Digest {
    let reader = try await TreeReader(fileTree(result))
    let selections = selections.isEmpty ? [ContentSelection(path: "/")] : selections
    return try await blocking {
        let digests = try selections.map { selection in
            try reader.contentDigest(
                selection.path,
                followSymlinks: selection.followSymlinks,
                wildcard: selection.wildcard,
                include: selection.includePatterns,
                exclude: selection.excludePatterns,
                requiredPaths: selection.requiredPaths
            )
        }
        return Digest.of(digests.map(\.description).joined(separator: "\0"))
    }
}
