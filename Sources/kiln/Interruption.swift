// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Glibc
internal import Synchronization

/// Ending work when the user presses Ctrl-C or the process is told to stop.
enum Interruption {
    enum Outcome<Value: Sendable>: Sendable {
        case finished(Value)
        case failed(any Error)
        case interrupted

        /// What the work gave.
        ///
        /// - Throws: What it threw; after an interruption, which is told here, the exit status of one.
        var value: Value {
            get throws {
                switch self {
                case .finished(let value): return value
                case .failed(let error): throw error
                case .interrupted:
                    writeError("kiln: interrupted\n")
                    throw ExitStatus.interrupted
                }
            }
        }
    }

    /// Runs work that is cancelled by SIGINT, SIGTERM or SIGHUP, and waits until it has ended everything it started.
    ///
    /// A second signal ends the process at once, as any does afterwards; sandboxes die with it.
    static func run<Value: Sendable>(
        _ work: @escaping @Sendable () async throws -> Value
    ) async -> Outcome<Value> {
        let interrupted = Atomic(false)
        return await withTaskGroup(of: Void.self) { _ in
            let task = Task { try await work() }
            let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
                // The default action must not race with the source's handler.
                signal(number, SIG_IGN)
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler {
                    if interrupted.exchange(true, ordering: .relaxed) { _exit(130) }
                    task.cancel()
                }
                source.resume()
                return source
            }
            defer {
                for source in sources { source.cancel() }
                for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
            }
            switch await task.result {
            case .success(let value): return .finished(value)
            case .failure(let error):
                return interrupted.load(ordering: .relaxed) ? .interrupted : .failed(error)
            }
        }
    }
}
