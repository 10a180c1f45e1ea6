// SPDX-License-Identifier: Apache-2.0

internal import CZlib
internal import Dispatch

/// Writes one gzip stream with several threads.
///
/// The input is cut into blocks of a fixed size. Each is compressed by itself, with the end of the block before as its
/// dictionary, and ends on a byte boundary, so that the blocks in a row are one deflate stream (the way of `pigz`).
/// Cuts depend on the input alone: the number of threads never shows in the bytes.
///
/// Source: RFC 1951, RFC 1952; zlib manual, "deflateSetDictionary", "crc32_combine".
@safe final class GzipCompressor: Compressor {
    /// Bytes of input a block.
    private static let blockByteCount = 512 << 10
    /// How far back deflate looks.
    private static let dictionaryByteCount = 32 << 10
    /// Blocks that are compressed or wait to be written at once.
    private static let blocksInFlightMax = 8

    private let level: Int32
    private let output: ByteOutput
    private let queue = DispatchQueue(label: "kiln.gzip", attributes: .concurrent)
    private var block: [UInt8] = []
    private var dictionary: [UInt8] = []
    private var inFlight: [Block] = []
    private var checksum: UInt = 0
    private var byteCount: UInt64 = 0
    private var isHeaderWritten = false

    init(level: Int, _ output: @escaping ByteOutput) throws {
        guard (0...9).contains(level) else {
            throw ArchiveError(.unsupported, "cannot compress by gzip level \(level): allowed are 0 to 9")
        }
        self.level = Int32(level)
        unsafe self.output = output
        block.reserveCapacity(Self.blockByteCount)
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws {
        var rest = unsafe bytes
        while unsafe !rest.isEmpty {
            let count = min(rest.count, Self.blockByteCount - block.count)
            unsafe block.append(contentsOf: rest[..<count])
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if block.count == Self.blockByteCount { try startBlock(isLast: false) }
        }
    }

    func finish() throws {
        try startBlock(isLast: true)
        while !inFlight.isEmpty { try writeOldest() }
        var trailer: [UInt8] = []
        for shift in stride(from: 0, to: 32, by: 8) {
            trailer.append(UInt8(truncatingIfNeeded: checksum >> shift))
        }
        for shift in stride(from: UInt64(0), to: 32, by: 8) {
            trailer.append(UInt8(truncatingIfNeeded: byteCount >> shift))
        }
        try emit(trailer)
    }

    private func startBlock(isLast: Bool) throws {
        if inFlight.count >= Self.blocksInFlightMax { try writeOldest() }
        let work = Block(input: block, dictionary: dictionary, level: level, isLast: isLast)
        inFlight.append(work)
        dictionary = Array(block.suffix(Self.dictionaryByteCount))
        block = []
        block.reserveCapacity(Self.blockByteCount)
        queue.async { work.run() }
    }

    private func writeOldest() throws {
        let work = inFlight.removeFirst()
        let (compressed, crc) = try work.result()
        if !isHeaderWritten {
            isHeaderWritten = true
            // No name, no time, an unknown system: nothing of this machine.
            try emit([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
        }
        checksum = crc32_combine(checksum, crc, Int(work.byteCount))
        byteCount &+= UInt64(work.byteCount)
        try emit(compressed)
    }

    private func emit(_ bytes: [UInt8]) throws {
        try unsafe bytes.withUnsafeBytes { unsafe try output($0) }
    }
}

/// One block on its way through a thread.
private final class Block: @unchecked Sendable {
    /// Bytes that are judged at a time.
    private static let pieceByteCount = 16 << 10
    /// How hard the default level looks for repeats: zlib's level 4 with half its chain, a quarter faster for 1 % of size.
    private static let defaultTuning: (good: Int32, lazy: Int32, nice: Int32, chain: Int32) = (4, 4, 16, 8)

    // Unchecked: the fields are written by `run` alone, and read after `done` was signalled.
    let byteCount: Int
    private let input: [UInt8]
    private let dictionary: [UInt8]
    private let level: Int32
    private let isLast: Bool
    private let done = DispatchSemaphore(value: 0)
    private var outcome: Result<(bytes: [UInt8], crc: UInt), ArchiveError> =
        .failure(ArchiveError(.failed, "cannot compress: the work was not done"))

    init(input: [UInt8], dictionary: [UInt8], level: Int32, isLast: Bool) {
        self.input = input
        self.dictionary = dictionary
        self.level = level
        self.isLast = isLast
        byteCount = input.count
    }

    func run() {
        do throws(ArchiveError) {
            let crc = unsafe input.withUnsafeBufferPointer {
                unsafe crc32(0, $0.baseAddress, UInt32($0.count))
            }
            outcome = .success((try deflated(), crc))
        } catch {
            outcome = .failure(error)
        }
        done.signal()
    }

    func result() throws(ArchiveError) -> (bytes: [UInt8], crc: UInt) {
        done.wait()
        return try outcome.get()
    }

    private func deflated() throws(ArchiveError) -> [UInt8] {
        var stream = unsafe z_stream()
        // Raw deflate: the frame of the gzip stream is written around the blocks.
        let status = unsafe deflateInit2_(
            &stream,
            level,
            Z_DEFLATED,
            -15,
            8,
            Z_DEFAULT_STRATEGY,
            ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size)
        )
        guard status == Z_OK else {
            throw ArchiveError(.failed, "cannot compress: zlib does not start (\(status))")
        }
        defer { unsafe deflateEnd(&stream) }
        unsafe tune(&stream, level)
        if !dictionary.isEmpty {
            _ = unsafe dictionary.withUnsafeBufferPointer {
                unsafe deflateSetDictionary(&stream, $0.baseAddress, UInt32($0.count))
            }
        }
        // Each flush, and each change between deflating and storing, adds an empty block of at most 5 bytes and some bits.
        let flushes = 2 + input.count / Self.pieceByteCount
        let capacity = Int(unsafe deflateBound(&stream, UInt(input.count))) + 16 * flushes
        var outcome = Z_OK
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            unsafe input.withUnsafeBufferPointer { source in
                unsafe stream.next_out = buffer.baseAddress
                unsafe stream.avail_out = UInt32(capacity)
                outcome = unsafe deflate(source, into: &stream)
                count = unsafe capacity - Int(stream.avail_out)
            }
        }
        guard outcome == (isLast ? Z_STREAM_END : Z_OK) else {
            throw ArchiveError(.failed, "cannot compress: zlib failed (\(outcome))")
        }
        return bytes
    }

    private func tune(_ stream: inout z_stream, _ level: Int32) {
        guard level == Compression.gzipLevel else { return }
        let tuning = Self.defaultTuning
        _ = unsafe deflateTune(&stream, tuning.good, tuning.lazy, tuning.nice, tuning.chain)
    }

    /// Deflates all of a block, and stores what would not shrink.
    ///
    /// - Returns: What zlib said to the last of it.
    private func deflate(_ source: UnsafeBufferPointer<UInt8>, into stream: inout z_stream) -> Int32 {
        var current = level
        var start = 0
        while start < source.count {
            let end = min(start + Self.pieceByteCount, source.count)
            let piece = unsafe UnsafeBufferPointer(rebasing: source[start..<end])
            let wanted = unsafe level == 0 || Compressibility.isPromising(piece) ? level : 0
            unsafe stream.next_in = UnsafeMutablePointer(mutating: piece.baseAddress)
            unsafe stream.avail_in = UInt32(piece.count)
            if wanted != current {
                // Writes out what was taken in at the old level first; none of the new piece is.
                unsafe stream.avail_in = 0
                let status = unsafe deflateParams(&stream, wanted, Z_DEFAULT_STRATEGY)
                guard status == Z_OK else { return status }
                unsafe stream.avail_in = UInt32(piece.count)
                unsafe tune(&stream, wanted)
                current = wanted
            }
            let status = unsafe CZlib.deflate(&stream, Z_NO_FLUSH)
            guard status == Z_OK else { return status }
            start = end
        }
        return unsafe CZlib.deflate(&stream, isLast ? Z_FINISH : Z_SYNC_FLUSH)
    }
}
