// SPDX-License-Identifier: Apache-2.0

/// One build that a client waits for: it shares vertices with other jobs and has its own events.
///
/// Results, and what was computed on the way, stay in memory until the job is closed, see ``Solver/close(_:)``.
package final class Job: Sendable {
    /// Told apart within one solver.
    let number: Int
    /// What the maker of the job wants operations to find, such as its client session.
    ///
    /// See ``OperationContext/jobs``.
    package let attachment: (any Sendable)?
    let onEvent: @Sendable (SolveEvent) -> Void

    init(
        number: Int,
        attachment: (any Sendable)?,
        onEvent: @escaping @Sendable (SolveEvent) -> Void
    ) {
        self.number = number
        self.attachment = attachment
        self.onEvent = onEvent
    }
}
