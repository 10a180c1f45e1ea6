// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
internal import Synchronization
package import SystemPackage

/// `O_PATH`, which Glibc shows only under _GNU_SOURCE: the descriptor names the file and does not open it.
private let openPath: CInt = 0o10000000

/// A Unix socket of our own that stands for another one: whoever connects to it speaks with what listens there.
///
/// It has the owner and mode that it is given, whatever the other has, and ends with ``close()``.
package final class SocketRelay: Sendable {
    /// Connections at once; further ones are turned away.
    package static let connectionCountMax = 32

    /// The socket's place in the file system, to be mounted elsewhere.
    package let place: Descriptor
    /// Held while it listens; letting go of it wakes and ends every thread.
    private let liveness = Mutex<Descriptor?>(nil)
    private let connectionCount = Mutex(0)
    private let target: FilePath

    /// Begins to listen.
    ///
    /// - Parameters:
    ///   - target: The socket to stand for; it is looked for at each connection.
    ///   - name: A name that `directory` does not have yet.
    ///   - mode: Who may connect: its write bits.
    package init(
        to target: FilePath,
        in directory: Directory,
        name: String,
        user: UInt32,
        group: UInt32,
        mode: UInt32
    ) throws(SystemCallError) {
        self.target = target
        let number = unsafe name.withCString { unsafe cl_unix_listen(directory.descriptor.number, $0) }
        let listener = Descriptor(owning: try check(number, "listen at", name))
        try directory.setMode(name: name, mode)
        try directory.setOwner(name: name, user: user, group: group)
        place = try directory.open(name, flags: openPath)
        let pipe = try Descriptor.pipe()
        liveness.withLock { $0 = pipe.write }
        let stop = pipe.read
        try onOwnThread { [weak self] in
            while let isReady = try? pollReadable([listener, stop], timeout: .seconds(3600)), !isReady[1] {
                guard isReady[0] else { continue }
                let accepted = cl_unix_accept(listener.number)
                if accepted < 0 {
                    // No descriptor is left, perhaps: the client waits.
                    usleep(10_000)
                    continue
                }
                // Nobody may hold the relay while its thread waits: its end is what ends the thread.
                self?.serve(Descriptor(owning: accepted), stop)
            }
        }
    }

    deinit { close() }

    /// Ends all connections and takes no more.
    package func close() { liveness.withLock { $0 = nil } }

    private func serve(_ client: Descriptor, _ stop: Descriptor) {
        let isWelcome = connectionCount.withLock { count in
            guard count < Self.connectionCountMax else { return false }
            count += 1
            return true
        }
        // Closing is all that can be said to a client that is not welcome.
        guard isWelcome else { return }
        do {
            try onOwnThread { [target, weak self] in
                let number = unsafe target.withPlatformString { unsafe cl_unix_connect($0) }
                if number >= 0 {
                    let server = Descriptor(owning: number)
                    _ = cl_relay(client.number, server.number, stop.number)
                }
                self?.connectionCount.withLock { $0 -= 1 }
            }
        } catch {
            connectionCount.withLock { $0 -= 1 }
        }
    }
}
