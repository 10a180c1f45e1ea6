// SPDX-License-Identifier: Apache-2.0

package import Digests

/// What an operation can tell, and ask, while it works.
package struct OperationContext: Sendable {
    /// The vertex that is worked on.
    package let vertex: Digest
    private let reporter: any OperationReporter

    init(vertex: Digest, reporter: any OperationReporter) {
        self.vertex = vertex
        self.reporter = reporter
    }

    /// The jobs that use the vertex now.
    ///
    /// A shared vertex may serve itself from the session of any of them.
    package var jobs: [Job] { reporter.jobs }

    /// Passes on output; each job gets it in order, and one that joins later gets what came so far.
    package func log(_ stream: VertexLog.Stream, _ bytes: [UInt8]) {
        reporter.report(
            .log(VertexLog(vertex: vertex, stream: stream, bytes: bytes, time: .now))
        )
    }

    /// Tells how far a part of the work is.
    ///
    /// - Parameters:
    ///   - id: Told apart within the vertex; the next status with the same id replaces this one.
    ///   - name: What people read; `nil` = the id.
    ///   - current: In the unit of `total`, most often bytes.
    ///   - total: 0 when not known.
    ///   - started: When the part began.
    ///   - completed: When it ended; `nil` while it goes on.
    package func status(
        id: String,
        name: String? = nil,
        current: Int64 = 0,
        total: Int64 = 0,
        started: ContinuousClock.Instant? = nil,
        completed: ContinuousClock.Instant? = nil
    ) {
        reporter.report(
            .status(
                VertexStatus(
                    vertex: vertex,
                    id: id,
                    name: name ?? id,
                    current: current,
                    total: total,
                    time: .now,
                    started: started,
                    completed: completed
                )
            )
        )
    }

    /// Runs a part of the work with a status that starts before and completes after it.
    package func withStatus<Value>(
        id: String,
        _ body: () async throws -> Value
    ) async rethrows -> Value {
        let start = ContinuousClock.now
        status(id: id, started: start)
        defer { status(id: id, started: start, completed: .now) }
        return try await body()
    }

    /// Gives advice about the vertex.
    package func warn(_ message: String, detail: [String] = [], url: String = "", level: Int = 1) {
        reporter.report(
            .warning(
                VertexWarning(
                    vertex: vertex,
                    level: level,
                    message: message,
                    detail: detail,
                    url: url
                )
            )
        )
    }
}

/// Where a context's reports go.
protocol OperationReporter: Sendable {
    var jobs: [Job] { get }
    func report(_ event: SolveEvent)
}
