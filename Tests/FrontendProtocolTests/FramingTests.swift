// SPDX-License-Identifier: Apache-2.0

import FrontendProtocol
import Testing

/// P-FRAME-* of `Protocol/SPEC.md`: bytes to frames.
struct FramingTests {
    private func frame(_ stream: UInt32, _ payload: [UInt8], length: UInt32? = nil) -> [UInt8] {
        bigEndian(length ?? UInt32(payload.count)) + bigEndian(stream) + payload
    }

    private func violation(
        _ bytes: [UInt8],
        limits: ProtocolLimits = .standard
    )
        -> ProtocolViolation?
    {
        var decoder = FrameDecoder(limits: limits)
        decoder.feed(bytes)
        do {
            while try decoder.next() != nil {}
            try decoder.finish()
            return nil
        } catch {
            return error
        }
    }

    @Test func `gives the same frames wherever the bytes are split`() throws {
        let frames = [
            Frame(stream: 0, payload: Array("{}".utf8)), Frame(stream: 1, payload: [1, 2, 3]),
            Frame(stream: Frame.streamMax, payload: []),
        ]
        let bytes = frames.flatMap { frame($0.stream, $0.payload) }
        for first in 0...bytes.count {
            for second in first...bytes.count {
                var decoder = FrameDecoder(limits: .standard)
                var found: [Frame] = []
                for piece in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    decoder.feed(piece)
                    while let frame = try decoder.next() { found.append(frame) }
                }
                #expect(found == frames)
                try decoder.finish()
            }
        }
    }

    @Test func `takes text on the stream for what it is, at its first byte`() {
        let message = frame(0, Array("{}".utf8))
        for text in ["W", "WARNING: deprecated\n", "\u{1}"] {
            let found = violation(message + Array(text.utf8))
            #expect(found?.code == .text)
            #expect(found?.sample == Array(text.utf8))
        }
    }

    @Test func `recognises HTTP/2`() {
        #expect(violation(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8))?.code == .gatewayProtocol)
    }

    @Test func `refuses an oversize frame by its header alone`() {
        let limits = ProtocolLimits(frameBytes: 10, messageBytes: 20)
        #expect(violation(frame(1, [], length: 11), limits: limits)?.code == .oversize)
        #expect(violation(frame(0, [], length: 21), limits: limits)?.code == .oversize)
        #expect(violation(frame(1, Array(repeating: 7, count: 10)), limits: limits) == nil)
        #expect(
            violation(frame(0, [], length: 21), limits: limits)?.message
                == "sent a 21-byte message; the limit is 20"
        )
    }

    @Test func `refuses a stream beyond 2^31 - 1`() {
        #expect(violation(frame(1 << 31, []))?.code == .frameOrder)
        #expect(violation(frame(.max, []))?.code == .frameOrder)
    }

    @Test func `notices bytes that end inside a frame`() {
        let bytes = frame(0, Array("{}".utf8))
        for count in 1..<bytes.count {
            #expect(violation(Array(bytes[..<count]))?.code == .truncated)
        }
        #expect(violation(bytes) == nil)
        #expect(violation([]) == nil)
    }

    @Test(.timeLimit(.minutes(1))) func `takes a large frame byte by byte in linear time`() throws {
        var decoder = FrameDecoder(limits: .standard)
        let bytes = frame(1, Array(repeating: 5, count: 300_000))
        var count = 0
        for byte in bytes {
            decoder.feed(CollectionOfOne(byte))
            while try decoder.next() != nil { count += 1 }
        }
        #expect(count == 1)
    }

    @Test func `limits above the ceiling are cut to it`() {
        let limits = ProtocolLimits(frameBytes: 1 << 30, messageBytes: 1 << 30)
        #expect(limits.frameBytes == ProtocolLimits.frameCeiling)
        #expect(limits.messageBytes == ProtocolLimits.frameCeiling)
    }
}

func bigEndian(_ number: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
}
