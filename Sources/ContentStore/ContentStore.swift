// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import LinuxSystem
package import OCI

/// Blobs by digest: `blobs/sha256/<hex>`.
///
/// A blob is there whole and durable, or not at all. Several processes may use one store; whoever commits a digest
/// first wins and the others' bytes are dropped. Bytes are never trusted because of where they lie: ``read(_:byteLimit:)``
/// and ``verify(_:)`` hash them again, and a blob that no longer matches is moved to `blobs/corrupt/` so that the next
/// build fetches it anew.
///
/// All calls block on the disk; run them on a blocking thread.
package final class ContentStore: Sendable {
    package let state: StateDirectory
    let blobs: Directory
    let partials: Directory
    private let corrupt: Directory

    /// How long a download that nobody continues is kept, in seconds.
    private static let partialLifetime: Int64 = 7 * 24 * 3600

    package init(state: StateDirectory) throws {
        self.state = state
        (blobs, corrupt, partials) = try attempt("open the blob store") {
            (
                try state.root.directory("blobs/sha256"), try state.root.directory("blobs/corrupt"),
                try state.root.directory("blobs/partial")
            )
        }
        removeStalePartials()
    }

    /// Whether the store has a blob.
    ///
    /// Says nothing about its bytes.
    package func contains(_ digest: Digest) -> Bool {
        (try? blobs.statusIfExists(name: digest.hex)) != nil
    }

    /// Length in bytes.
    ///
    /// - Throws: `notFound`.
    package func size(of digest: Digest) throws -> Int64 {
        try attempt("find blob \(digest)") {
            guard let status = try blobs.statusIfExists(name: digest.hex) else {
                throw Self.missing(digest)
            }
            return Int64(clamping: status.size)
        }
    }

    /// Opens a blob for reading, at offset 0.
    ///
    /// It can be read to its end even if it is removed meanwhile.
    ///
    /// - Throws: `notFound`.
    package func open(_ digest: Digest) throws -> LinuxSystem.Descriptor {
        do {
            return try blobs.open(digest.hex, flags: O_RDONLY | O_NOFOLLOW)
        } catch {
            if error.isNotFound { throw Self.missing(digest) }
            throw ContentStoreError("open blob \(digest)", error)
        }
    }

    /// Reads and verifies a whole blob.
    ///
    /// - Throws: `notFound`; `tooLarge` above `byteLimit`; `corrupt` when the bytes do not hash to the name, after
    ///   moving the blob out of the way.
    package func read(_ digest: Digest, byteLimit: Int) throws -> [UInt8] {
        let file = try open(digest)
        let bytes = try attempt("read blob \(digest)") {
            let size = try file.status().size
            if size > UInt64(clamping: byteLimit) {
                throw ContentStoreError(
                    .tooLarge,
                    "cannot read blob \(digest): it has \(size) bytes, at most \(byteLimit) are allowed"
                )
            }
            return try file.readToEnd(byteLimit: byteLimit)
        }
        if Digest.of(bytes) != digest { throw quarantine(digest, found: Digest.of(bytes)) }
        return bytes
    }

    /// Hashes a blob again.
    ///
    /// - Throws: `notFound`; `corrupt` when it does not match, after moving it out of the way.
    package func verify(_ digest: Digest) throws {
        let found = try attempt("read blob \(digest)") { try hash(open(digest)).finish() }
        if found != digest { throw quarantine(digest, found: found) }
    }

    /// Moves a blob whose bytes proved wrong out of the way and gives the error to throw.
    package func quarantine(_ digest: Digest, found: Digest?) -> ContentStoreError {
        try? blobs.rename(digest.hex, to: corrupt, digest.hex, replacing: true)
        let seen = found.map { "its bytes hash to \($0)" } ?? "its bytes cannot be read"
        return ContentStoreError(
            .corrupt,
            "cannot use blob \(digest): \(seen); it was moved to blobs/corrupt and will be fetched or built again"
        )
    }

    /// Begins a new blob.
    ///
    /// - Parameters:
    ///   - expected: The digest the bytes must have, if it is known.
    ///   - expectedSize: The length they must have, if it is known. Writing more fails at once.
    package func ingest(expected: Digest? = nil, expectedSize: Int64? = nil) throws -> BlobWriter {
        let name = state.nextName("blob")
        let file = try attempt("make a blob") { try state.temporary.createFile(name, mode: 0o600) }
        return BlobWriter(
            store: self,
            file: file,
            name: name,
            expected: expected,
            expectedSize: expectedSize
        )
    }

    /// Stores some bytes and gives their digest.
    @discardableResult
    package func put(_ bytes: [UInt8]) throws -> Digest {
        let digest = Digest.of(bytes)
        if contains(digest), (try? size(of: digest)) == Int64(bytes.count) { return digest }
        let writer = try ingest(expected: digest, expectedSize: Int64(bytes.count))
        try writer.write(bytes)
        return try writer.commit().digest
    }

    /// Removes a blob; a missing one is fine.
    package func remove(_ digest: Digest) throws {
        do {
            try blobs.remove(name: digest.hex)
        } catch {
            if !error.isNotFound { throw ContentStoreError("remove blob \(digest)", error) }
        }
    }

    /// All blobs, by digest.
    package func list() throws -> [(digest: Digest, size: Int64)] {
        try attempt("list the blobs") {
            var list: [(digest: Digest, size: Int64)] = []
            for entry in try blobs.entries() {
                guard
                    let digest = Digest(hex: entry.name),
                    let status = try blobs.statusIfExists(name: entry.name)
                else { continue }
                list.append((digest, Int64(clamping: status.size)))
            }
            return list.sorted { $0.digest < $1.digest }
        }
    }

    /// Moves a complete, verified file into place.
    ///
    /// The file's bytes and its name are on disk when this returns. A blob of the same digest that already stands is
    /// kept, unless its length shows that it is damaged.
    func adopt(
        _ file: LinuxSystem.Descriptor,
        _ name: String,
        in directory: Directory,
        as digest: Digest,
        size: Int64
    ) throws(SystemCallError) {
        if let standing = try blobs.statusIfExists(name: digest.hex), Int64(clamping: standing.size) == size {
            try directory.remove(name: name)
            return
        }
        try file.sync()
        try directory.rename(name, to: blobs, digest.hex, replacing: true)
        try blobs.sync()
    }

    static func missing(_ digest: Digest) -> ContentStoreError {
        ContentStoreError(.notFound, "cannot find blob \(digest) in the store")
    }

    private func removeStalePartials() {
        let now = Int64(time(nil))
        for entry in (try? partials.entries()) ?? [] {
            guard
                let status = try? partials.status(name: entry.name),
                now - status.modified.seconds > Self.partialLifetime,
                let file = try? partials.open(entry.name, flags: O_RDWR | O_NOFOLLOW),
                (try? file.lock(exclusive: true, wait: false)) == true
            else { continue }
            try? partials.remove(name: entry.name)
        }
    }
}

/// Hashes a file from its beginning; its offset does not matter and does not move.
func hash(_ file: LinuxSystem.Descriptor) throws(SystemCallError) -> Digester {
    var digester = Digester()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 16)
    defer { unsafe buffer.deallocate() }
    var offset: Int64 = 0
    while true {
        let count = unsafe try file.read(into: buffer, at: offset)
        if count == 0 { return digester }
        unsafe digester.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        offset += Int64(count)
    }
}
