// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import LinuxSystem
package import Sandbox

/// Plays the engine of a recorded session against a frontend: no engine and no network.
package struct SessionReplay: Sendable {
    /// What came of it.
    package struct Report: Sendable, Hashable {
        /// Requests that the trace has no answer for, with their params.
        package var unknownRequests: [String] = []
        /// Requests of the trace that were not made.
        package var missingRequests: [String] = []
        /// Whether the work was answered as in the trace; `nil` when one of the two has no answer.
        package var isSameResult: Bool?
        /// What the frontend did against the protocol, or how it ended without an answer.
        package var failure: String?

        /// Whether the frontend behaved as recorded.
        package var isSame: Bool { isSameResult == true && failure == nil && unknownRequests.isEmpty }
    }

    private let session: RecordedSession
    private let engineRequests: [(id: Int64, method: String, params: WireObject)]
    private let frontendRequests: [Asked]
    /// The frontend's recorded answer to the work request.
    private let expected: WireObject?

    private struct Asked {
        let method: String
        let params: WireObject
        /// The result or error, as members of the message; `nil` when the trace ends before it.
        let answer: Result<WireObject, ProtocolFailure>?
    }

    package init(_ session: RecordedSession) {
        self.session = session
        var answers: [PeerRole: [Int64: WireObject]] = [:]
        for message in session.messages where message.content["method"] == nil {
            guard case .integer(let id)? = message.content["id"] else { continue }
            answers[message.sender, default: [:]][id] = message.content
        }
        var engineRequests: [(id: Int64, method: String, params: WireObject)] = []
        var frontendRequests: [Asked] = []
        for message in session.messages {
            guard case .string(let method)? = message.content["method"], case .integer(let id)? = message.content["id"]
            else { continue }
            var params: WireObject = [:]
            if case .object(let object)? = message.content["params"] { params = object }
            if message.sender == .engine {
                engineRequests.append((id, method, params))
            } else {
                let answer = answers[.engine]?[id].flatMap { Self.outcome(of: $0) }
                frontendRequests.append(Asked(method: method, params: params.normalized, answer: answer))
            }
        }
        self.engineRequests = engineRequests
        self.frontendRequests = frontendRequests
        expected = engineRequests.last.flatMap { answers[.frontend]?[$0.id] }
    }

    private static func outcome(of message: WireObject) -> Result<WireObject, ProtocolFailure>? {
        if case .object(let result)? = message["result"] { return .success(result) }
        guard case .object(let error)? = message["error"],
            let failure = try? ProtocolFailure(members: MemberReader(error, path: "error"))
        else { return nil }
        return .failure(failure)
    }

    /// Plays the session against a process.
    ///
    /// The caller limits the time: the process is given none of its own.
    ///
    /// - Parameter notice: Gets a line for everything that is said, as it is said.
    package func play(
        against process: SandboxProcess,
        notice: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> Report {
        let errors = try DedicatedThread {
            StandardErrorCapture { notice("stderr: \($0)") }.run(from: process.standardError)
        }
        let report = try await blocking {
            var player = Player(replay: self, notice: notice)
            return player.run(process)
        }
        process.closeStandardInput()
        await errors.join()
        return report
    }

    /// The state of one play, on a thread of its own.
    private struct Player {
        let replay: SessionReplay
        let notice: @Sendable (String) -> Void
        var connection = ProtocolConnection(role: .engine)
        var report = Report()
        var used: Set<Int> = []
        /// How many requests of the engine were made.
        var askedCount = 0
        var answer: Result<WireObject, ProtocolFailure>?

        mutating func run(_ process: SandboxProcess) -> Report {
            let queue = OutgoingQueue()
            let writer = try? DedicatedThread {
                guard let input = process.standardInput else { return }
                queue.run(to: input, willWrite: { _ in }, progress: {})
                process.closeStandardInput()
            }
            defer { queue.close() }
            guard writer != nil else {
                report.failure = "no thread could be started"
                return report
            }
            ask(queue)
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while answer == nil {
                let count = unsafe chunk.withUnsafeMutableBytes { bytes in
                    (try? unsafe process.standardOutput.read(into: bytes)) ?? 0
                }
                guard count > 0 else {
                    report.failure = "it closed its stdout before it answered"
                    break
                }
                do throws(ProtocolViolation) {
                    connection.receive(chunk[0..<count])
                    while let event = try connection.nextEvent() { handle(event, queue) }
                } catch {
                    report.failure = error.message
                    break
                }
            }
            conclude()
            return report
        }

        private mutating func ask(_ queue: OutgoingQueue) {
            guard askedCount < replay.engineRequests.count else { return }
            let request = replay.engineRequests[askedCount]
            askedCount += 1
            notice("engine asks \(request.method)")
            guard let (_, pieces) = try? connection.request(request.method, request.params) else { return }
            _ = queue.add(pieces)
        }

        private mutating func handle(_ event: ProtocolConnection.Event, _ queue: OutgoingQueue) {
            switch event {
            case .request(let id, let method, let params):
                _ = queue.add(connection.answer(id, with: reply(method, params)))
            case .refused(let method, let failure, let bytes):
                notice("frontend asks \(method): refused: \(failure.message)")
                _ = queue.add(bytes)
            case .notification(let method, let params):
                notice("frontend tells \(method) \(shortened(params))")
            case .answer(_, let method, let result):
                notice("frontend answers \(method)")
                if askedCount < replay.engineRequests.count, case .success = result {
                    ask(queue)
                } else {
                    answer = result
                }
            }
        }

        private mutating func reply(_ method: String, _ params: WireObject) -> Result<WireObject, ProtocolFailure> {
            let wanted = params.normalized
            let index = replay.frontendRequests.indices.first { index in
                let asked = replay.frontendRequests[index]
                return !used.contains(index) && asked.method == method && asked.params == wanted && asked.answer != nil
            }
            guard let index, let answer = replay.frontendRequests[index].answer else {
                report.unknownRequests.append("\(method) \(shortened(params))")
                notice("frontend asks \(method) \(shortened(params)): not in the trace")
                return .failure(ProtocolFailure(.unavailable, "the trace has no answer to this \(method)"))
            }
            used.insert(index)
            notice("frontend asks \(method) \(shortened(params))")
            return answer
        }

        private mutating func conclude() {
            report.missingRequests = replay.frontendRequests.indices.filter { !used.contains($0) }.map { index in
                "\(replay.frontendRequests[index].method) \(shortened(replay.frontendRequests[index].params))"
            }
            guard let answer, let expected = replay.expected.flatMap({ SessionReplay.outcome(of: $0) }) else { return }
            switch (answer, expected) {
            case (.success(let new), .success(let old)): report.isSameResult = new.normalized == old.normalized
            case (.failure(let new), .failure(let old)):
                report.isSameResult = new.kind == old.kind && new.message == old.message
            default: report.isSameResult = false
            }
        }
    }
}

/// An object in a line, cut where it is long.
private func shortened(_ object: WireObject) -> String {
    let text = object.json(announcing: { bytes in ["bytes": .integer(Int64(bytes.count))] })
    return text.count <= 200 ? printable(text) : printable(text.prefix(200)) + "…"
}
