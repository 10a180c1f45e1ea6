// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import LinuxSystem

/// A thread for one loop of blocking calls that lives as long as a frontend does, and can be waited for.
struct DedicatedThread: Sendable {
    private let end: AsyncStream<Never>

    /// Starts a thread that runs `body` once, with SIGPIPE blocked so that writing to a dead peer is an error.
    init(_ body: @escaping @Sendable () -> Void) throws(SystemCallError) {
        let (end, continuation) = AsyncStream<Never>.makeStream()
        self.end = end
        try onOwnThread {
            var mask = sigset_t()
            unsafe sigemptyset(&mask)
            unsafe sigaddset(&mask, SIGPIPE)
            unsafe pthread_sigmask(SIG_BLOCK, &mask, nil)
            body()
            continuation.finish()
        }
    }

    /// Waits until the body has returned.
    func join() async {
        for await _ in end {}
    }
}
