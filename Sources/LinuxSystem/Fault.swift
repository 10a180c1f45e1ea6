// SPDX-License-Identifier: Apache-2.0

/// Who can act on an error.
///
/// It alone picks the exit status of the command line and the code of a gRPC answer.
package enum Fault: Sendable, Hashable {
    /// The build file, an option or an archive is wrong: its author can act. Exit status 1.
    case input
    /// The machine, network or registry failed: trying again later, or elsewhere, can help. Exit status 75.
    case environment
    /// Kiln itself is wrong. Exit status 70.
    case defect
}

/// An error that knows whose fault it is.
package protocol FaultClassified: Error {
    var fault: Fault { get }
}

extension SystemCallError: FaultClassified {
    package var fault: Fault { .environment }
}
