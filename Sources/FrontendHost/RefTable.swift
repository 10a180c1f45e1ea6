// SPDX-License-Identifier: Apache-2.0

internal import FrontendProtocol
internal import Synchronization

/// The refs of one build: names a frontend uses, and the engine's handles behind them.
///
/// A name means nothing outside its build, so no frontend can name another's refs.
final class RefTable<Ref: Sendable>: Sendable {
    private struct Entry {
        let ref: Ref
        /// Whoever lent the handle keeps it: it is never given back.
        let isLent: Bool
    }

    private struct State {
        var refs: [String: Entry] = [:]
        var count = 0
    }

    private let state = Mutex(State())
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Gives a handle a name.
    ///
    /// - `isLent`: Whether the caller goes on holding it.
    ///
    /// - Throws: `limit` when the frontend holds too many; the caller keeps the handle then.
    func add(_ ref: Ref, isLent: Bool = false) throws(ProtocolFailure) -> String {
        let limit = self.limit
        let name: String? = state.withLock { state in
            guard state.refs.count < limit else { return nil }
            state.count += 1
            let name = "r\(state.count)"
            state.refs[name] = Entry(ref: ref, isLent: isLent)
            return name
        }
        guard let name else {
            throw .limit("\(limit) refs are held, which is the limit; release those not needed")
        }
        return name
    }

    /// The handle behind a name.
    func find(_ name: String) throws(ProtocolFailure) -> Ref {
        let entry = state.withLock { $0.refs[name] }
        guard let entry else { throw unknown(name) }
        return entry.ref
    }

    /// The handle behind a name that may be `null`.
    func find(_ name: String?) throws(ProtocolFailure) -> Ref? {
        guard let name else { return nil }
        return try find(name) as Ref
    }

    /// Forgets a name and gives its handle back; `nil` for a lent one.
    func remove(_ name: String) throws(ProtocolFailure) -> Ref? {
        let entry = state.withLock { $0.refs.removeValue(forKey: name) }
        guard let entry else { throw unknown(name) }
        return entry.isLent ? nil : entry.ref
    }

    /// Forgets names whose handles live on elsewhere.
    func forget(_ names: Set<String>) {
        state.withLock { state in
            for name in names { state.refs[name] = nil }
        }
    }

    /// Forgets all names and gives back the handles that are not lent.
    func removeAll() -> [Ref] {
        state.withLock { state in
            defer { state.refs = [:] }
            return state.refs.values.filter { !$0.isLent }.map(\.ref)
        }
    }

    private func unknown(_ name: String) -> ProtocolFailure {
        ProtocolFailure(.invalidParams, "no ref \"\(printable(name.utf8.prefix(80)))\" is held")
    }
}
