// SPDX-License-Identifier: Apache-2.0

/// When a failed request is tried again, and how long to wait first.
///
/// The wait doubles with each failure in a row and is spread at random over its upper half, so that
/// many clients that failed together do not come back together.
package struct RetryPolicy: Sendable {
    /// How often one request is sent in all, at least 1.
    package var attemptCountMax = 5
    /// The wait after the first failure.
    package var firstDelay: Duration = .milliseconds(300)
    /// The longest wait, also when the server asks for more by `Retry-After`.
    package var delayMax: Duration = .seconds(20)

    package init() {}

    /// How long to wait after a number of failures in a row, at least 1.
    ///
    /// What the server named in `Retry-After` is honoured up to ``delayMax``.
    func delay(afterFailures failureCount: Int, askedFor: Duration?) -> Duration {
        if let askedFor { return min(max(askedFor, .zero), delayMax) }
        let doublings = min(max(failureCount, 1) - 1, 16)
        let full = min(firstDelay * (1 << doublings), delayMax)
        return full / 2 + (full / 2) * Double.random(in: 0...1)
    }
}
