// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem
internal import OCI
internal import Snapshots
internal import SystemPackage

/// Reads files of a scan: finds their attributes and computes the digests that content hashes use.
struct FileHashing: Sendable {
    /// What reading a file gave.
    struct Outcome: Sendable {
        /// The status under which the bytes were read; it differs from the walk's when the file
        /// changed in between.
        var status: FileStatus
        var hasAttributes: Bool
        var digest: Digest
    }

    /// Times a file is read again because it changed meanwhile.
    private static let attemptLimit = 5
    private static let bufferSize = 1 << 18

    let root: Directory
    let shownPath: String
    let cancellation: CancellationFlag

    /// Reads one regular file to its end.
    ///
    /// - Returns: `nil` when there is no regular file of that name any more.
    /// - Throws: ``SourcesError``, `changing`, when the file changed during each of several
    ///   attempts.
    func hash(_ path: String) throws -> Outcome? {
        for _ in 0..<Self.attemptLimit {
            let file: LinuxSystem.Descriptor
            do {
                // Not blocking: the name may have become a FIFO since it was listed.
                file = try root.open(path, flags: Self.openFlags, scope: .noSymlinks)
            } catch  where error.isGone {
                return nil
            } catch {
                throw SourcesError(error, verb: "read", object: "\(shownPath)/\(path)")
            }
            let status = try file.status()
            guard status.isRegular else { return nil }
            let attributes = try carriedAttributes(of: file)
            let digest = try contents(of: file, status, attributes)
            if let digest, try file.status().isUnchanged(since: status) {
                return Outcome(status: status, hasAttributes: !attributes.isEmpty, digest: digest)
            }
        }
        throw SourcesError(
            .changing,
            "cannot read \(shownPath)/\(path): it changed each time it was read; stop what writes to it"
        )
    }

    static let openFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK

    /// - Returns: `nil` when the file has not the size it should have.
    private func contents(
        of file: LinuxSystem.Descriptor,
        _ status: FileStatus,
        _ attributes: [ExtendedAttribute]
    ) throws -> Digest? {
        var hasher = ContentHash.header(LayerEntry(status, target: ""), attributes: attributes)
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: Int(clamping: min(status.size + 1, UInt64(Self.bufferSize))),
            alignment: 16
        )
        defer { unsafe buffer.deallocate() }
        var total: UInt64 = 0
        while true {
            try cancellation.check()
            let count = unsafe try file.read(into: buffer)
            if count == 0 { return total == status.size ? hasher.finish() : nil }
            total += UInt64(count)
            if total > status.size { return nil }
            unsafe hasher.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }
}
