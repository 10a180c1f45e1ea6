// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Synchronization

/// Asks again what a recorded session asked, in its order, and gives its result when every answer is the same.
struct Revalidation<Bridge: FrontendBridge>: Sendable {
    let bridge: Bridge
    let request: FrontendBuildRequest<Bridge.Ref>
    let limits: ProtocolLimits

    /// - Returns: `nil` at the first answer that differs; nothing of the attempt is left then.
    func result(of record: SessionRecord) async throws -> FrontendResult<Bridge.Ref>? {
        let handler = RequestHandler(
            bridge: bridge,
            limits: limits,
            outgoing: OutgoingQueue(),
            buildFile: (request.fileName, request.fileContent)
        )
        defer { for ref in handler.refs.removeAll() { bridge.release(ref) } }
        // The inputs get the same names as in the recorded session.
        _ = try request.wire(refs: handler.refs)
        var names: [String: String] = [:]
        var rest = record.exchanges[...]
        while let exchange = rest.first {
            let sources = rest.prefix { $0.method == Method.resolveSource.rawValue }
            if sources.isEmpty {
                guard await repeats(exchange, handler, &names) else { return nil }
                rest = rest.dropFirst()
            } else {
                guard await repeats(sources, handler) else { return nil }
                rest = rest.dropFirst(sources.count)
            }
        }
        let members = record.result.mappingRefs { names[$0] }
        guard let answer = try? Wire.Build.Answer(members: MemberReader(members, path: "result")),
            let result = try? handler.refs.take(answer, of: record.frontend)
        else { return nil }
        say(record.notices)
        return result
    }

    private func repeats(
        _ exchange: SessionRecord.Exchange,
        _ handler: RequestHandler<Bridge>,
        _ names: inout [String: String]
    ) async -> Bool {
        let known = names
        let params = exchange.params.mappingRefs { known[$0] }
        let again = await ask(exchange.method, params, handler)
        guard again.isFailure == exchange.isFailure, again.answer == exchange.answer,
            again.refs.count == exchange.refs.count
        else { return false }
        for (old, new) in zip(exchange.refs, again.refs) { names[old] = new }
        return true
    }

    /// Asks for several sources at once, as a frontend would.
    private func repeats(
        _ exchanges: ArraySlice<SessionRecord.Exchange>,
        _ handler: RequestHandler<Bridge>
    ) async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            for exchange in exchanges where !exchange.namesExactBytes {
                group.addTask {
                    let again = await ask(exchange.method, exchange.params, handler)
                    return again.isFailure == exchange.isFailure && again.answer == exchange.answer
                }
            }
            for await isSame in group where !isSame {
                group.cancelAll()
                return false
            }
            return true
        }
    }

    private func ask(
        _ method: String,
        _ params: WireObject,
        _ handler: RequestHandler<Bridge>
    ) async -> SessionRecord.Exchange {
        let answer = Mutex<Result<WireObject, ProtocolFailure>>(.failure(ProtocolFailure(.internalError, "")))
        await handler.answer(method, params) { result, _ in answer.withLock { $0 = result } }
        return SessionRecord.Exchange(method: method, params: params, answer: answer.withLock { $0 })
    }

    private func say(_ notices: [SessionRecord.Notice]) {
        for notice in notices {
            switch notice {
            case .log(let entry): bridge.log(entry)
            case .diagnostic(let diagnostic): bridge.diagnostic(diagnostic)
            }
        }
    }
}

extension SessionRecord.Exchange {
    /// Whether a source is named by the digest of its content: then it cannot have changed.
    fileprivate var namesExactBytes: Bool {
        guard !isFailure, case .string(let identifier)? = params["identifier"] else { return false }
        return identifier.hasPrefix("docker-image://") && identifier.contains("@sha256:")
    }
}
