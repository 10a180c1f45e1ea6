// SPDX-License-Identifier: Apache-2.0

/// Compresses a stream; equal input gives equal output, whatever the machine.
///
/// Used by one thread. After an error the stream is worth nothing.
package protocol Compressor: AnyObject {
    func write(_ bytes: UnsafeRawBufferPointer) throws
    /// Writes what is left; nothing may be written afterwards.
    func finish() throws
}

/// Takes compressed bytes, in order.
package typealias ByteOutput = (UnsafeRawBufferPointer) throws -> Void

extension Compression {
    /// A compressor that hands its output to a function, which is called on the compressor's thread.
    package func makeCompressor(_ output: @escaping ByteOutput) throws -> any Compressor {
        switch self {
        case .none: unsafe PlainCompressor(output)
        case .gzip(let level): unsafe try GzipCompressor(level: level ?? Self.gzipLevel, output)
        case .zstd(let level): unsafe try ZstdCompressor(level: level ?? Self.zstdLevel, output)
        }
    }
}

/// Passes bytes on as they are.
@safe private final class PlainCompressor: Compressor {
    private let output: ByteOutput

    init(_ output: @escaping ByteOutput) { unsafe self.output = output }

    func write(_ bytes: UnsafeRawBufferPointer) throws { unsafe try output(bytes) }
    func finish() {}
}
