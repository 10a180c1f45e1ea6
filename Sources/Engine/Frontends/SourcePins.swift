// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import ProjectFiles
internal import Sources

/// What the lock of a build's project says about the sources it reads.
struct SourcePins: Sendable {
    /// `nil` without a lock: then sources are what they are at the moment.
    var lock: LockFile?
    /// Whether a source that is not pinned is an error.
    var isLocked = false
    /// Whether nothing may be asked over a network.
    var isOffline = false

    /// Puts the pinned digest in place of a tag.
    ///
    /// - Throws: `ProjectError` with F217 when a locked build names an image that is not pinned.
    func apply(to request: inout ImageRequest) throws {
        if isOffline { request.resolveMode = .preferLocal }
        guard let key = SourceKey(request.reference) else { return }
        if case .image(let digest, _)? = lock?.sources[key] {
            request.reference.digest = digest
        } else if isLocked, lock != nil {
            throw ProjectError.sourceNotLocked(key)
        }
    }

    /// Demands the pinned body of an address.
    ///
    /// - Throws: As ``apply(to:)`` of images.
    func apply(to request: inout HTTPFileRequest) throws {
        guard request.checksum == nil, let key = SourceKey(identifier: request.url) else { return }
        if case .http(let digest)? = lock?.sources[key] {
            request.demand(digest)
        } else if isLocked, lock != nil {
            throw ProjectError.sourceNotLocked(key)
        }
    }

    /// Puts the pinned commit in place of a reference.
    ///
    /// - Throws: As ``apply(to:)`` of images; `sourceChanged` when the build names another commit.
    func apply(to request: inout GitRequest, identifier: String) throws {
        guard !GitRequest.isCommit(request.checksum), let key = SourceKey(identifier: identifier) else { return }
        if case .git(let commit)? = lock?.sources[key] {
            guard commit.hasPrefix(request.checksum) else {
                throw ProjectError.sourceChanged(key, found: request.checksum, locked: commit)
            }
            request.checksum = commit
            request.fetchesByCommit = GitRequest.isCommit(commit)
        } else if isLocked, lock != nil {
            throw ProjectError.sourceNotLocked(key)
        }
    }
}
