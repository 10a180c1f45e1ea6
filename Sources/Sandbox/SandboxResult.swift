// SPDX-License-Identifier: Apache-2.0

/// How a sandboxed process ended.
package struct SandboxResult: Sendable, Hashable {
    /// The process's exit status; 128 + signal when a signal ended it; 127 when the command was not found and 126 when
    /// it could not be run, as shells count.
    package var exitCode: Int32
    /// The signal that ended it.
    package var signal: Int32?
    /// Whether the kernel killed a process of the sandbox because the memory limit was reached.
    package var isOutOfMemory: Bool
    /// Why the command could not be run at all, as a sentence; the process then never existed.
    package var executionFailure: String?
    /// Processor time in user mode and in the kernel, of all processes of the sandbox that were waited for.
    package var userTime: Duration
    package var systemTime: Duration
    /// The largest resident set of one of these processes, in bytes.
    package var residentBytesMax: UInt64

    /// Whether the process ended by itself with status 0.
    package var isSuccess: Bool { exitCode == 0 }
}

/// Which of its two output streams a process wrote to.
package enum OutputStream: Sendable, Hashable {
    case standardOutput
    case standardError
}
