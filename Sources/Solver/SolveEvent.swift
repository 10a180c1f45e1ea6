// SPDX-License-Identifier: Apache-2.0

package import Digests

/// What a job is told while it is solved.
package enum SolveEvent: Sendable {
    /// A vertex joined the job, started, or ended. Several starts and ends of one vertex are legal.
    case vertex(VertexUpdate)
    case log(VertexLog)
    case status(VertexStatus)
    case warning(VertexWarning)
}

/// The state of a vertex, sent anew with each change.
package struct VertexUpdate: Sendable {
    package let vertex: Digest
    package let inputs: [Digest]
    package let name: String
    package let progressGroup: ProgressGroup?
    /// `nil` until it starts; what comes from the cache starts and ends in the same moment.
    package var started: ContinuousClock.Instant?
    /// `nil` until it ends, well or not.
    package var completed: ContinuousClock.Instant?
    /// Whether an earlier result was used, or the vertex was not needed at all.
    package var isCached = false
    /// Why it failed; a ``SolverError`` with `cancelled` when somebody ended it.
    package var error: (any Error)?
}

/// Output of a vertex.
package struct VertexLog: Sendable {
    package enum Stream: Int, Sendable {
        case output = 1
        case error = 2
    }

    package let vertex: Digest
    package let stream: Stream
    package let bytes: [UInt8]
    package let time: ContinuousClock.Instant
}

/// Progress of a part of a vertex: a layer that is pulled, a transfer.
package struct VertexStatus: Sendable {
    package let vertex: Digest
    /// Told apart within the vertex.
    package let id: String
    package let name: String
    /// In the unit of ``total``, most often bytes.
    package let current: Int64
    /// 0 when not known.
    package let total: Int64
    package let time: ContinuousClock.Instant
    package let started: ContinuousClock.Instant?
    package let completed: ContinuousClock.Instant?
}

/// Advice about a vertex.
package struct VertexWarning: Sendable {
    package let vertex: Digest
    package let level: Int
    package let message: String
    package let detail: [String]
    package let url: String
}
