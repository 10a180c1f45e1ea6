// SPDX-License-Identifier: Apache-2.0

internal import OCI
internal import Solver
internal import Synchronization

/// Turns what the solver tells into what a client is told, with times of the calendar in place of a clock's ticks.
final class BuildEventStream: Sendable {
    private let send: @Sendable (BuildEvent) -> Void
    private let clockStart = ContinuousClock.now
    private let timeStart = Timestamp.now
    private let counts = Mutex(Counts())

    private struct Counts {
        var completed: Set<Digest> = []
        var cached: Set<Digest> = []
    }

    init(_ send: @escaping @Sendable (BuildEvent) -> Void) { self.send = send }

    /// How many steps ended, and how many of them came from the cache.
    var stepCounts: (completed: Int, cached: Int) {
        counts.withLock { ($0.completed.count, $0.cached.count) }
    }

    func send(_ event: BuildEvent) { send(event) }

    /// Tells a line about something that is done in a moment.
    func notice(_ step: String, _ line: String) {
        let vertex = Digest.of("step \(step)")
        let now = Timestamp.now
        send(.vertex(VertexEvent(digest: vertex, name: step, started: now)))
        send(.log(LogEvent(vertex: vertex, stream: .error, bytes: Array((line + "\n").utf8), timestamp: now)))
        send(.vertex(VertexEvent(digest: vertex, name: step, started: now, completed: now)))
    }

    func send(_ event: SolveEvent) {
        switch event {
        case .vertex(let update):
            if update.completed != nil {
                counts.withLock { counts in
                    counts.completed.insert(update.vertex)
                    if update.isCached { counts.cached.insert(update.vertex) }
                }
            }
            send(
                .vertex(
                    VertexEvent(
                        digest: update.vertex,
                        inputs: update.inputs,
                        name: update.name,
                        started: update.started.map(time),
                        completed: update.completed.map(time),
                        cached: update.isCached,
                        error: update.error.map { error in
                            (error as? SolverError)?.operationMessage ?? "\(error)"
                        }
                    )
                )
            )
        case .log(let log):
            send(
                .log(
                    LogEvent(
                        vertex: log.vertex,
                        stream: log.stream == .output ? .output : .error,
                        bytes: log.bytes,
                        timestamp: time(log.time)
                    )
                )
            )
        case .status(let status):
            send(
                .status(
                    StatusEvent(
                        vertex: status.vertex,
                        id: status.id,
                        current: status.current,
                        total: status.total,
                        timestamp: time(status.time),
                        started: status.started.map(time),
                        completed: status.completed.map(time)
                    )
                )
            )
        case .warning(let warning):
            send(
                .warning(
                    WarningEvent(
                        vertex: warning.vertex,
                        short: warning.message,
                        detail: warning.detail,
                        url: warning.url.isEmpty ? nil : warning.url
                    )
                )
            )
        }
    }

    /// Runs work of the engine itself as a step of its own, so that it shows.
    ///
    /// Steps of one name are one step.
    func withStep<Value>(
        _ name: String,
        _ body: (_ vertex: Digest) async throws -> Value
    ) async throws -> Value {
        let vertex = Digest.of("step \(name)")
        let started = Timestamp.now
        send(.vertex(VertexEvent(digest: vertex, name: name, started: started)))
        do {
            let value = try await body(vertex)
            send(
                .vertex(
                    VertexEvent(digest: vertex, name: name, started: started, completed: .now)
                )
            )
            return value
        } catch {
            send(
                .vertex(
                    VertexEvent(
                        digest: vertex,
                        name: name,
                        started: started,
                        completed: .now,
                        error: "\(error)"
                    )
                )
            )
            throw error
        }
    }

    private func time(_ instant: ContinuousClock.Instant) -> Timestamp {
        let (seconds, attoseconds) = (instant - clockStart).components
        let nanoseconds = Int64(timeStart.nanoseconds) + attoseconds / 1_000_000_000
        let carry = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        let (wholeCarry, rest) =
            carry.remainder < 0
            ? (carry.quotient - 1, carry.remainder + 1_000_000_000) : carry
        return Timestamp(
            seconds: timeStart.seconds &+ seconds &+ wholeCarry,
            nanoseconds: Int32(truncatingIfNeeded: rest)
        )
    }
}
