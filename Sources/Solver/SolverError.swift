// SPDX-License-Identifier: Apache-2.0

package import Digests

/// Why a solve did not give a result.
package struct SolverError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The graph, or the edge asked for, makes no sense. Its author can act.
        case invalidGraph
        /// An operation failed; ``SolverError/cause`` is its error, ``SolverError/vertex`` says which.
        case operationFailed
        /// The build cache failed; ``SolverError/cause`` is its error.
        case cacheFailed
        /// The job, or the task that waited, was cancelled.
        case cancelled(by: CancellationCause)
        /// An operation broke its contract.
        case contractBroken
    }

    package let code: Code
    package let message: String
    /// The vertex that failed.
    package let vertex: Digest?
    package let cause: (any Error)?

    package init(
        _ code: Code,
        _ message: String,
        vertex: Digest? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.vertex = vertex
        self.cause = cause
    }

    package var description: String { message }

    /// Whether somebody ended the solve, as opposed to a failure.
    package var isCancellation: Bool {
        if case .cancelled = code { true } else { false }
    }

    static func cancelled(by cause: CancellationCause) -> SolverError {
        SolverError(.cancelled(by: cause), "cannot finish the build: cancelled by \(cause)")
    }
}

/// Who ended a job.
package enum CancellationCause: Sendable, Hashable, CustomStringConvertible {
    /// The task that waited for the result was cancelled.
    case task
    /// The client said so, or went away.
    case client
    /// The process ends.
    case shutdown
    /// A time limit passed.
    case deadline

    package var description: String {
        switch self {
        case .task: "its caller"
        case .client: "the client"
        case .shutdown: "shutdown"
        case .deadline: "its deadline"
        }
    }
}
