// SPDX-License-Identifier: Apache-2.0

/// How long the suites wait.
package struct ConformanceTimeouts: Sendable, Hashable {
    /// For the answer to `initialize`, or to a request of a case.
    package var handshake = Duration.seconds(10)
    /// For the answer to `build` while nothing moves; the engine of the tests owes nothing for long.
    package var silence = Duration.seconds(20)
    /// For the end of the process after the end of its stdin.
    package var exit = Duration.seconds(2)
    /// How long nothing more must come before requests that are open together are answered.
    package var quiet = Duration.milliseconds(8)

    package init() {}
}
