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
    /// Takes down what every tag turned out to mean; `nil` where no lock is made.
    var record: SourceRecord?
    /// Takes down what the lock lacks or has otherwise, instead of the build's ending with it; `nil` where that is wanted.
    var audit: SourceAudit?

    private func refuse(_ error: ProjectError, _ key: SourceKey) throws(ProjectError) {
        guard let audit else { throw error }
        audit.note(error, of: key)
    }

    /// Puts the pinned digest in place of a tag.
    ///
    /// - Returns: What the image is pinned under, for ``confirm(_:as:)``; `nil` when its name holds a digest.
    /// - Throws: `F217` when a locked build names an image that is not pinned, or not for its platform.
    func apply(to request: inout ImageRequest) throws(ProjectError) -> SourceKey? {
        if isOffline { request.resolveMode = .preferLocal }
        guard let key = SourceKey(request.reference) else { return nil }
        guard case .image(let digest, let platforms)? = lock?.sources[key] else {
            if isLocked { try refuse(.sourceNotLocked(key), key) }
            return key
        }
        let platform = request.platform.description
        if isLocked, platforms[platform] == nil {
            try refuse(.sourcePlatform(key, platform: platform, has: Array(platforms.keys)), key)
        }
        request.reference.digest = digest
        return key
    }

    /// Checks an image that was found against its pin.
    ///
    /// - Throws: `F218` when the lock names another manifest for the platform.
    func confirm(_ image: ResolvedImage, as key: SourceKey) throws(ProjectError) {
        if case .image(_, let platforms)? = lock?.sources[key],
            let pinned = platforms[image.platform.normalized.description], pinned != image.manifest.digest
        {
            let found = image.manifest.digest.description
            try refuse(.sourceChanged(key, found: found, locked: pinned.description), key)
        }
        record?.add(image, as: key)
    }

    /// Demands the pinned body of an address.
    ///
    /// - Throws: As ``apply(to:)`` of images.
    func apply(to request: inout HTTPFileRequest) throws {
        guard request.checksum == nil, let key = SourceKey(identifier: request.url) else { return }
        if case .http(let digest)? = lock?.sources[key] {
            request.demand(digest)
        } else if isLocked {
            try refuse(.sourceNotLocked(key), key)
        }
    }

    /// Puts the pinned commit in place of a reference.
    ///
    /// - Throws: As ``apply(to:)`` of images; `sourceChanged` when the build names another commit.
    func apply(to request: inout GitRequest, identifier: String) throws {
        guard !GitRequest.isCommit(request.checksum), let key = SourceKey(identifier: identifier) else { return }
        if case .git(let commit, _)? = lock?.sources[key] {
            guard commit.hasPrefix(request.checksum) else {
                throw ProjectError.sourceChanged(key, found: request.checksum, locked: commit)
            }
            request.checksum = commit
            request.fetchesByCommit = GitRequest.isCommit(commit)
        } else if isLocked {
            try refuse(.sourceNotLocked(key), key)
        }
    }
}
