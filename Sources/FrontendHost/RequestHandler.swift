// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LLB
internal import LinuxSystem
internal import OCI
internal import Synchronization

/// Answers a frontend's requests: checks their form, keeps the refs, asks the bridge.
final class RequestHandler<Bridge: FrontendBridge>: Sendable {
    /// How many bytes of a file one answer holds at most; a longer file takes several requests.
    static var readByteLimit: Int { 4 << 20 }
    /// How many bytes of files one build may read in all.
    static var readTotalByteLimit: Int { 1 << 30 }

    let refs: RefTable<Bridge.Ref>
    private let bridge: Bridge
    private let outgoing: OutgoingQueue
    private let readByteCount = Mutex(0)

    init(bridge: Bridge, limits: ProtocolLimits, outgoing: OutgoingQueue) {
        self.bridge = bridge
        self.outgoing = outgoing
        refs = RefTable(limit: limits.refs)
    }

    /// Answers one request and sends what came out.
    ///
    /// - `send`: Puts the answer on its way; called exactly once. The error is the bridge's own,
    ///   if one is behind the failure.
    func answer(
        _ method: String,
        _ params: WireObject,
        send: (Result<WireObject, ProtocolFailure>, _ cause: (any Error)?) -> Void
    ) async {
        do {
            if Method(rawValue: method) == .readFile {
                try await readFile(Wire.ReadFile(params: params)) { send(.success($0), nil) }
            } else {
                send(.success(try await result(of: method, params)), nil)
            }
        } catch {
            send(.failure(Self.failure(of: error)), error)
        }
    }

    private func result(of method: String, _ params: WireObject) async throws -> WireObject {
        switch Method(rawValue: method) {
        case .solve: return try await solve(Wire.Solve(params: params)).members
        case .evaluate:
            try await bridge.evaluate(refs.find(Wire.Evaluate(params: params).ref))
            return [:]
        case .releaseRef:
            if let ref = try refs.remove(Wire.ReleaseRef(params: params).ref) {
                bridge.release(ref)
            }
            return [:]
        case .readDir:
            let request = try Wire.ReadDirectory(params: params)
            let entries = try await bridge.readDirectory(
                refs.find(request.ref),
                path: request.path,
                pattern: request.pattern
            )
            return Wire.ReadDirectory.Answer(entries: entries).members
        case .stat:
            let request = try Wire.Stat(params: params)
            return try await bridge.stat(
                refs.find(request.ref),
                path: request.path,
                followSymlinks: request.followSymlinks
            ).members
        case .resolveSource:
            return try await bridge.resolveSource(Wire.ResolveSource(params: params)).members
        case .frontendSolve:
            throw ProtocolFailure(
                .unsupported,
                "this engine does not run frontends for frontends: capability \"frontend.solve\" was not offered"
            )
        case .initialize, .build, .cancel, .log, .diagnostic, .progress:
            throw ProtocolFailure(.unsupported, "\"\(method)\" is no request to an engine")
        case .readFile, nil:
            throw ProtocolFailure(
                .unsupported,
                "no method \"\(printable(method.utf8.prefix(80)))\" in this version of the protocol"
            )
        }
    }

    private func solve(_ request: Wire.Solve) async throws -> Wire.Solve.Answer {
        let definition =
            switch request.definition {
            case .protobuf(let bytes): try LLB.Definition(serialized: bytes)
            case .json(let object):
                try LLB.Definition(json: JSONValue(parsing: object.json))
            }
        guard let ref = try await bridge.solve(definition, evaluate: request.evaluate) else {
            return .init(ref: nil)
        }
        do throws(ProtocolFailure) {
            return .init(ref: try refs.add(ref))
        } catch {
            bridge.release(ref)
            throw error
        }
    }

    /// Reads a part of a file once its bytes have room on the way out.
    private func readFile(
        _ request: Wire.ReadFile,
        send: (WireObject) -> Void
    ) async throws {
        let ref = try refs.find(request.ref)
        let wanted = Int(clamping: request.length ?? Int64(Self.readByteLimit))
        let length = min(wanted, Self.readByteLimit)
        await outgoing.reserve(length)
        defer { outgoing.unreserve(length) }
        try Task.checkCancellation()
        let chunk = try await bridge.readFile(
            ref,
            path: request.path,
            offset: request.offset,
            length: length
        )
        let total = readByteCount.withLock { count in
            count += chunk.data.count
            return count
        }
        guard total <= Self.readTotalByteLimit else {
            throw ProtocolFailure.limit(
                "the frontend has read \(total) bytes of files; the limit is \(Self.readTotalByteLimit)"
            )
        }
        send(chunk.members)
    }

    /// What a frontend is told about an error of the engine.
    private static func failure(of error: any Error) -> ProtocolFailure {
        switch error {
        case let failure as ProtocolFailure: return failure
        case is CancellationError: return ProtocolFailure(.cancelled, "the request was given up")
        case let error as LLBError: return ProtocolFailure(.badDefinition, error.description)
        case let error as any FaultClassified:
            let kind: ProtocolFailure.Kind =
                switch error.fault {
                case .input: .operation
                case .environment: .unavailable
                case .defect: .internalError
                }
            return ProtocolFailure(kind, "\(error)")
        default: return ProtocolFailure(.internalError, "\(error)")
        }
    }
}
