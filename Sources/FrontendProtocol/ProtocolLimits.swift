// SPDX-License-Identifier: Apache-2.0

/// The limits of one session, as the engine announces them in `initialize`.
package struct ProtocolLimits: Sendable, Hashable {
    /// No frame of any session is longer, in bytes: its length fits 24 bits, so a frame's first byte is always 0.
    package static let frameCeiling = 1 << 24 - 1

    /// The longest payload of one frame of a blob, in bytes.
    package var frameBytes: Int
    /// The longest JSON text of one message, in bytes.
    package var messageBytes: Int
    /// How many bytes the blobs of one message may have together.
    package var blobBytes: Int
    /// How many requests of one side may be unanswered at a time.
    package var inFlight: Int
    /// How many refs a frontend may hold at a time.
    package var refs: Int

    package init(
        frameBytes: Int = 1 << 20,
        messageBytes: Int = 4 << 20,
        blobBytes: Int = 64 << 20,
        inFlight: Int = 32,
        refs: Int = 4096
    ) {
        self.frameBytes = min(frameBytes, Self.frameCeiling)
        self.messageBytes = min(messageBytes, Self.frameCeiling)
        self.blobBytes = blobBytes
        self.inFlight = inFlight
        self.refs = refs
    }

    /// What both sides use until `initialize` has told the session's own.
    package static let standard = ProtocolLimits()
}
