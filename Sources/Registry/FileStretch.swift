// SPDX-License-Identifier: Apache-2.0

internal import LinuxSystem
internal import NIOCore

/// A stretch of an open file as the body of a request, read piece by piece without holding a
/// thread.
struct FileStretch: AsyncSequence, Sendable {
    typealias Element = ByteBuffer

    /// Length of one piece in bytes.
    private static let pieceByteCount: Int64 = 512 << 10

    let file: LinuxSystem.Descriptor
    /// Where the stretch begins, in bytes from the beginning of the file.
    let offset: Int64
    let byteCount: Int64
    /// Is told how many bytes of the stretch were handed out so far.
    let progress: @Sendable (Int64) -> Void

    func makeAsyncIterator() -> Iterator { Iterator(stretch: self) }

    struct Iterator: AsyncIteratorProtocol {
        let stretch: FileStretch
        var done: Int64 = 0

        /// - Throws: `SystemCallError`; `sizeMismatch` when the file is shorter than the stretch.
        mutating func next() async throws -> ByteBuffer? {
            let rest = stretch.byteCount - done
            guard rest > 0 else { return nil }
            let count = Int(Swift.min(rest, FileStretch.pieceByteCount))
            let position = stretch.offset + done
            let file = stretch.file
            let end = stretch.offset + stretch.byteCount
            let piece = try await blocking {
                var buffer = ByteBufferAllocator().buffer(capacity: count)
                let read = unsafe try buffer.writeWithUnsafeMutableBytes(
                    minimumWritableBytes: count
                ) { space in
                    unsafe try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: space[..<count]),
                        at: position
                    )
                }
                if read == 0 {
                    throw RegistryError(
                        .sizeMismatch,
                        "the blob in the store ended before its \(end) bytes were sent"
                    )
                }
                return buffer
            }
            done += Int64(piece.readableBytes)
            stretch.progress(done)
            return piece
        }
    }
}
