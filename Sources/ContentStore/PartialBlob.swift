// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
package import OCI
internal import Synchronization

/// A download that can be continued: by this process after a failure, or by another one later.
///
/// Whoever holds the object holds the download; a second caller for the same digest, here or in another process, waits
/// until the first let go. What was appended stays on disk when the object goes, until it is committed or a week old.
package final class PartialBlob: Sendable {
    private struct State {
        var digester: Digester
        var offset: Int64
        var isOpen = true
    }

    package let digest: Digest
    private let store: ContentStore
    private let file: LinuxSystem.Descriptor
    private let state: Mutex<State>

    fileprivate init(
        store: ContentStore,
        digest: Digest,
        file: LinuxSystem.Descriptor
    ) throws(SystemCallError) {
        self.store = store
        self.digest = digest
        self.file = file
        let digester = try hash(file)
        let offset = Int64(clamping: try file.status().size)
        try file.seek(to: offset)
        state = Mutex(State(digester: digester, offset: offset))
    }

    /// How many bytes are there; the next append goes here.
    package var offset: Int64 { state.withLock { $0.offset } }

    /// Adds bytes at ``offset``.
    package func append(_ bytes: UnsafeRawBufferPointer) throws {
        try state.withLock { state in
            precondition(state.isOpen, "a download is not continued after its commit")
            do {
                try attempt("store blob \(digest)") { unsafe try file.write(all: bytes) }
            } catch {
                // A short write would be hashed by nobody: go back to what is known.
                try? file.truncate(to: state.offset)
                try? file.seek(to: state.offset)
                throw error
            }
            unsafe state.digester.update(bytes)
            state.offset += Int64(bytes.count)
        }
    }

    /// Adds bytes at ``offset``.
    package func append(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { unsafe try append($0) }
    }

    /// Drops all bytes, so that the download can begin anew.
    package func reset() throws {
        try state.withLock { state in
            try attempt("restart the download of blob \(digest)") {
                try file.truncate(to: 0)
                try file.seek(to: 0)
            }
            state.digester = Digester()
            state.offset = 0
        }
    }

    /// Moves the complete download into the store; it survives a crash once this returns.
    ///
    /// - Throws: `sizeMismatch` while bytes are missing (they are kept) or when there are too many; `digestMismatch`.
    ///   Wrong bytes are dropped, so that the next try begins anew.
    package func commit(expectedSize: Int64? = nil) throws {
        try state.withLock { state in
            precondition(state.isOpen, "a download is committed once")
            if let expectedSize, state.offset != expectedSize {
                if state.offset > expectedSize { discard() }
                throw ContentStoreError(
                    .sizeMismatch,
                    "cannot store blob \(digest): it has \(state.offset) bytes, expected \(expectedSize)"
                )
            }
            let found = state.digester.finish()
            if found != digest {
                discard()
                throw ContentStoreError(
                    .digestMismatch,
                    "cannot store blob \(digest): the bytes hash to \(found)"
                )
            }
            try attempt("store blob \(digest)") {
                try store.adopt(file, digest.hex, in: store.partials, as: digest, size: state.offset)
            }
            state.isOpen = false
        }
    }

    private func discard() { try? store.partials.remove(name: digest.hex) }
}

extension ContentStore {
    /// Begins or continues the download of a blob; waits while somebody else downloads it.
    ///
    /// Look with ``contains(_:)`` afterwards: the other one may have finished it.
    package func partial(_ digest: Digest) throws -> PartialBlob {
        try attempt("download blob \(digest)") {
            while true {
                let file = try partials.open(
                    digest.hex,
                    flags: O_RDWR | O_CREAT | O_NOFOLLOW,
                    mode: 0o600
                )
                _ = try file.lock(exclusive: true, wait: true)
                // The one who held the lock may have moved this very file into the store: then begin again.
                let named = try partials.statusIfExists(name: digest.hex)
                if let named, named.inode == (try file.status().inode) {
                    return try PartialBlob(store: self, digest: digest, file: file)
                }
            }
        }
    }
}
