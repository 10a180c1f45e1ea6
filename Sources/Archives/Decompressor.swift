// SPDX-License-Identifier: Apache-2.0

internal import CZlib
internal import CZstd
internal import Glibc
package import LinuxSystem

/// Reads a file that is gzip, zstd or plain, told apart by its first bytes, as plain bytes.
///
/// Reads from the file's current offset to its end. Several gzip members or zstd frames in a row are one stream, as the
/// tools of these formats read them. Used by one thread.
@safe package final class Decompressor {
    @safe private enum Form {
        case plain
        case gzip
        case zstd(OpaquePointer)
    }

    /// Bytes read from the file at once.
    private static let inputByteCount = 256 << 10

    private let file: Descriptor
    /// Is told every byte read from the file, before it is decompressed.
    private let observer: (UnsafeRawBufferPointer) -> Void
    private var form: Form?
    private let input: UnsafeMutableRawBufferPointer
    private var inputRange = 0..<0
    private var isInputEnd = false
    private var stream = unsafe z_stream()
    /// Whether a member or frame was begun and not ended.
    private var isInside = false
    /// Whether only zeros may follow: tapes and some tools fill up the last block.
    private var isInPadding = false

    package init(_ file: Descriptor, observer: @escaping (UnsafeRawBufferPointer) -> Void = { _ in }) {
        self.file = file
        unsafe self.observer = observer
        unsafe input = .allocate(byteCount: Self.inputByteCount, alignment: 16)
    }

    deinit {
        switch form {
        case .gzip: unsafe inflateEnd(&stream)
        case .zstd(let context): unsafe ZSTD_freeDCtx(context)
        case .plain, nil: break
        }
        unsafe input.deallocate()
    }

    /// Reads plain bytes; 0 means the end.
    ///
    /// - Throws: ``ArchiveError``, `malformed`, when the compressed bytes make no sense or end early.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        if form == nil { form = try detect() }
        switch form {
        case .gzip: return unsafe try readGzip(buffer)
        case .zstd(let context): return unsafe try readZstd(buffer, context)
        case .plain, nil: return unsafe try readPlain(buffer)
        }
    }

    private func detect() throws -> Form {
        try fill()
        let head = unsafe Array(input[..<min(4, inputRange.count)])
        if head.starts(with: [0x1f, 0x8b]) {
            // 31: gzip framing, the largest window.
            let status = unsafe inflateInit2_(
                &stream,
                31,
                ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)
            )
            guard status == Z_OK else {
                throw ArchiveError(.failed, "cannot decompress: zlib does not start (\(status))")
            }
            return .gzip
        }
        // A frame, or one that readers skip, as some tools put in front.
        if head == [0x28, 0xb5, 0x2f, 0xfd]
            || head.count == 4 && head[0] & 0xf0 == 0x50 && head[1...] == [0x2a, 0x4d, 0x18]
        {
            guard let context = unsafe ZSTD_createDCtx() else {
                throw ArchiveError(.failed, "cannot decompress: zstd does not start")
            }
            return unsafe .zstd(context)
        }
        return .plain
    }

    private func fill() throws {
        guard inputRange.isEmpty, !isInputEnd else { return }
        let count = unsafe try file.read(into: input)
        inputRange = 0..<count
        isInputEnd = count == 0
        unsafe observer(UnsafeRawBufferPointer(rebasing: input[..<count]))
    }

    private func readPlain(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try fill()
        let count = min(buffer.count, inputRange.count)
        if count == 0 { return 0 }
        unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[inputRange.prefix(count)]))
        inputRange = inputRange.dropFirst(count)
        return count
    }

    private func readGzip(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            try fill()
            if inputRange.isEmpty {
                if isInside { throw ArchiveError(.malformed, "cannot decompress: the gzip stream ends early") }
                return 0
            }
            if isInPadding {
                try skipPadding()
                continue
            }
            isInside = true
            unsafe stream.next_in = input.baseAddress?.advanced(by: inputRange.lowerBound)
                .assumingMemoryBound(to: UInt8.self)
            unsafe stream.avail_in = UInt32(inputRange.count)
            unsafe stream.next_out = buffer.baseAddress?.assumingMemoryBound(to: UInt8.self)
            unsafe stream.avail_out = UInt32(clamping: buffer.count)
            let status = unsafe inflate(&stream, Z_NO_FLUSH)
            inputRange = unsafe (inputRange.upperBound - Int(stream.avail_in))..<inputRange.upperBound
            let count = unsafe min(buffer.count, Int(UInt32.max)) - Int(stream.avail_out)
            switch status {
            case Z_STREAM_END:
                isInside = false
                unsafe inflateReset(&stream)
                try fill()
                isInPadding = unsafe !inputRange.isEmpty && input[inputRange.lowerBound] == 0
            case Z_OK, Z_BUF_ERROR: break
            default:
                throw ArchiveError(.malformed, "cannot decompress: the gzip stream is damaged (\(status))")
            }
            if count > 0 { return count }
        }
    }

    private func skipPadding() throws {
        guard unsafe input[inputRange].allSatisfy({ $0 == 0 }) else {
            throw ArchiveError(.malformed, "cannot decompress: something follows the padding of the gzip stream")
        }
        inputRange = inputRange.upperBound..<inputRange.upperBound
    }

    private func readZstd(
        _ buffer: UnsafeMutableRawBufferPointer,
        _ context: OpaquePointer
    ) throws -> Int {
        while true {
            try fill()
            // Between frames the library would answer with what it wants next, as inside of one.
            if inputRange.isEmpty, isInputEnd, !isInside { return 0 }
            var source = unsafe ZSTD_inBuffer(
                src: input.baseAddress?.advanced(by: inputRange.lowerBound),
                size: inputRange.count,
                pos: 0
            )
            var target = unsafe ZSTD_outBuffer(dst: buffer.baseAddress, size: buffer.count, pos: 0)
            let rest = unsafe ZSTD_decompressStream(context, &target, &source)
            if ZSTD_isError(rest) != 0 {
                throw ArchiveError(
                    .malformed,
                    "cannot decompress: \(unsafe String(cString: ZSTD_getErrorName(rest)))"
                )
            }
            inputRange = unsafe inputRange.dropFirst(source.pos)
            isInside = rest != 0
            let count = unsafe target.pos
            if count > 0 { return count }
            if inputRange.isEmpty, isInputEnd, isInside {
                throw ArchiveError(.malformed, "cannot decompress: the zstd stream ends early")
            }
        }
    }
}
