// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import FrontendHost
import FrontendProtocol
import LLB
import OCI
import Synchronization
import Testing

/// What stands behind the host in a transcript: it gives the answers the transcript has the engine give.
///
/// Failures that the host itself must find (a malformed request, an unknown ref, a circle in a graph) are not given here:
/// they come from the host or not at all.
final class ScriptedEngine: FrontendBridge {
    /// Kinds that the host, or checks of the graph, come to by themselves.
    private static let ownKinds: Set<String> = ["invalidParams", "unsupported", "badDefinition"]

    private struct State {
        /// Answers by method, in the order of the requests.
        var answers: [String: [Result<WireObject, ProtocolFailure>]] = [:]
        var refCount = 0
        var log: [FrontendLogEntry] = []
        var diagnostics: [Diagnostic] = []
    }

    private let state: Mutex<State>
    private let lines: [(from: String, message: WireObject, blobs: [[UInt8]])]
    /// The F-code the session ends with.
    let code: String?

    /// - Parameter transcript: JSON lines.
    init(_ transcript: [UInt8]) throws {
        let all = try transcript.split(separator: UInt8(ascii: "\n")).map { try JSONValue(parsing: Array($0)) }
        code = all.last?["end"]?["code"]?.text
        lines = try all.compactMap { line in
            guard let from = line["from"]?.text, let message = line["message"] else { return nil }
            let blobs = try (line["blobs"]?.elements ?? []).map { blob -> [UInt8] in
                if let text = blob["text"]?.text { return Array(text.utf8) }
                return Array(try #require(Data(base64Encoded: blob["base64"]?.text ?? "")))
            }
            return (from, try JSONParser.object(message.encoded), blobs)
        }
        state = Mutex(State(answers: Self.answers(of: lines)))
    }

    private static func answers(
        of lines: [(from: String, message: WireObject, blobs: [[UInt8]])]
    ) -> [String: [Result<WireObject, ProtocolFailure>]] {
        var found: [String: [Result<WireObject, ProtocolFailure>]] = [:]
        var isWorking = false
        for line in lines {
            if line.from == "engine", line.message["method"] != nil, line.message["method"] != "initialize" {
                isWorking = true
            }
            guard isWorking, line.from == "frontend", case .string(let method)? = line.message["method"],
                let id = line.message["id"],
                let answer = lines.first(where: {
                    $0.from == "engine" && $0.message["id"] == id && $0.message["method"] == nil
                })
            else { continue }
            var blobs = answer.blobs[...]
            if case .object(let result)? = answer.message["result"] {
                guard case .object(let filled) = fill(.object(result), &blobs) else { continue }
                found[method, default: []].append(.success(filled))
            } else if case .object(let error)? = answer.message["error"], case .string(let text)? = error["message"],
                case .object(let data)? = error["data"], case .string(let kind)? = data["kind"],
                !ownKinds.contains(kind)
            {
                found[method, default: []].append(.failure(ProtocolFailure(.init(name: kind), text)))
            }
        }
        return found
    }

    /// Puts blobs in the place of their announcements.
    private static func fill(_ value: WireValue, _ blobs: inout ArraySlice<[UInt8]>) -> WireValue {
        switch value {
        case .array(let elements):
            var filled: [WireValue] = []
            for element in elements { filled.append(fill(element, &blobs)) }
            return .array(filled)
        case .object(let object):
            if object.members.count == 2, object["blob"] != nil, object["size"] != nil {
                return .bytes(blobs.popFirst() ?? [])
            }
            var filled = object
            for member in object.members { filled[member.name] = fill(member.value, &blobs) }
            return .object(filled)
        default: return value
        }
    }

    // MARK: The work

    private var workLine: (message: WireObject, blobs: [[UInt8]])? {
        lines.first {
            $0.from == "engine" && $0.message["method"] != nil && $0.message["method"] != "initialize"
        }
        .map { ($0.message, $0.blobs) }
    }

    /// The method of the work request; `build` where the session ends before.
    var work: String {
        if case .string(let method)? = workLine?.message["method"] { method } else { "build" }
    }

    func request() throws -> FrontendBuildRequest<Int> {
        guard let params = workParams else {
            return FrontendBuildRequest(fileName: "Buildfile", fileContent: [], options: [:], workerPlatforms: [])
        }
        let wire = try Wire.Build(params: params)
        return FrontendBuildRequest(
            fileName: wire.fileName,
            fileContent: wire.fileContent,
            options: wire.options,
            inputs: try wire.inputs.mapValues { input in
                .init(
                    ref: input.ref == nil ? nil : 1000,
                    definition: try input.definition.map { try LLB.Definition($0) }
                )
            },
            workerPlatforms: wire.workerPlatforms
        )
    }

    // MARK: What the frontend says at the end

    private var lastError: WireObject? {
        guard let last = lines.last, last.from == "frontend", case .object(let error)? = last.message["error"] else {
            return nil
        }
        return error
    }

    /// Whether the frontend refuses the work.
    var fails: Bool { lastError != nil && code == nil }
    var failure: String? { if case .string(let text)? = lastError?["message"] { text } else { nil } }

    var namesRequest: Bool {
        if case .object(let data)? = lastError?["data"] { data["request"] != nil } else { false }
    }

    var log: [FrontendLogEntry] { state.withLock { $0.log } }
    var diagnostics: [Diagnostic] { state.withLock { $0.diagnostics } }

    // MARK: The parts of the session

    /// The params of `initialize`.
    var initialize: WireObject? {
        let line = lines.first { $0.message["method"] == "initialize" }
        if case .object(let params)? = line?.message["params"] { return params }
        return nil
    }

    /// The params of the work request, blobs in place.
    var workParams: WireObject? {
        guard let line = workLine, case .object(let params)? = line.message["params"] else { return nil }
        var blobs = line.blobs[...]
        guard case .object(let filled) = Self.fill(.object(params), &blobs) else { return nil }
        return filled
    }

    /// What the frontend asked and was answered, in order.
    var exchanges: [(method: String, params: WireObject, answer: Result<WireObject, ProtocolFailure>)] {
        lines.compactMap { line in
            guard line.from == "frontend", case .string(let method)? = line.message["method"],
                case .object(let params)? = line.message["params"], let id = line.message["id"],
                let answer = answer(to: id)
            else { return nil }
            return (method, params, answer)
        }
    }

    /// The frontend's result.
    var result: WireObject? {
        let line = lines.last { $0.from == "frontend" && $0.message["result"] != nil }
        if case .object(let result)? = line?.message["result"] { return result }
        return nil
    }

    private func answer(to id: WireValue) -> Result<WireObject, ProtocolFailure>? {
        let line = lines.first { $0.from == "engine" && $0.message["id"] == id && $0.message["method"] == nil }
        guard let line else { return nil }
        var blobs = line.blobs[...]
        if case .object(let result)? = line.message["result"],
            case .object(let filled) = Self.fill(.object(result), &blobs)
        {
            return .success(filled)
        }
        guard case .object(let error)? = line.message["error"], case .string(let text)? = error["message"],
            case .object(let data)? = error["data"], case .string(let kind)? = data["kind"]
        else { return nil }
        return .failure(ProtocolFailure(.init(name: kind), text))
    }

    // MARK: FrontendBridge

    let capabilities: [EngineCapability] = [
        .solve, .evaluate, .definitionJSON, .readFile, .resolveImage, .resolveGit, .resolveHTTP, .nestedFrontend,
        .diagnostic, .progress,
    ]

    /// The next answer to a method.
    ///
    /// One that the transcript has given up or timed out never comes.
    private func next(_ method: Method) async throws -> WireObject {
        let answer = state.withLock { state -> Result<WireObject, ProtocolFailure>? in
            guard let answers = state.answers[method.rawValue], let first = answers.first else { return nil }
            state.answers[method.rawValue] = Array(answers.dropFirst())
            return first
        }
        guard let answer else { throw ProtocolFailure(.internalError, "the transcript has no answer to \(method)") }
        if case .failure(let failure) = answer, [.cancelled, .timeout].contains(failure.kind) {
            try await Task.sleep(for: .seconds(60))
        }
        return try answer.get()
    }

    private func newRef() -> Int {
        state.withLock { state in
            state.refCount += 1
            return state.refCount
        }
    }

    func solve(_ definition: LLB.Definition, evaluate: Bool) async throws -> Int? {
        guard try definition.graph().result != nil else { return nil }
        return try await next(.solve)["ref"] == .null ? nil : newRef()
    }

    func evaluate(_ ref: Int) async throws { _ = try await next(.evaluate) }

    func release(_ ref: Int) { #expect(ref != 1000, "an input was released") }

    func readFile(_ ref: Int?, path: String, offset: Int64, length: Int) async throws -> Wire.ReadFile.Answer {
        try Wire.ReadFile.answer(await next(.readFile))
    }

    func readDirectory(_ ref: Int?, path: String, pattern: String?) async throws -> [FileInfo] {
        try Wire.ReadDirectory.answer(await next(.readDir)).entries
    }

    func stat(_ ref: Int?, path: String, followSymlinks: Bool) async throws -> FileInfo {
        try Wire.Stat.answer(await next(.stat))
    }

    func resolveSource(_ query: Wire.ResolveSource) async throws -> ResolvedSource {
        if query.identifier.hasPrefix("oci-layout:") {
            throw ProtocolFailure(.unsupported, "cannot resolve \(query.identifier)")
        }
        return try Wire.ResolveSource.answer(await next(.resolveSource))
    }

    func solve(_ call: FrontendCall<Int>) async throws -> FrontendResult<Int> {
        let answer = try Wire.SolveFrontend.answer(await next(.frontendSolve))
        return FrontendResult(
            frontend: .init(name: call.name, version: "1"),
            platforms: answer.results.map { result in
                .init(
                    id: result.id,
                    platform: result.platform,
                    ref: result.ref == nil ? nil : newRef(),
                    config: result.config,
                    metadata: result.metadata
                )
            },
            isIndex: answer.isIndex,
            metadata: answer.metadata
        )
    }

    func log(_ entry: FrontendLogEntry) { state.withLock { $0.log.append(entry) } }

    func diagnostic(_ diagnostic: Diagnostic) { state.withLock { $0.diagnostics.append(diagnostic) } }
}
