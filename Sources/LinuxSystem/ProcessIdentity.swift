// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import SystemPackage

/// A process, told apart from a later one that got the same number.
package struct ProcessIdentity: Sendable, Hashable {
    package let pid: Int32
    /// When it started, in clock ticks since the machine booted.
    package let startTicks: UInt64

    /// This process.
    package static let current = ProcessIdentity(
        pid: getpid(),
        startTicks: cl_process_start_ticks(getpid())
    )

    package init(pid: Int32, startTicks: UInt64) {
        self.pid = pid
        self.startTicks = startTicks
    }

    /// Whether this very process still runs.
    package var isAlive: Bool { startTicks != 0 && cl_process_start_ticks(pid) == startTicks }
}

/// The file that this process runs; `nil` where there is no `/proc` to tell it.
package func runningProgram() -> FilePath? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
    guard count > 0 else { return nil }
    return FilePath(String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
}
