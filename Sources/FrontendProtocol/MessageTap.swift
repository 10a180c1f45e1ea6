// SPDX-License-Identifier: Apache-2.0

/// Listens to the bytes of one side and gives its messages as they were sent; for records of a session.
///
/// What breaks the protocol ends the listening: somebody else reports it.
package struct MessageTap: Sendable {
    /// One message.
    package struct Message: Sendable, Hashable {
        /// Which of the sender's frames it is, counted from 1.
        package let frame: Int
        /// The JSON text.
        package let text: [UInt8]
        /// The byte strings it announces, in order.
        package let blobs: [[UInt8]]
    }

    private var decoder: FrameDecoder
    private var assembler: MessageAssembler
    private var messageFrame = 0
    private var isOver = false

    /// - Parameter sender: Whose bytes are listened to.
    package init(sender: PeerRole, limits: ProtocolLimits) {
        decoder = FrameDecoder(limits: limits)
        assembler = MessageAssembler(sender: sender, limits: limits)
    }

    /// Takes bytes as they came, and gives the messages they complete.
    package mutating func feed(_ bytes: [UInt8]) -> [Message] {
        if isOver { return [] }
        var messages: [Message] = []
        decoder.feed(bytes)
        do throws(ProtocolViolation) {
            while let frame = try decoder.next() {
                if frame.stream == Frame.messageStream { messageFrame = decoder.frameCount }
                guard let assembled = try assembler.accept(frame, number: decoder.frameCount) else { continue }
                messages.append(Message(frame: messageFrame, text: assembled.text, blobs: assembled.blobs))
            }
        } catch {
            isOver = true
        }
        return messages
    }

    /// The message behind a text: byte strings in the place of their announcements.
    ///
    /// - Parameter blobs: One for each announcement, in order; missing ones are empty.
    /// - Throws: ``ProtocolViolation`` when the text is no message.
    package static func message(
        _ text: [UInt8],
        blobs: [[UInt8]],
        sender: PeerRole
    ) throws(ProtocolViolation) -> WireObject {
        try MessageAssembler(sender: sender, limits: .standard).message(text, blobs: blobs)
    }
}

extension WireObject {
    /// Reads one JSON object, by the rules of messages; announcements stay as they are.
    package init(json text: [UInt8]) throws(ProtocolViolation) {
        do {
            self = try JSONParser.object(text)
        } catch {
            throw ProtocolViolation(.malformedJSON, "not valid JSON \(error)")
        }
    }

    /// The object with the members of every object in the order of their names' bytes: equal for equal JSON values.
    package var normalized: WireObject {
        let ordered = members.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return WireObject(distinct: ordered.map { Member($0.name, $0.value.normalized) })
    }
}

extension WireValue {
    fileprivate var normalized: WireValue {
        switch self {
        case .object(let object): .object(object.normalized)
        case .array(let elements): .array(elements.map(\.normalized))
        default: self
        }
    }
}
