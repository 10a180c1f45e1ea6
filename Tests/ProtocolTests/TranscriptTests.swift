// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FrontendProtocol
import OCI
import Testing

/// Every session of `Protocol/transcripts`, played through the real ends of a session.
///
/// Both ends read what the other says: the forms of all methods (P-WORK-02, P-NOTE-02), unknown members (P-JSON-07),
/// malformed params and results (P-MSG-05), byte strings as text (P-BLOB-07).
struct TranscriptTests {
    /// One session.
    struct Transcript: Sendable, CustomTestStringConvertible {
        let name: String
        let header: JSONValue
        let lines: [Line]
        /// The F-code the session ends with, if it does.
        let code: String?
        var testDescription: String { name }

        init(_ name: String) throws {
            self.name = name
            var all = try ProtocolFolder.lines("transcripts/\(name).jsonl")
            header = all.removeFirst()
            code = try #require(all.popLast()?["end"])["code"]?.text
            lines = try all.map(Line.init)
        }
    }

    /// One message with its blobs.
    struct Line: Sendable {
        let sender: PeerRole
        let message: WireObject
        let blobs: [[UInt8]]
        let isMalformed: Bool

        init(_ json: JSONValue) throws {
            sender = try #require(["engine": .engine, "frontend": .frontend][json["from"]?.text ?? ""])
            message = try #require(json["message"]).wireObject
            blobs = try (json["blobs"]?.elements ?? []).map { blob in
                if let text = blob["text"]?.text { return Array(text.utf8) }
                return Array(try #require(Data(base64Encoded: blob["base64"]?.text ?? "")))
            }
            isMalformed = json["malformed"]?.truth ?? false
        }

        /// The frames: the message, then its blobs.
        var bytes: [UInt8] {
            var bytes = frameBytes(0, message.json)
            for (announced, blob) in zip(Self.announcements(.object(message)), blobs) {
                if !blob.isEmpty { bytes += frameBytes(announced.stream, blob) }
                if announced.size == nil { bytes += frameBytes(announced.stream, []) }
            }
            return bytes
        }

        private static func announcements(_ value: WireValue) -> [(stream: UInt32, size: Int64?)] {
            switch value {
            case .array(let elements): return elements.flatMap(announcements)
            case .object(let object):
                guard object.members.count == 2, case .integer(let stream)? = object["blob"],
                    let size = object["size"]
                else { return object.members.flatMap { announcements($0.value) } }
                if case .integer(let size) = size { return [(UInt32(stream), size)] }
                return [(UInt32(stream), nil)]
            default: return []
            }
        }
    }

    static let names = Result { try ProtocolFolder.names(in: "transcripts", ending: ".jsonl") }

    /// Each end asks what the transcript says it asks, so that answers find their requests; all else it hears.
    @Test(arguments: try names.get()) func `both ends hear what is said, whole or byte by byte`(_ name: String) throws {
        let transcript = try Transcript(name)
        for isWhole in [true, false] {
            var ends: [PeerRole: ProtocolConnection] = [
                .engine: ProtocolConnection(role: .engine), .frontend: ProtocolConnection(role: .frontend),
            ]
            for (index, line) in transcript.lines.enumerated() {
                let place: Comment = "line \(index + 2)"
                let isLast = index == transcript.lines.count - 1
                if case .string(let method)? = line.message["method"], let id = line.message["id"] {
                    let asked = try ends[line.sender]?.request(method, [:]).id
                    #expect(id == .integer(Int64(asked ?? 0)), place)
                }
                var violation: ProtocolViolation?
                do throws(ProtocolViolation) {
                    guard let event = try hear(line, &ends[line.sender.other], isWhole: isWhole) else {
                        Issue.record("nothing was heard", sourceLocation: #_sourceLocation)
                        continue
                    }
                    try check(event, line, place)
                    if case .request(let id, _, _) = event { heard(id, by: line.sender.other, &ends) }
                } catch {
                    violation = error
                }
                if let violation {
                    #expect(isLast, place)
                    #expect(violation.failureCode == transcript.code, place)
                }
            }
        }
    }

    private func hear(
        _ line: Line,
        _ end: inout ProtocolConnection?,
        isWhole: Bool
    ) throws(ProtocolViolation) -> ProtocolConnection.Event? {
        guard var receiver = end else { return nil }
        defer { end = receiver }
        var event: ProtocolConnection.Event?
        let bytes = line.bytes
        for piece in isWhole ? [bytes[...]] : bytes.indices.map({ bytes[$0...$0] }) {
            receiver.receive(piece)
            if let next = try receiver.nextEvent() { event = next }
        }
        try receiver.finish()
        return event
    }

    /// The end owes an answer no more: the transcript gives it.
    private func heard(_ id: Int, by end: PeerRole, _ ends: inout [PeerRole: ProtocolConnection]) {
        _ = ends[end]?.answer(id, with: .success([:]))
    }

    /// Reads params and results by the forms of their methods.
    private func check(
        _ event: ProtocolConnection.Event,
        _ line: Line,
        _ place: Comment
    ) throws(ProtocolViolation) {
        switch event {
        case .request(_, let method, let params), .notification(let method, let params):
            let failure = Self.failure(of: method, params)
            #expect((failure != nil) == line.isMalformed, "\(place): \(failure?.message ?? "well formed")")
            if let failure { #expect(failure.kind == .invalidParams) }
        case .answer(_, let method, .success(let result)): try Self.checkResult(of: method, result)
        case .answer(_, _, .failure(let failure)): #expect(failure.kind != .unrecognized(""), place)
        case .refused(_, let failure, _):
            // P-MSG-06: no version 1.0 knows a demand.
            #expect(failure.kind == .unsupported, place)
        }
    }

    private static func failure(of method: String, _ params: WireObject) -> ProtocolFailure? {
        do throws(ProtocolFailure) {
            switch Method(rawValue: method) {
            case .initialize: _ = try Wire.Initialize(params: params)
            case .build, .describeTargets, .describeOutline, .lint, .convert, .format:
                _ = try Wire.Build(params: params)
            case .solve: _ = try Wire.Solve(params: params)
            case .evaluate: _ = try Wire.Evaluate(params: params)
            case .releaseRef: _ = try Wire.ReleaseRef(params: params)
            case .readFile: _ = try Wire.ReadFile(params: params)
            case .readDir: _ = try Wire.ReadDirectory(params: params)
            case .stat: _ = try Wire.Stat(params: params)
            case .resolveSource: _ = try Wire.ResolveSource(params: params)
            case .frontendSolve: _ = try Wire.SolveFrontend(params: params)
            case .log: _ = try Wire.Log(params: params)
            case .diagnostic: _ = try Diagnostic(params: params)
            case .progress: _ = try Wire.Progress(params: params)
            case .cancel: _ = try Wire.Cancel(params: params)
            case nil: break
            }
            return nil
        } catch {
            return error
        }
    }

    private static func checkResult(of method: String, _ result: WireObject) throws(ProtocolViolation) {
        switch Method(rawValue: method) {
        case .initialize: _ = try Wire.Initialize.answer(result)
        case .build: _ = try Wire.Build.answer(result)
        case .solve: _ = try Wire.Solve.answer(result)
        case .evaluate: _ = try Wire.Evaluate.answer(result)
        case .releaseRef: _ = try Wire.ReleaseRef.answer(result)
        case .readFile: _ = try Wire.ReadFile.answer(result)
        case .readDir: _ = try Wire.ReadDirectory.answer(result)
        case .stat: _ = try Wire.Stat.answer(result)
        case .resolveSource: _ = try Wire.ResolveSource.answer(result)
        case .frontendSolve: _ = try Wire.SolveFrontend.answer(result)
        case .describeTargets: _ = try Wire.Describe<TargetsDescription>.answer(result)
        case .describeOutline: _ = try Wire.Describe<OutlineDescription>.answer(result)
        case .lint: _ = try Wire.Describe<LintFindings>.answer(result)
        case .convert: _ = try Wire.Describe<Wire.Converted>.answer(result)
        case .format: _ = try Wire.Describe<Wire.Formatted>.answer(result)
        case .log, .diagnostic, .progress, .cancel, nil: break
        }
    }
}
