// SPDX-License-Identifier: Apache-2.0

internal import CZstd

/// Writes one zstd frame, with the library's own worker threads.
///
/// The number of workers is fixed, because one worker and none give different bytes (zstd manual, "nbWorkers").
@safe final class ZstdCompressor: Compressor {
    private static let workerCount: Int32 = 2

    private let context: OpaquePointer
    private let output: ByteOutput
    private var buffer: [UInt8]

    init(level: Int, _ output: @escaping ByteOutput) throws {
        guard (1...22).contains(level) else {
            throw ArchiveError(.unsupported, "cannot compress by zstd level \(level): allowed are 1 to 22")
        }
        guard let context = unsafe ZSTD_createCCtx() else {
            throw ArchiveError(.failed, "cannot compress: zstd does not start")
        }
        unsafe self.context = context
        unsafe self.output = output
        buffer = [UInt8](repeating: 0, count: ZSTD_CStreamOutSize())
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, Int32(level))
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        // A library without threads refuses and works alone; Debian's has them.
        unsafe ZSTD_CCtx_setParameter(context, ZSTD_c_nbWorkers, Self.workerCount)
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        unsafe try compress(bytes, ZSTD_e_continue)
    }

    func finish() throws {
        try unsafe compress(UnsafeRawBufferPointer(start: nil, count: 0), ZSTD_e_end)
    }

    private func compress(_ bytes: UnsafeRawBufferPointer, _ mode: ZSTD_EndDirective) throws {
        var input = unsafe ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
        while true {
            var written = 0
            let rest = unsafe buffer.withUnsafeMutableBytes { target in
                var out = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                let rest = unsafe ZSTD_compressStream2(context, &out, &input, mode)
                written = unsafe out.pos
                return rest
            }
            if ZSTD_isError(rest) != 0 {
                throw ArchiveError(
                    .failed,
                    "cannot compress: \(unsafe String(cString: ZSTD_getErrorName(rest)))"
                )
            }
            if written > 0 {
                try unsafe buffer.withUnsafeBytes {
                    unsafe try output(UnsafeRawBufferPointer(rebasing: $0[..<written]))
                }
            }
            let isDone = unsafe mode == ZSTD_e_end ? rest == 0 : input.pos == input.size
            if isDone { return }
        }
    }
}
