// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Runs a function on a new thread that ends with it; for work that blocks for as long as a process lives.
///
/// - Throws: `EAGAIN` when the system has no room for another thread.
package func onOwnThread(_ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
    let box = unsafe Unmanaged.passRetained(Work(body: body))
    let result = unsafe cl_thread_start(
        { context in
            guard let context = unsafe context else { return }
            unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().body()
        },
        box.toOpaque()
    )
    if result < 0 { unsafe box.release() }
    try check(result, "start", "a thread")
}

private final class Work: Sendable {
    let body: @Sendable () -> Void
    init(body: @escaping @Sendable () -> Void) { self.body = body }
}
