// SPDX-License-Identifier: Apache-2.0

package import FrontendProtocol
package import LLB
internal import LinuxSystem
internal import OCI
internal import Synchronization

/// Answers a frontend's requests: checks their form, keeps the refs, asks the bridge.
final class RequestHandler<Bridge: FrontendBridge>: Sendable {
    /// How many bytes of a file one answer holds at most; a longer file takes several requests.
    static var readByteLimit: Int { 4 << 20 }
    /// How many bytes of files one build may read in all.
    static var readTotalByteLimit: Int { 1 << 30 }

    /// The build file, for definitions that quote it by name alone.
    typealias BuildFile = (name: String, content: [UInt8])

    let refs: RefTable<Bridge.Ref>
    private let bridge: Bridge
    private let buildFile: BuildFile?
    private let outgoing: OutgoingQueue
    private let readByteCount = Mutex(0)

    init(bridge: Bridge, limits: ProtocolLimits, outgoing: OutgoingQueue, buildFile: BuildFile? = nil) {
        self.bridge = bridge
        self.buildFile = buildFile
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
            let known = Method(rawValue: method)
            try checkCapability(known, params)
            if known == .readFile {
                try await readFile(params) { send(.success($0), nil) }
            } else {
                send(.success(try await timed(params) { try await self.result(of: method, params) }), nil)
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
        case .frontendSolve: return try await solve(Wire.SolveFrontend(params: params)).members
        case .initialize, .build, .describeTargets, .describeOutline, .lint, .convert, .format, .cancel, .log,
            .diagnostic, .progress:
            throw ProtocolFailure(.unsupported, "\"\(method)\" is no request to an engine")
        case .readFile, nil:
            throw ProtocolFailure(
                .unsupported,
                "no method \"\(printable(method.utf8.prefix(80)))\" in this version of the protocol"
            )
        }
    }

    // MARK: What is offered

    /// Refuses a request whose capability `initialize` did not offer.
    private func checkCapability(_ method: Method?, _ params: WireObject) throws(ProtocolFailure) {
        for needed in method.map({ Self.capabilities(for: $0, params) }) ?? [] {
            if bridge.capabilities.contains(needed) { continue }
            throw ProtocolFailure(.unsupported, "this engine does not offer the capability \"\(needed)\"")
        }
    }

    private static func capabilities(for method: Method, _ params: WireObject) -> [EngineCapability] {
        switch method {
        case .solve:
            var needed: [EngineCapability] = [.solve]
            if case .object? = params["definition"] { needed.append(.definitionJSON) }
            if params["evaluate"] == .bool(true) { needed.append(.evaluate) }
            return needed
        case .releaseRef: return [.solve]
        case .evaluate: return [.evaluate]
        case .readFile, .readDir, .stat: return [.readFile]
        case .frontendSolve: return [.nestedFrontend]
        case .resolveSource:
            guard case .string(let identifier)? = params["identifier"] else { return [] }
            if identifier.hasPrefix("docker-image://") || identifier.hasPrefix("oci-layout://") {
                return [.resolveImage]
            }
            if identifier.hasPrefix("git://") { return [.resolveGit] }
            if identifier.hasPrefix("https://") || identifier.hasPrefix("http://") { return [.resolveHTTP] }
            return []
        default: return []
        }
    }

    // MARK: Time

    /// Does a piece of work within the request's `timeoutMs`.
    ///
    /// - Throws: `timeout` when it takes longer; the work is cancelled and waited for then.
    private func timed<Value: Sendable>(
        _ params: WireObject,
        _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        guard let milliseconds = try Self.timeout(params) else { return try await body() }
        return try await withThrowingTaskGroup(of: Value.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await Task.sleep(for: .milliseconds(milliseconds))
                throw ProtocolFailure(.timeout, "took longer than the \(milliseconds) ms it may")
            }
            defer { group.cancelAll() }
            guard let value = try await group.next() else { throw CancellationError() }
            return value
        }
    }

    private static func timeout(_ params: WireObject) throws(ProtocolFailure) -> Int64? {
        do throws(MemberError) {
            let reader = MemberReader(params, path: "params")
            guard let timeout = try reader.optionalInteger("timeoutMs") else { return nil }
            guard timeout > 0 else { throw reader.invalid("timeoutMs", "is not positive") }
            return timeout
        } catch {
            throw ProtocolFailure(.invalidParams, error.description)
        }
    }

    // MARK: Graphs

    private func solve(_ request: Wire.Solve) async throws -> Wire.Solve.Answer {
        var definition = try LLB.Definition(request.definition)
        if let buildFile { definition.fillSource(named: buildFile.name, with: buildFile.content) }
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

    /// Has another frontend build, and takes the refs of its result in.
    private func solve(_ request: Wire.SolveFrontend) async throws -> Wire.Build.Answer {
        var inputs: [String: FrontendBuildRequest<Bridge.Ref>.Input] = [:]
        for (name, input) in request.inputs {
            inputs[name] = .init(
                ref: try refs.find(input.ref),
                definition: try input.definition.map { try LLB.Definition($0) }
            )
        }
        let result = try await bridge.solve(
            FrontendCall(
                name: request.name,
                file: request.file.map { ($0.name, $0.content) },
                options: request.options,
                inputs: inputs
            )
        )
        return Wire.Build.Answer(
            results: try take(result.platforms),
            isIndex: result.isIndex,
            metadata: result.metadata
        )
    }

    /// Gives the trees of another frontend's result names of this session: all of them or none.
    private func take(
        _ platforms: [FrontendResult<Bridge.Ref>.PlatformResult]
    ) throws(ProtocolFailure) -> [Wire.BuiltPlatform] {
        var results: [Wire.BuiltPlatform] = []
        for (index, platform) in platforms.enumerated() {
            var name: String?
            do throws(ProtocolFailure) {
                if let ref = platform.ref { name = try refs.add(ref) }
            } catch {
                for result in results {
                    if let name = result.ref, let ref = try? refs.remove(name) { bridge.release(ref) }
                }
                for rest in platforms[index...] { rest.ref.map { bridge.release($0) } }
                throw error
            }
            results.append(
                Wire.BuiltPlatform(
                    id: platform.id,
                    platform: platform.platform,
                    ref: name,
                    config: platform.config,
                    metadata: platform.metadata
                )
            )
        }
        return results
    }

    // MARK: Files

    /// Reads a part of a file once its bytes have room on the way out.
    private func readFile(_ params: WireObject, send: (WireObject) -> Void) async throws {
        let request = try Wire.ReadFile(params: params)
        let ref = try refs.find(request.ref)
        let wanted = Int(clamping: request.length ?? Int64(Self.readByteLimit))
        let length = min(wanted, Self.readByteLimit)
        await outgoing.reserve(length)
        defer { outgoing.unreserve(length) }
        try Task.checkCancellation()
        let chunk = try await timed(params) { [bridge] in
            try await bridge.readFile(ref, path: request.path, offset: request.offset, length: length)
        }
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
        case let error as FrontendHostError:
            // Of a frontend that another one called.
            return ProtocolFailure(error.kind ?? .internalError, error.message)
        case let error as LLBError: return ProtocolFailure(.badDefinition, error.description)
        case let error as any FaultClassified:
            if let kind = (error as? any ProtocolKindClassified)?.protocolKind {
                return ProtocolFailure(kind, "\(error)")
            }
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

extension LLB.Definition {
    /// Reads a definition in either of the forms it has in messages.
    ///
    /// - Throws: `LLBError`, and what reading JSON throws.
    package init(_ wire: Wire.Definition) throws {
        switch wire {
        case .protobuf(let bytes): try self.init(serialized: bytes)
        case .json(let object): try self.init(json: JSONValue(parsing: object.json))
        }
    }
}
