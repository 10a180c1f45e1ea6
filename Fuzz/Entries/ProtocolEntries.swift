// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB

let protocolEntries = [
    FuzzEntry("frames", dictionary: frameWords, decodeFrames),
    FuzzEntry("messages", dictionary: messageWords, readMessage),
]

private let frameWords =
    ["\0\0\0\0\0\0\0\0", "PRI * HTTP/2.0", "{\"blob\":1,\"size\":null}", "{\"blob\":3,\"size\":2}"] + messageWords

private let messageWords = [
    "{\"jsonrpc\":\"2.0\",\"id\":1,", "\"method\":\"", "\"params\":{", "\"result\":{",
    "\"error\":{\"code\":-32700,\"message\":\"",
    "\"data\":{\"kind\":\"", "null", "\"mustUnderstand\":[", "\"timeoutMs\":", "\\ud800", "\\udc00", "1e999",
    "9007199254740993", "-0",
    "initialize", "initialized", "build", "solve", "readFile", "cancel", "log", "\"ref\":",
    "\"refs\":[{\"id\":\"a\",\"ref\":null}]",
]

/// Small enough that a fuzzer meets them.
private let limits = ProtocolLimits(frameBytes: 256, messageBytes: 4096, blobBytes: 1024, inFlight: 4, refs: 8)

/// A stream of bytes: however it is cut, the same events come, or the same complaint; and no more is kept than the limits say.
private func decodeFrames(_ bytes: [UInt8]) throws {
    for role in [PeerRole.engine, .frontend] {
        let whole = hear(bytes, pieceSize: bytes.count + 1, role)
        // Frames of one byte each way are cut in all places there are.
        let pieces = hear(bytes, pieceSize: bytes.count > 2048 ? 97 : 1, role)
        try require(
            whole == pieces,
            "bytes in pieces say something else: \(whole.complaint ?? "") \(pieces.complaint ?? "")"
        )
        try require(whole.openCount <= limits.inFlight + 1, "\(whole.openCount) requests are open")
    }
    var decoder = FrameDecoder(limits: limits)
    decoder.feed(bytes)
    var length = 0
    while let frame = try? decoder.next() {
        try require(frame.payload.count <= limits.messageBytes, "a frame has \(frame.payload.count) bytes")
        length += Frame.headerSize + frame.payload.count
    }
    try require(length + decoder.rest.count == bytes.count, "frames and rest have other bytes than came in")
}

private struct Heard: Equatable {
    var events: [ProtocolConnection.Event] = []
    var complaint: String?
    var openCount = 0
}

private func hear(_ bytes: [UInt8], pieceSize: Int, _ role: PeerRole) -> Heard {
    var connection = ProtocolConnection(role: role, limits: limits)
    var heard = Heard()
    // An answer needs a question.
    _ = try? connection.request("solve", [:])
    _ = try? connection.request("stat", [:])
    _ = connection.abandon(2)
    var start = 0
    do {
        while start < bytes.count {
            let end = min(start + pieceSize, bytes.count)
            connection.receive(bytes[start..<end])
            start = end
            while let event = try connection.nextEvent() { heard.events.append(event) }
        }
        try connection.finish()
    } catch {
        heard.complaint = "\(error)"
    }
    heard.openCount = connection.owedCount
    return heard
}

/// One message: what is written again reads the same, and what the members of every method mean is told or refused.
private func readMessage(_ bytes: [UInt8]) throws {
    let object: WireObject
    do {
        object = try WireObject(json: bytes)
    } catch {
        return try require("\(error)".contains("byte"), "an error names no place: \(error)")
    }
    let text = object.json
    try require(try WireObject(json: text) == object, "a message written again says something else")
    try require(try WireObject(json: text).json == text, "a message is written in two ways")
    for key in ["params", "result", "error"] {
        if case .object(let members)? = object[key] { try readMembers(MemberReader(members, path: key)) }
    }
    try readMembers(MemberReader(object, path: "message"))
}

/// Takes an object for the members of everything that has a form: what is read and written is read again as the same.
private func readMembers(_ reader: MemberReader) throws {
    let forms: [any WireRepresentable.Type] = [
        Diagnostic.self, FileInfo.self, LintFindings.self, OutlineDescription.self, ResolvedSource.self,
        TargetsDescription.self, TextRange.self, Wire.Build.self, Wire.Build.Answer.self, Wire.Cancel.self,
        Wire.Converted.self, Wire.Initialize.self, Wire.Initialize.Answer.self, Wire.Log.self, Wire.Progress.self,
        Wire.ReadDirectory.self, Wire.ReadDirectory.Answer.self, Wire.ReadFile.self, Wire.ReadFile.Answer.self,
        Wire.ReleaseRef.self, Wire.ResolveSource.self, Wire.Solve.self, Wire.Solve.Answer.self, Wire.SolveFrontend.self,
        Wire.Stat.self,
    ]
    for form in forms { try read(form, reader) }
    if let failure = try? ProtocolFailure(members: reader) {
        let again = try ProtocolFailure(members: MemberReader(failure.members, path: "error"))
        try require(again.message == failure.message, "a failure written again says something else")
    }
}

private func read<Form: WireRepresentable>(_ form: Form.Type, _ reader: MemberReader) throws {
    let value: Form
    do {
        value = try Form(members: reader)
    } catch {
        return try require(error.path.hasPrefix(reader.path), "an error names no member: \(error)")
    }
    do {
        let again = try Form(members: MemberReader(value.members, path: "again"))
        try require(again == value, "\(form) written again says something else: \(value)")
    } catch let error as MemberError {
        throw FuzzFinding("\(form) cannot be read again: \(error)")
    }
}
