// SPDX-License-Identifier: Apache-2.0

/// Which end of the session somebody is.
package enum PeerRole: Sendable, Hashable {
    case engine, frontend

    /// The side at the other end.
    package var other: PeerRole { self == .engine ? .frontend : .engine }

    /// Frontends choose odd streams, engines even ones.
    var firstStream: UInt32 { self == .frontend ? 1 : 2 }
}

/// Turns messages into the bytes that go out: one frame of JSON, then the frames of its blobs.
struct MessageEncoder: Sendable {
    var limits: ProtocolLimits
    private var nextStream: UInt32
    private let firstStream: UInt32

    init(role: PeerRole, limits: ProtocolLimits) {
        self.limits = limits
        firstStream = role.firstStream
        nextStream = role.firstStream
    }

    /// The pieces to write, in order; nothing may be written between them.
    ///
    /// - Throws: `limit` when the text or its blobs exceed what the session allows; nothing is changed then.
    mutating func encode(_ message: WireObject) throws(ProtocolFailure) -> [[UInt8]] {
        var blobs: [(stream: UInt32, bytes: [UInt8])] = []
        var stream = nextStream
        let first = firstStream
        var writer = JSONWriter { bytes in
            blobs.append((stream, bytes))
            let announcement: WireObject = [
                "blob": .integer(Int64(stream)), "size": .integer(Int64(bytes.count)),
            ]
            // Streams are free again once their blob has ended, so starting over is safe.
            stream = stream >= Frame.streamMax - 2 ? first : stream + 2
            return announcement
        }
        writer.write(message)
        let text = writer.text
        guard text.count <= limits.messageBytes else {
            throw .limit("a message of \(text.count) bytes; the limit is \(limits.messageBytes)")
        }
        let blobBytes = blobs.reduce(0) { $0 + $1.bytes.count }
        guard blobBytes <= limits.blobBytes, blobs.count <= MessageAssembler.blobCountMax else {
            throw .limit(
                """
                a message with \(blobs.count) blobs of \(blobBytes) bytes; the limits are \
                \(MessageAssembler.blobCountMax) and \(limits.blobBytes)
                """
            )
        }
        nextStream = stream
        var pieces = [Frame.encode(stream: Frame.messageStream, text[...])]
        for blob in blobs {
            for start in stride(from: 0, to: blob.bytes.count, by: limits.frameBytes) {
                let end = min(start + limits.frameBytes, blob.bytes.count)
                pieces.append(Frame.encode(stream: blob.stream, blob.bytes[start..<end]))
            }
        }
        return pieces
    }
}

/// Puts frames together to messages: a message is complete when all blobs it announces are.
struct MessageAssembler: Sendable {
    /// How many blobs one message may announce.
    static let blobCountMax = 1024

    /// A message with its byte strings in place.
    struct Assembled: Sendable {
        var message: WireObject
        /// The message as it was sent, and the byte strings it announces, in order.
        var text: [UInt8]
        var blobs: [[UInt8]]
        /// How many bytes it took on the wire, headers left out.
        var byteCount: Int
        /// Whether the sender gave one of its blobs up half way.
        var isAborted: Bool
    }

    /// A byte string that a message says will follow.
    private struct Announcement {
        let stream: UInt32
        /// `nil`: ended by an empty frame.
        let size: Int?
    }

    /// A message that waits for blobs.
    private struct Pending {
        let message: WireObject
        let text: [UInt8]
        var byteCount: Int
        let announcements: [Announcement]
        /// The blobs that are complete, in order; the next announcement is the one being filled.
        var blobs: [[UInt8]] = []
        var current: [UInt8] = []
        var isAborted = false
        var blobByteCount = 0
    }

    var limits: ProtocolLimits
    private let sender: PeerRole
    private var pending: Pending?

    /// - `sender`: The peer whose frames come in.
    init(sender: PeerRole, limits: ProtocolLimits) {
        self.sender = sender
        self.limits = limits
    }

    /// Whether a message waits for its blobs.
    var isWaiting: Bool { pending != nil }

    /// Takes the next frame; gives the message it completes, if any.
    ///
    /// - `number`: The frame's number, for messages about it.
    mutating func accept(_ frame: Frame, number: Int) throws(ProtocolViolation) -> Assembled? {
        if frame.stream == Frame.messageStream {
            guard pending == nil else {
                throw ProtocolViolation(
                    .frameOrder,
                    "frame \(number) is a message, but the blobs of the one before are not complete"
                )
            }
            return try begin(frame.payload, number: number)
        }
        return try add(frame, number: number)
    }

    private mutating func begin(
        _ text: [UInt8],
        number: Int
    ) throws(ProtocolViolation)
        -> Assembled?
    {
        let message: WireObject
        do {
            message = try JSONParser.object(text)
        } catch {
            throw ProtocolViolation(
                .malformedJSON,
                "frame \(number) is not valid JSON \(error)"
            )
        }
        var announcements: [Announcement] = []
        try collect(.object(message), into: &announcements)
        guard !announcements.isEmpty else {
            return Assembled(message: message, text: text, blobs: [], byteCount: text.count, isAborted: false)
        }
        var next = Pending(
            message: message,
            text: text,
            byteCount: text.count,
            announcements: announcements
        )
        skipEmpty(&next)
        if next.blobs.count == announcements.count { return finish(next) }
        pending = next
        return nil
    }

    private mutating func add(_ frame: Frame, number: Int) throws(ProtocolViolation) -> Assembled? {
        guard var next = pending else {
            throw ProtocolViolation(
                .frameOrder,
                "frame \(number) is on stream \(frame.stream), which no message announced"
            )
        }
        let announced = next.announcements[next.blobs.count]
        guard frame.stream == announced.stream else {
            throw ProtocolViolation(
                .frameOrder,
                "frame \(number) is on stream \(frame.stream); blob \(announced.stream) is not complete"
            )
        }
        pending = nil
        if frame.payload.isEmpty {
            // An empty frame ends a blob of unknown size, and gives up one whose size was announced.
            next.isAborted = next.isAborted || announced.size != nil
            complete(&next)
        } else {
            next.current.append(contentsOf: frame.payload)
            next.byteCount += frame.payload.count
            next.blobByteCount += frame.payload.count
            guard next.blobByteCount <= limits.blobBytes else {
                throw oversize(next.blobByteCount)
            }
            if let size = announced.size {
                guard next.current.count <= size else {
                    throw ProtocolViolation(
                        .frameOrder,
                        "blob \(frame.stream) has more than the \(size) bytes that were announced"
                    )
                }
                if next.current.count == size { complete(&next) }
            }
        }
        if next.blobs.count == next.announcements.count { return finish(next) }
        pending = next
        return nil
    }

    private func complete(_ pending: inout Pending) {
        pending.blobs.append(pending.current)
        pending.current = []
        skipEmpty(&pending)
    }

    /// Blobs announced as empty have no frames.
    private func skipEmpty(_ pending: inout Pending) {
        while pending.blobs.count < pending.announcements.count,
            pending.announcements[pending.blobs.count].size == 0
        { pending.blobs.append([]) }
    }

    private func finish(_ pending: Pending) -> Assembled {
        var blobs = pending.blobs.makeIterator()
        return Assembled(
            message: substitute(pending.message, &blobs),
            text: pending.text,
            blobs: pending.blobs,
            byteCount: pending.byteCount,
            isAborted: pending.isAborted
        )
    }

    /// A message whose byte strings are given apart from its text.
    func message(_ text: [UInt8], blobs: [[UInt8]]) throws(ProtocolViolation) -> WireObject {
        let message: WireObject
        do {
            message = try JSONParser.object(text)
        } catch {
            throw ProtocolViolation(.malformedJSON, "the text is not valid JSON \(error)")
        }
        var rest = blobs.makeIterator()
        return substitute(message, &rest)
    }

    // MARK: Announcements

    /// Finds every object that stands for a blob, in the order of the text.
    private func collect(
        _ value: WireValue,
        into found: inout [Announcement]
    ) throws(ProtocolViolation) {
        switch value {
        case .array(let elements):
            for element in elements { try collect(element, into: &found) }
        case .object(let object):
            guard let (number, size) = announcement(object) else {
                for member in object.members { try collect(member.value, into: &found) }
                return
            }
            found.append(try check(number, size, after: found))
        default: break
        }
    }

    /// An object is an announcement when it has exactly `blob`, an integer, and `size`, an integer or null.
    private func announcement(_ object: WireObject) -> (number: Int64, size: Int64?)? {
        guard object.members.count == 2, case .integer(let number)? = object["blob"] else {
            return nil
        }
        switch object["size"] {
        case .integer(let size)?: return (number, size)
        case .null?: return (number, nil)
        default: return nil
        }
    }

    private func check(
        _ number: Int64,
        _ size: Int64?,
        after found: [Announcement]
    ) throws(ProtocolViolation) -> Announcement {
        guard let stream = UInt32(exactly: number), stream > 0, stream <= Frame.streamMax,
            stream % 2 == sender.firstStream % 2
        else {
            let parity = sender == .frontend ? "an odd" : "an even"
            throw ProtocolViolation(
                .frameOrder,
                "blob \(number) has a bad number; a blob of this side has \(parity) one up to \(Frame.streamMax)"
            )
        }
        guard found.count < Self.blobCountMax else {
            throw ProtocolViolation(
                .oversize,
                "announced more than \(Self.blobCountMax) blobs in one message"
            )
        }
        guard !found.contains(where: { $0.stream == stream }) else {
            throw ProtocolViolation(.frameOrder, "blob \(stream) is announced twice in one message")
        }
        guard let size else { return Announcement(stream: stream, size: nil) }
        guard size >= 0, let count = Int(exactly: size) else {
            throw ProtocolViolation(.frameOrder, "blob \(stream) has the size \(size)")
        }
        let (total, overflow) = found.reduce(into: (count, false)) { sum, each in
            let (value, carry) = sum.0.addingReportingOverflow(each.size ?? 0)
            sum = (value, sum.1 || carry)
        }
        guard !overflow, total <= limits.blobBytes else { throw oversize(total) }
        return Announcement(stream: stream, size: count)
    }

    private func oversize(_ count: Int) -> ProtocolViolation {
        ProtocolViolation(
            .oversize,
            "sent a message with \(count) bytes of blobs; the limit is \(limits.blobBytes)"
        )
    }

    private func substitute(
        _ object: WireObject,
        _ blobs: inout IndexingIterator<[[UInt8]]>
    ) -> WireObject {
        var members: [WireObject.Member] = []
        members.reserveCapacity(object.members.count)
        for member in object.members {
            members.append(WireObject.Member(member.name, substitute(member.value, &blobs)))
        }
        return WireObject(distinct: members)
    }

    private func substitute(
        _ value: WireValue,
        _ blobs: inout IndexingIterator<[[UInt8]]>
    ) -> WireValue {
        switch value {
        case .array(let elements):
            var replaced: [WireValue] = []
            replaced.reserveCapacity(elements.count)
            for element in elements { replaced.append(substitute(element, &blobs)) }
            return .array(replaced)
        case .object(let object):
            if announcement(object) != nil { return .bytes(blobs.next() ?? []) }
            return .object(substitute(object, &blobs))
        default: return value
        }
    }
}
