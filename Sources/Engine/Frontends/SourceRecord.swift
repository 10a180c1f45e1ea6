// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import ProjectFiles
internal import Sources
internal import Synchronization

/// What the sources of a build turned out to be, for a lock that is made.
final class SourceRecord: Sendable {
    private let entries = Mutex<[SourceKey: LockedSource]>([:])

    var sources: [SourceKey: LockedSource] { entries.withLock { $0 } }

    /// Notes the commit of a git reference, or the body of an address; the first one counts.
    func add(_ source: LockedSource, as key: SourceKey) {
        entries.withLock { entries in
            if entries[key] == nil { entries[key] = source }
        }
    }

    /// Notes what a tag was for one platform.
    ///
    /// Within a build a tag means one digest: the first one counts.
    func add(_ image: ResolvedImage, as key: SourceKey) {
        entries.withLock { entries in
            var platforms: [String: Digest] = [:]
            var root = image.root.digest
            if case .image(let first, let known)? = entries[key] { (root, platforms) = (first, known) }
            guard root == image.root.digest else { return }
            platforms[image.platform.normalized.description] = image.manifest.digest
            entries[key] = .image(root, platforms: platforms)
        }
    }
}
