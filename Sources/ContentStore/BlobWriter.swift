// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
package import OCI
internal import Synchronization

/// A blob that is being written.
///
/// Nothing of it shows in the store before ``commit()``. A writer that is dropped or cancelled leaves nothing. Calls
/// may come from any thread, one at a time.
package final class BlobWriter: Sendable {
    private struct State {
        var digester = Digester()
        var size: Int64 = 0
        var isOpen = true
    }

    private let store: ContentStore
    private let file: LinuxSystem.Descriptor
    private let name: String
    private let expected: Digest?
    private let expectedSize: Int64?
    private let state = Mutex(State())

    init(
        store: ContentStore,
        file: LinuxSystem.Descriptor,
        name: String,
        expected: Digest?,
        expectedSize: Int64?
    ) {
        self.store = store
        self.file = file
        self.name = name
        self.expected = expected
        self.expectedSize = expectedSize
    }

    deinit { cancel() }

    /// Bytes written so far.
    package var size: Int64 { state.withLock { $0.size } }

    /// Adds bytes.
    ///
    /// - Throws: `sizeMismatch` as soon as there are more than announced; `noSpace`.
    package func write(_ bytes: UnsafeRawBufferPointer) throws {
        guard unsafe !bytes.isEmpty else { return }
        try state.withLock { state in
            precondition(state.isOpen, "a blob is not written after it was committed or cancelled")
            let total = state.size + Int64(bytes.count)
            if let expectedSize, total > expectedSize {
                throw ContentStoreError(
                    .sizeMismatch,
                    "cannot store blob \(label): more than the announced \(expectedSize) bytes came"
                )
            }
            try attempt("store blob \(label)") { unsafe try file.write(all: bytes) }
            unsafe state.digester.update(bytes)
            state.size = total
        }
    }

    /// Adds bytes.
    ///
    /// - Throws: `sizeMismatch` as soon as there are more than announced; `noSpace`.
    package func write(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { unsafe try write($0) }
    }

    /// Moves the finished blob into the store.
    ///
    /// The blob is synced and renamed before this returns, so it survives a crash. Committing a digest that stands
    /// already succeeds and keeps the first copy.
    ///
    /// - Throws: `digestMismatch` or `sizeMismatch` when the bytes are not those announced; `noSpace`. Nothing is left
    ///   then.
    @discardableResult
    package func commit() throws -> (digest: Digest, size: Int64) {
        try state.withLock { state in
            precondition(state.isOpen, "a blob is committed once")
            state.isOpen = false
            do {
                if let expectedSize, state.size != expectedSize {
                    throw ContentStoreError(
                        .sizeMismatch,
                        "cannot store blob \(label): it has \(state.size) bytes, expected \(expectedSize)"
                    )
                }
                let digest = state.digester.finish()
                if let expected, digest != expected {
                    throw ContentStoreError(
                        .digestMismatch,
                        "cannot store blob \(expected): the bytes hash to \(digest)"
                    )
                }
                try attempt("store blob \(label)") {
                    try store.adopt(file, name, in: store.state.temporary, as: digest, size: state.size)
                }
                return (digest, state.size)
            } catch {
                try? store.state.temporary.remove(name: name)
                throw error
            }
        }
    }

    /// Drops the blob; after a commit it does nothing.
    package func cancel() {
        state.withLock { state in
            guard state.isOpen else { return }
            state.isOpen = false
            try? store.state.temporary.remove(name: name)
        }
    }

    private var label: String { expected?.description ?? "of a digest not known yet" }
}
