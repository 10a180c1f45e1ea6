// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import SystemPackage

/// Waits until at least one descriptor can be read or was hung up, or the time is over.
///
/// Blocks.
///
/// - Returns: For each descriptor whether a read would not block.
package func pollReadable(
    _ descriptors: [Descriptor],
    timeout: Duration
) throws(SystemCallError) -> [Bool] {
    var entries = descriptors.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
    let (seconds, attoseconds) = timeout.components
    let milliseconds = CInt(clamping: seconds &* 1000 &+ attoseconds / 1_000_000_000_000_000)
    if unsafe poll(&entries, nfds_t(entries.count), milliseconds) < 0 {
        if Errno.last == .interrupted { return descriptors.map { _ in false } }
        throw SystemCallError("poll", "descriptors", .last)
    }
    return entries.map { $0.revents != 0 }
}
