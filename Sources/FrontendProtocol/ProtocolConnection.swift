// SPDX-License-Identifier: Apache-2.0

/// One end of a session, as a value: bytes go in, events and bytes come out.
///
/// It does no I/O and knows no time.
///
/// It pairs answers with requests, refuses what the protocol forbids, and keeps both sides within
/// their limits. What the methods mean is decided above it.
package struct ProtocolConnection: Sendable {
    /// Something the peer said.
    package enum Event: Sendable, Hashable {
        /// It wants something; answer with ``answer(_:with:)`` exactly once.
        case request(id: Int, method: String, params: WireObject)
        /// It tells something.
        case notification(method: String, params: WireObject)
        /// The answer to the request of this number.
        case answer(id: Int, method: String, Result<WireObject, ProtocolFailure>)
        /// It asked for something that was refused at once; ``ProtocolConnection/answer(_:with:)`` gave these bytes.
        case refused(method: String, ProtocolFailure, bytes: [[UInt8]])
    }

    /// The highest number of a request.
    package static let requestIDMax = 1 << 31 - 1

    private struct Asked {
        let method: String
        /// Nobody waits any more: its answer is dropped.
        var isAbandoned = false
    }

    private struct Owed {
        let byteCount: Int
    }

    package let role: PeerRole
    package private(set) var limits: ProtocolLimits
    private var decoder: FrameDecoder
    private var assembler: MessageAssembler
    private var encoder: MessageEncoder
    private var asked: [Int: Asked] = [:]
    private var owed: [Int: Owed] = [:]
    private var owedByteCount = 0
    private var lastID = 0

    package init(role: PeerRole, limits: ProtocolLimits = .standard) {
        self.role = role
        self.limits = limits
        decoder = FrameDecoder(limits: limits)
        assembler = MessageAssembler(sender: role.other, limits: limits)
        encoder = MessageEncoder(role: role, limits: limits)
    }

    /// Takes over the limits the engine announced.
    package mutating func adopt(_ limits: ProtocolLimits) {
        self.limits = limits
        decoder.limits = limits
        assembler.limits = limits
        encoder.limits = limits
    }

    /// How many requests of the peer wait for our answer.
    package var owedCount: Int { owed.count }
    /// How many of our requests wait for an answer somebody wants.
    package var askedCount: Int { asked.values.count { !$0.isAbandoned } }
    /// How many of our requests have no answer yet, those nobody waits for included.
    package var openCount: Int { asked.count }
    /// How many frames came in.
    package var frameCount: Int { decoder.frameCount }
    /// Bytes that came in and belong to no frame.
    package var rest: ArraySlice<UInt8> { decoder.rest }

    // MARK: Coming in

    /// Adds bytes of the peer.
    ///
    /// Take its events with ``nextEvent()`` until there are none.
    package mutating func receive(_ bytes: some Collection<UInt8>) { decoder.feed(bytes) }

    /// The next thing the peer said, or `nil` when more bytes are needed.
    ///
    /// - Throws: The rule it broke. The session is over then, and nothing more comes out.
    package mutating func nextEvent() throws(ProtocolViolation) -> Event? {
        while let frame = try decoder.next() {
            guard let assembled = try assembler.accept(frame, number: decoder.frameCount) else {
                continue
            }
            if let event = try event(of: assembled) { return event }
        }
        return nil
    }

    /// Checks that the peer's bytes ended between two messages.
    package func finish() throws(ProtocolViolation) {
        try decoder.finish()
        if assembler.isWaiting {
            throw ProtocolViolation(
                .truncated,
                "the bytes end before the blobs of the last message"
            )
        }
    }

    private mutating func event(
        of assembled: MessageAssembler.Assembled
    )
        throws(ProtocolViolation) -> Event?
    {
        let envelope = try Envelope(assembled.message, number: decoder.frameCount)
        switch envelope {
        case .notification(let method, let params):
            if assembled.isAborted || unknownNeed(params) != nil { return nil }
            return .notification(method: method, params: params)
        case .request(let id, let method, let params):
            return try request(id, method, params, assembled)
        case .answer(let id, var result):
            guard let request = asked.removeValue(forKey: id) else {
                throw ProtocolViolation(
                    .unknownIdentifier,
                    "answered request \(id), which is not open"
                )
            }
            if request.isAbandoned { return nil }
            if assembled.isAborted {
                result = .failure(.init(.cancelled, "the answer's blob was given up half way"))
            }
            return .answer(id: id, method: request.method, result)
        case .unaddressedFailure(let failure):
            throw ProtocolViolation(
                .malformedMessage,
                "says it cannot read what it was sent: \(failure.message)"
            )
        }
    }

    private mutating func request(
        _ id: Int,
        _ method: String,
        _ params: WireObject,
        _ assembled: MessageAssembler.Assembled
    ) throws(ProtocolViolation) -> Event {
        guard owed[id] == nil else {
            throw ProtocolViolation(
                .unknownIdentifier,
                "sent a second request \(id) while the first one is open"
            )
        }
        let isFull = owed.count >= limits.inFlight
        owed[id] = Owed(byteCount: assembled.byteCount)
        owedByteCount += assembled.byteCount
        var refusal: ProtocolFailure?
        if isFull {
            refusal = ProtocolFailure(
                .tooManyRequests,
                "\(limits.inFlight) requests are open, which is the limit"
            )
        } else if owedByteCount > 2 * (limits.blobBytes + limits.messageBytes) {
            refusal = .limit("the open requests hold \(owedByteCount) bytes")
        } else if let need = unknownNeed(params) {
            refusal = ProtocolFailure(
                .unsupported,
                "cannot do \"\(need)\", which must be understood"
            )
        } else if assembled.isAborted {
            refusal = ProtocolFailure(.invalidParams, "a blob of the request was given up half way")
        }
        guard let refusal else { return .request(id: id, method: method, params: params) }
        return .refused(method: method, refusal, bytes: answer(id, with: .failure(refusal)))
    }

    /// The first entry of `mustUnderstand`; this version knows none.
    private func unknownNeed(_ params: WireObject) -> String? {
        guard case .array(let entries)? = params["mustUnderstand"], let first = entries.first else {
            return nil
        }
        if case .string(let name) = first { return name }
        return "an entry that is no string"
    }

    // MARK: Going out

    /// Makes a request.
    ///
    /// - Returns: Its number, which the ``Event/answer(id:method:_:)`` carries, and what to write.
    /// - Throws: `limit` when it is too large for the session; nothing is open then.
    package mutating func request(
        _ method: String,
        _ params: WireObject
    ) throws(ProtocolFailure) -> (id: Int, bytes: [[UInt8]]) {
        guard lastID < Self.requestIDMax else { throw .limit("no request numbers are left") }
        let id = lastID + 1
        let bytes = try encoder.encode([
            "jsonrpc": "2.0", "id": .integer(Int64(id)), "method": .string(method),
            "params": .object(params),
        ])
        lastID = id
        asked[id] = Asked(method: method)
        return (id, bytes)
    }

    /// Gives a request up: its answer, if one still comes, is dropped.
    ///
    /// - Returns: The `cancel` notification to write; `nil` when no such request is open.
    package mutating func abandon(_ id: Int) -> [[UInt8]]? {
        guard asked[id]?.isAbandoned == false else { return nil }
        asked[id]?.isAbandoned = true
        return try? notify(Method.cancel.rawValue, ["id": .integer(Int64(id))])
    }

    /// Tells the peer something.
    package mutating func notify(
        _ method: String,
        _ params: WireObject
    ) throws(ProtocolFailure) -> [[UInt8]] {
        try encoder.encode([
            "jsonrpc": "2.0", "method": .string(method), "params": .object(params),
        ])
    }

    /// Answers a request of the peer.
    ///
    /// An answer too large for the session becomes a failure of kind `limit`.
    ///
    /// - Returns: What to write; nothing when the request is not open (any more).
    package mutating func answer(
        _ id: Int,
        with result: Result<WireObject, ProtocolFailure>
    ) -> [[UInt8]] {
        guard let request = owed.removeValue(forKey: id) else { return [] }
        owedByteCount -= request.byteCount
        do throws(ProtocolFailure) {
            switch result {
            case .success(let members):
                return try encoder.encode([
                    "jsonrpc": "2.0", "id": .integer(Int64(id)), "result": .object(members),
                ])
            case .failure(let failure): return try encoder.encode(envelope(id, failure))
            }
        } catch {
            let failure = ProtocolFailure.limit("cannot send the answer: it is \(error.message)")
            return (try? encoder.encode(envelope(id, failure))) ?? []
        }
    }

    private func envelope(_ id: Int, _ failure: ProtocolFailure) -> WireObject {
        ["jsonrpc": "2.0", "id": .integer(Int64(id)), "error": .object(failure.members)]
    }
}

/// The outer form of a message: the subset of JSON-RPC 2.0 that the protocol uses.
enum Envelope {
    case request(id: Int, method: String, params: WireObject)
    case notification(method: String, params: WireObject)
    case answer(id: Int, Result<WireObject, ProtocolFailure>)
    /// An error whose `id` is null: the peer could not read a message at all.
    case unaddressedFailure(ProtocolFailure)

    /// - `number`: The number of the frame, for messages about it.
    init(_ message: WireObject, number: Int) throws(ProtocolViolation) {
        func malformed(_ what: String) -> ProtocolViolation {
            ProtocolViolation(.malformedMessage, "frame \(number) \(what)")
        }
        guard message["jsonrpc"] == .string("2.0") else {
            throw malformed("lacks \"jsonrpc\":\"2.0\"")
        }
        let id: Int?
        switch message["id"] {
        case nil: id = nil
        case .null? where message["error"] != nil: id = nil
        case .integer(let value)? where (1...Int64(ProtocolConnection.requestIDMax)).contains(value):
            id = Int(value)
        default: throw malformed("has an \"id\" that is no integer from 1 to 2^31 - 1")
        }
        let results = [message["result"], message["error"]].count { $0 != nil }
        if let method = message["method"] {
            guard case .string(let name) = method, results == 0 else {
                throw malformed("is no request: \"method\" is a string and stands alone")
            }
            let params: WireObject
            switch message["params"] {
            case nil: params = [:]
            case .object(let object)?: params = object
            default: throw malformed("has \"params\" that are no object")
            }
            if let id {
                self = .request(id: id, method: name, params: params)
            } else {
                self = .notification(method: name, params: params)
            }
            return
        }
        guard results == 1 else {
            throw malformed("has neither \"method\" nor exactly one of \"result\" and \"error\"")
        }
        if let error = message["error"] {
            let failure = try Self.failure(error, malformed)
            self = id.map { .answer(id: $0, .failure(failure)) } ?? .unaddressedFailure(failure)
            return
        }
        guard let id else { throw malformed("is an answer without \"id\"") }
        guard case .object(let result)? = message["result"] else {
            throw malformed("has a \"result\" that is no object")
        }
        self = .answer(id: id, .success(result))
    }

    private static func failure(
        _ error: WireValue,
        _ malformed: (String) -> ProtocolViolation
    ) throws(ProtocolViolation) -> ProtocolFailure {
        guard case .object(let object) = error else {
            throw malformed("has an \"error\" that is no object")
        }
        do {
            return try ProtocolFailure(members: MemberReader(object, path: "error"))
        } catch {
            throw malformed("has a bad error: \(error)")
        }
    }
}
