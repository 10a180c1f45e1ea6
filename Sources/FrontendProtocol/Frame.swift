// SPDX-License-Identifier: Apache-2.0

/// One unit on the wire: `length: u32be, stream: u32be, payload[length]`.
package struct Frame: Sendable, Hashable {
    /// How long the fixed part is, in bytes.
    package static let headerSize = 8
    /// The stream of messages.
    package static let messageStream: UInt32 = 0
    /// The highest stream a blob may have.
    package static let streamMax: UInt32 = 1 << 31 - 1

    /// 0 for a message; any other number is a blob's.
    package let stream: UInt32
    package let payload: [UInt8]

    package init(stream: UInt32, payload: [UInt8]) {
        self.stream = stream
        self.payload = payload
    }

    /// The frame as bytes.
    ///
    /// - `payload`: At most ``ProtocolLimits/frameCeiling`` bytes.
    static func encode(stream: UInt32, _ payload: ArraySlice<UInt8>) -> [UInt8] {
        precondition(payload.count <= ProtocolLimits.frameCeiling, "a frame's length fits 24 bits")
        var bytes: [UInt8] = []
        bytes.reserveCapacity(headerSize + payload.count)
        append(UInt32(payload.count), to: &bytes)
        append(stream, to: &bytes)
        bytes.append(contentsOf: payload)
        return bytes
    }

    private static func append(_ number: UInt32, to bytes: inout [UInt8]) {
        for shift: UInt32 in [24, 16, 8, 0] {
            bytes.append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }
}

/// Takes bytes in pieces of any size and gives whole frames.
///
/// A frame's length is checked against the limits as soon as its header is there, before any of its payload is kept.
package struct FrameDecoder: Sendable {
    /// How the preface of HTTP/2 begins, `PRI * HTTP/2.0`: a frontend for BuildKit's gateway speaks first.
    private static let gatewayPreface = Array("PRI".utf8)

    package var limits: ProtocolLimits
    /// How many frames came out; messages about a broken frame name this number plus one.
    package private(set) var frameCount = 0

    private var buffer: [UInt8] = []
    private var start = 0

    package init(limits: ProtocolLimits) { self.limits = limits }

    /// Adds bytes as they came.
    package mutating func feed(_ bytes: some Collection<UInt8>) {
        // Move the rest to the front only once it is the smaller part: linear in all.
        if start > 0, start >= buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The bytes that are there and belong to no frame yet.
    package var rest: ArraySlice<UInt8> { buffer[start...] }

    /// Takes the next whole frame, or gives `nil` when more bytes are needed.
    package mutating func next() throws(ProtocolViolation) -> Frame? {
        guard let first = rest.first else { return nil }
        guard first == 0 else {
            // Text shows at its first byte; the preface of HTTP/2 needs three.
            if rest.count < Self.gatewayPreface.count, Self.gatewayPreface.starts(with: rest) { return nil }
            throw noFrame()
        }
        guard rest.count >= Frame.headerSize else { return nil }
        let length = Int(number(at: start))
        let stream = number(at: start + 4)
        try check(length: length, stream: stream)
        let end = start + Frame.headerSize + length
        guard buffer.count >= end else { return nil }
        let frame = Frame(stream: stream, payload: Array(buffer[end - length..<end]))
        start = end
        frameCount += 1
        return frame
    }

    /// Checks that the bytes did not end inside a frame.
    package func finish() throws(ProtocolViolation) {
        guard let first = rest.first else { return }
        guard first == 0 else { throw noFrame() }
        throw ProtocolViolation(
            .truncated,
            "the bytes end inside frame \(frameCount + 1), \(rest.count) bytes after its start"
        )
    }

    private func check(length: Int, stream: UInt32) throws(ProtocolViolation) {
        guard stream <= Frame.streamMax else {
            throw ProtocolViolation(
                .frameOrder,
                "frame \(frameCount + 1) is on stream \(stream); streams end at \(Frame.streamMax)"
            )
        }
        let isMessage = stream == Frame.messageStream
        let limit = isMessage ? limits.messageBytes : limits.frameBytes
        guard length <= limit else {
            throw ProtocolViolation(
                .oversize,
                "sent a \(length)-byte \(isMessage ? "message" : "frame"); the limit is \(limit)"
            )
        }
    }

    private func noFrame() -> ProtocolViolation {
        let sample = Array(rest.prefix(4096))
        if sample.starts(with: Self.gatewayPreface) {
            return ProtocolViolation(
                .gatewayProtocol,
                "the bytes are HTTP/2, which BuildKit's gateway protocol runs on",
                sample: sample
            )
        }
        return ProtocolViolation(
            .text,
            "frame \(frameCount + 1) begins with byte \(sample.first ?? 0) instead of 0",
            sample: sample
        )
    }

    private func number(at index: Int) -> UInt32 {
        buffer[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
