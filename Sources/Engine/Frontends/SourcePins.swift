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
}
