// SPDX-License-Identifier: Apache-2.0

package import LinuxSystem
internal import Synchronization

/// A running sandbox whose streams the caller speaks with; lent by ``Launcher/withProcess(_:_:)``.
package final class SandboxProcess: Sendable {
    /// What the process writes; the end is seen when every process of the sandbox is gone.
    package let standardOutput: Descriptor
    package let standardError: Descriptor
    private let input: Mutex<Descriptor?>
    private let supervision: Supervision

    init(
        input: Descriptor,
        output: Descriptor,
        error: Descriptor,
        supervision: Supervision
    ) {
        self.input = Mutex(input)
        standardOutput = output
        standardError = error
        self.supervision = supervision
    }

    /// Where to write what the process reads; `nil` after ``closeStandardInput()``.
    package var standardInput: Descriptor? { input.withLock { $0 } }

    /// Lets go of the writing end: the process reads the end once nobody else holds ``standardInput``.
    package func closeStandardInput() { input.withLock { $0 = nil } }

    /// Kills every process of the sandbox.
    ///
    /// Calling it again, or after the end, does nothing.
    package func kill() { supervision.kill() }

    /// Waits for the end and for the teardown.
    ///
    /// May be called any number of times.
    ///
    /// - Throws: ``SandboxError`` when the set-up failed or the launcher was lost. A process that was killed has a result.
    package func wait() async throws -> SandboxResult { try await supervision.result() }
}
