// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
@testable import FrontendHost
import FrontendProtocol
import LinuxSystem
import OCI
import SystemPackage
import Testing

/// P-REUSE-01, P-REUSE-02 and P-REUSE-03: the vectors of `Protocol/vectors/trace` through the reading of records that
/// decides whether a result is used again.
///
/// Left out are the vectors about who may have a record at all: `deterministic`, `development`, `method` and `end`; those
/// sessions are never given to the store, see ``ReuseTests``.
struct TraceVectorTests {
    private static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent()
        .removingLastComponent().appending("Protocol/vectors/trace")

    private static func bytes(_ file: String) throws -> [UInt8] {
        try LinuxSystem.Descriptor.open(host: folder.appending(file)).readToEnd(byteLimit: 1 << 20)
    }

    /// A change and what follows of it.
    struct Case: Sendable, CustomTestStringConvertible {
        let json: JSONValue
        var now: JSONValue { json["now"] ?? .null }
        var testDescription: String { json["name"]?.text ?? "" }
    }

    private static func cases() throws -> [Case] {
        try #require(try JSONValue(parsing: bytes("cases.json")).elements).map { Case(json: $0) }
            .filter { one in
                ["deterministic", "development", "method", "end"].allSatisfy { one.now[$0] == nil }
            }
    }

    /// The trace as a transcript: blobs by their bytes, answers as they would be now.
    private static func transcript(_ answers: JSONValue?) throws -> [UInt8] {
        var text: [String] = []
        for line in try bytes("trace.jsonl").split(separator: UInt8(ascii: "\n")) {
            let json = try JSONValue(parsing: Array(line))
            guard let from = json["from"]?.text, var message = json["message"] else { continue }
            var blobs = try (json["blobs"]?.elements ?? []).map { digest -> JSONValue in
                let content = try bytes("blobs/sha256/\((digest.text ?? "").dropFirst(7))")
                return .object([JSONMember("base64", .string(Data(content).base64EncodedString()))])
            }
            if from == "engine", message["method"] == nil, message["result"]?["frontend"] == nil,
                let id = message["id"]?.integer, let change = answers?["\(id)"]
            {
                (message, blobs) = changed(message, blobs, change)
            }
            let members: [JSONMember] = [
                JSONMember("from", .string(from)), JSONMember("message", message), JSONMember("blobs", .array(blobs)),
            ]
            text.append(JSONValue.object(members).encodedText)
        }
        return Array(text.joined(separator: "\n").utf8)
    }

    /// An answer with a result in place of the recorded members, or a failure.
    private static func changed(
        _ message: JSONValue,
        _ blobs: [JSONValue],
        _ change: JSONValue
    ) -> (JSONValue, [JSONValue]) {
        let id = message["id"] ?? .null
        if let kind = change["kind"] {
            let error: [JSONMember] = [
                JSONMember("code", .integer(-32000)), JSONMember("message", .string("no more")),
                JSONMember("data", .object([JSONMember("kind", kind)])),
            ]
            return (.object([JSONMember("id", id), JSONMember("error", .object(error))]), [])
        }
        // Texts stand for blobs here: the form allows both.
        var members = message["result"]?.members ?? []
        for member in change["result"]?.members ?? [] {
            members.removeAll { $0.name == member.name }
            let text = member.value["text"]
            members.append(JSONMember(member.name, text ?? member.value))
        }
        return (
            .object([JSONMember("id", id), JSONMember("result", .object(members))]),
            change["result"]?["data"] == nil ? blobs : []
        )
    }

    /// What the recorded session asked, and was told.
    private func record(_ engine: ScriptedEngine) throws -> (SessionRecord, initialize: WireObject, work: WireObject) {
        var exchanges: [SessionRecord.Exchange] = []
        for exchange in engine.exchanges {
            exchanges.append(.init(method: exchange.method, params: exchange.params, answer: exchange.answer))
        }
        let record = SessionRecord(
            frontend: .init(name: "acme/spec", version: "1.4.2"),
            exchanges: exchanges,
            notices: [.diagnostic(Diagnostic(severity: .hint, message: "pin alpine"))],
            result: try #require(engine.result)
        )
        return (record, try #require(engine.initialize), try Wire.Build(params: #require(engine.workParams)).members)
    }

    @Test(arguments: try cases()) func `a result is used again or not`(_ one: Case) async throws {
        let recorded = try ScriptedEngine(Self.transcript(nil))
        let (record, initialize, work) = try record(recorded)
        // What the frontend would be told now.
        var initializeNow = initialize
        for member in one.now["initialize"]?.members ?? [] {
            initializeNow[member.name] = try JSONParser.object(Array(#"{"x":"#.utf8) + member.value.encoded + [0x7D])[
                "x"
            ]
        }
        var request = try Wire.Build(params: #require(recorded.workParams))
        if let text = one.now["buildFile"]?.text { request.fileContent = Array(text.utf8) }
        if let options = one.now["work"]?["options"] {
            request.options = Dictionary(uniqueKeysWithValues: options.members.map { ($0.name, $0.value.text ?? "") })
        }
        let tree = "ft1:" + String(repeating: "41", count: 32)
        let before = FrontendResultStore.key(program: tree, initialize: initialize, build: work)
        let now = FrontendResultStore.key(
            program: one.now["tree"]?.text ?? tree,
            initialize: initializeNow,
            build: request.members
        )
        var isReused = false
        if before == now {
            let engine = try ScriptedEngine(Self.transcript(one.now["answers"]))
            let revalidation = Revalidation(bridge: engine, request: try engine.request(), limits: .standard)
            let result = try await revalidation.result(of: record)
            isReused = result != nil
            // P-REUSE-03: what was said is said again.
            if isReused { #expect(engine.diagnostics.map(\.message) == ["pin alpine"]) }
            #expect(result?.platforms.map(\.id) ?? ["linux/amd64"] == ["linux/amd64"])
        }
        #expect(isReused == one.json["reuse"]?.truth)
    }
}
