// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem

/// How ``TreeWriter/copy(from:_:to:_:)`` copies; the fields of BuildKit's copy action.
package struct CopyOptions: Sendable, Hashable {
    /// The owner of all that is copied or made on the way; `nil` = as in the source, root for made directories.
    package var owner: FileOwner?
    /// The mode of all that is copied but symlinks, with set-uid, set-gid and sticky; `nil` = as in the source.
    package var mode: UInt32?
    /// A symbolic mode, as `u+rwX,go-w`, applied to each mode; it wins over ``mode``.
    ///
    /// "" = none.
    package var modeChange = ""
    /// The time of all that is copied or made; `nil` = as in the source.
    package var timestamp: FileStatus.Time?
    /// A source that is a symlink is followed; links below it are copied as they are.
    package var followSymlink = false
    /// Of a source that is a directory, copy what is in it.
    package var copyDirectoryContents = false
    /// Unpack a source that is a tar archive (plain, gzip, bzip2, xz, zstd) instead of copying it.
    package var attemptUnpack = false
    /// Make the missing parents of the destination.
    package var createDestinationPath = false
    /// The source is a pattern of Go's `filepath.Match`.
    package var allowWildcard = false
    /// A pattern without a match is no error.
    package var allowEmptyWildcard = false
    /// Something of another type at a destination is replaced, not an error.
    package var alwaysReplaceExisting = false
    /// Patterns, relative to the source, of what is copied; empty = all.
    package var includePatterns: [String] = []
    /// Patterns, relative to the source, of what is left out; they win.
    package var excludePatterns: [String] = []
    /// Paths in the source tree of which each must be found when there are include patterns.
    package var requiredPaths: [String] = []

    package init() {}
}
