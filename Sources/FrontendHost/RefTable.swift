// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Synchronization

/// The refs of one build: names a frontend uses, and the engine's handles behind them.
///
/// A name means nothing outside its build, so no frontend can name another's refs.
final class RefTable<Ref: Sendable>: Sendable {
    private struct State {
        var refs: [String: Ref] = [:]
        var count = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Gives a handle a name.
    ///
    /// - Throws: `limit` when the frontend holds too many; the caller keeps the handle then.
    func add(_ ref: Ref) throws(ProtocolFailure) -> String {
        let limit = self.limit
        let name: String? = state.withLock { state in
            guard state.refs.count < limit else { return nil }
            state.count += 1
            let name = "r\(state.count)"
            state.refs[name] = ref
            return name
        }
        guard let name else {
            throw .limit("\(limit) refs are held, which is the limit; release those not needed")
        }
        return name
    }

    /// The handle behind a name.
    func find(_ name: String) throws(ProtocolFailure) -> Ref {
        let ref = state.withLock { $0.refs[name] }
        guard let ref else { throw unknown(name) }
        return ref
    }

    /// The handle behind a name that may be `null`.
    func find(_ name: String?) throws(ProtocolFailure) -> Ref? {
        guard let name else { return nil }
        return try find(name) as Ref
    }

    /// Forgets a name and gives its handle back.
    func remove(_ name: String) throws(ProtocolFailure) -> Ref {
        let ref = state.withLock { $0.refs.removeValue(forKey: name) }
        guard let ref else { throw unknown(name) }
        return ref
    }

    /// Forgets all names but some, and gives their handles back.
    func removeAll(except kept: Set<String>) -> [Ref] {
        state.withLock { state in
            let removed = state.refs.filter { !kept.contains($0.key) }
            for name in removed.keys { state.refs[name] = nil }
            return Array(removed.values)
        }
    }

    private func unknown(_ name: String) -> ProtocolFailure {
        ProtocolFailure(.invalidParams, "no ref \"\(printable(name.utf8.prefix(80)))\" is held")
    }
}
