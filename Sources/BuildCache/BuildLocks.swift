// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import ContentStore
internal import LinuxSystem
internal import OCI
internal import Synchronization

/// Locks between processes on the keys they compute: one byte of `locks/build` a key, so a lock costs one system call
/// and leaves nothing behind.
///
/// Within this process a key has one runner at a time. What a runner saved is not yet in the database when it ends; it
/// may keep the lock against other processes until it is.
final class BuildLocks: Sendable {
    private struct Hold {
        /// Runners and unsaved results that need the lock.
        var count = 0
        var isRunning = false
    }

    private let file: LinuxSystem.Descriptor
    private let holds = Mutex<[Int64: Hold]>([:])

    init(state: StateDirectory) throws {
        file = try attempt("open the build locks") {
            try state.root.open("locks/build", flags: O_RDWR | O_CREAT, mode: 0o600)
        }
    }

    /// Waits until no other runner has the key.
    ///
    /// - Throws: `CancellationError`.
    func acquire(_ key: Digest) async throws {
        let offset = Self.offset(key)
        if try tryAcquire(offset) { return }
        // Says that somebody waits; when another waiter said so already, that is as good.
        let hasAsked = (try? file.tryLock(byteAt: offset | Self.wishes)) == true
        defer { if hasAsked { file.unlock(byteAt: offset | Self.wishes) } }
        var delay = Duration.milliseconds(2)
        repeat {
            try await Task.sleep(for: delay)
            delay = min(delay * 2, .milliseconds(100))
        } while try !tryAcquire(offset)
    }

    /// Whether another process waits for a key.
    func isWanted(_ key: Digest) -> Bool {
        (try? file.isLocked(byteAt: Self.offset(key) | Self.wishes)) == true
    }

    private func tryAcquire(_ offset: Int64) throws -> Bool {
        try holds.withLock { holds in
            var hold = holds[offset] ?? Hold()
            if hold.isRunning { return false }
            if hold.count == 0 {
                let isFree = try attempt("lock a cache key") { try file.tryLock(byteAt: offset) }
                if !isFree { return false }
            }
            hold.count += 1
            hold.isRunning = true
            holds[offset] = hold
            return true
        }
    }

    /// Ends a run.
    ///
    /// - Parameters:
    ///   - key: The key that was acquired.
    ///   - keeping: Whether other processes must go on waiting, until ``release(_:)``.
    func finish(_ key: Digest, keeping: Bool) {
        holds.withLock { $0[Self.offset(key)]?.isRunning = false }
        if !keeping { release(key) }
    }

    /// Gives one hold back.
    func release(_ key: Digest) {
        let offset = Self.offset(key)
        holds.withLock { holds in
            guard var hold = holds[offset] else { return }
            hold.count -= 1
            holds[offset] = hold.count > 0 ? hold : nil
            if hold.count == 0 { file.unlock(byteAt: offset) }
        }
    }

    /// Added to the offset of a key: the byte that is locked by who waits for it.
    private static let wishes: Int64 = 1 << 62

    /// 62 bits of the key: two keys of one byte would only wait for each other.
    private static func offset(_ key: Digest) -> Int64 {
        Int64(key.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } >> 2)
    }
}
