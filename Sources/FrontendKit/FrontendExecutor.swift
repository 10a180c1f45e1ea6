// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc
internal import Synchronization

/// The threads a frontend's handler runs on.
///
/// Swift's own pool is not used: libdispatch, which it stands on, looks after its threads through `/proc` and traps where
/// there is none, as in a frontend's sandbox. A few plain threads are also quicker to start.
final class FrontendExecutor: TaskExecutor {
    /// A frontend mostly waits for answers; what it computes is one conversion a platform.
    private static let threadCount = 4

    private let jobs = Mutex<[UnownedJob]>([])
    private let available = DispatchSemaphore(value: 0)

    /// Starts the threads; they end with the process.
    ///
    /// - Returns: `nil` when not even one can be started.
    static func start() -> FrontendExecutor? {
        let executor = FrontendExecutor()
        let started = (0..<threadCount).count { _ in executor.startThread() }
        return started > 0 ? executor : nil
    }

    private init() {}

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        jobs.withLock { $0.append(job) }
        available.signal()
    }

    private func startThread() -> Bool {
        let box = unsafe Unmanaged.passRetained(self)
        var thread = pthread_t()
        let result = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<FrontendExecutor>.fromOpaque(argument).takeRetainedValue().run()
            },
            box.toOpaque()
        )
        if result != 0 { unsafe box.release() }
        return result == 0
    }

    private func run() -> Never {
        while true {
            available.wait()
            let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if let job { unsafe job.runSynchronously(on: asUnownedTaskExecutor()) }
        }
    }
}
