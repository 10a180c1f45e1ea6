// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Synchronization

/// Collects what a session asks, is answered and says, for ``SessionRecord``.
///
/// What cannot be the same next time spoils the record: then there is none.
final class SessionRecorder: Sendable {
    /// How many requests are kept.
    private static let exchangeCountMax = 4096
    /// How much the frontend may have said, in bytes.
    private static let noticeByteLimit = 1 << 20

    private struct State {
        var exchanges: [SessionRecord.Exchange] = []
        var notices: [SessionRecord.Notice] = []
        var noticeByteCount = 0
        var isSpoiled = false
    }

    private let state = Mutex(State())

    /// Keeps a request with its answer.
    func add(_ method: String, _ params: WireObject, _ answer: Result<WireObject, ProtocolFailure>) {
        // What a frontend lets go of reaches no result.
        if method == Method.releaseRef.rawValue { return }
        if case .failure(let failure) = answer, !failure.kind.isRepeatable { return spoil() }
        if state.withLock({ $0.isSpoiled }) { return }
        let exchange = SessionRecord.Exchange(method: method, params: params, answer: answer)
        state.withLock { state in
            state.exchanges.append(exchange)
            if state.exchanges.count > Self.exchangeCountMax { state.isSpoiled = true }
        }
    }

    func add(_ entry: FrontendLogEntry) {
        // The host speaks of time and memory, which are of this run alone.
        if entry.origin == .host { return spoil() }
        add(.log(entry), byteCount: entry.text.utf8.count)
    }

    func add(_ diagnostic: Diagnostic) {
        let detailByteCount = diagnostic.detail.reduce(0) { $0 + $1.utf8.count }
        add(.diagnostic(diagnostic), byteCount: diagnostic.message.utf8.count + detailByteCount)
    }

    /// Something happened that depends on more than the answers.
    func spoil() {
        state.withLock { state in
            state = State()
            state.isSpoiled = true
        }
    }

    /// The record of a session that ended well; `nil` when it was spoiled.
    func record(of frontend: Wire.Program, result: WireObject) -> SessionRecord? {
        state.withLock { state in
            if state.isSpoiled { return nil }
            return SessionRecord(
                frontend: frontend,
                exchanges: state.exchanges,
                notices: state.notices,
                result: result
            )
        }
    }

    private func add(_ notice: SessionRecord.Notice, byteCount: Int) {
        state.withLock { state in
            if state.isSpoiled { return }
            state.notices.append(notice)
            state.noticeByteCount += byteCount + 64
            if state.noticeByteCount > Self.noticeByteLimit { state.isSpoiled = true }
        }
    }
}

extension ProtocolFailure.Kind {
    /// Whether the same request would fail so again, as far as the request and the trees alone decide.
    fileprivate var isRepeatable: Bool {
        switch self {
        case .notFound, .unsupported, .invalidParams, .badDefinition, .denied, .limit: true
        default: false
        }
    }
}
