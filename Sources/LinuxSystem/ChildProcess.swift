// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import SystemPackage

/// A program this process started, held by a pidfd: its number is never mistaken for a later process's.
///
/// Nothing but the listed descriptors reaches it: default signals, an empty signal mask, its own process group (so a
/// terminal's Ctrl-C is ours to handle), and only the given environment.
package final class ChildProcess: Sendable {
    /// How a process ended.
    package enum Exit: Sendable, Hashable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// What to run.
    package enum Program: Sendable {
        case path(FilePath)
        /// An open executable, for example a sealed memory file.
        case open(Descriptor)
    }

    package let pid: Int32
    private let handle: Descriptor

    /// Starts a program.
    ///
    /// The memory of this process is never copied, so this costs the same at any size.
    ///
    /// - Parameter descriptors: Become the numbers 0, 1, 2, … of the program; `nil` leaves a number closed.
    package init(
        _ program: Program,
        arguments: [String],
        environment: [String] = [],
        descriptors: [Descriptor?]
    ) throws(SystemCallError) {
        var pid: pid_t = 0
        let numbers = descriptors.map { $0?.number ?? -1 }
        let result = unsafe withCStrings(arguments) { argv in
            unsafe withCStrings(environment) { envp in
                switch program {
                case .path(let path):
                    unsafe path.withPlatformString {
                        unsafe cl_spawn($0, argv, envp, numbers, CInt(numbers.count), 1, &pid)
                    }
                case .open(let file):
                    unsafe cl_spawn_fd(
                        file.number,
                        argv,
                        envp,
                        numbers,
                        CInt(numbers.count),
                        1,
                        &pid
                    )
                }
            }
        }
        try check(result, "start", arguments.first ?? "a program")
        self.pid = pid
        // The child is ours and not yet waited for, so its number is still its own.
        handle = Descriptor(owning: try check(cl_pidfd_open(pid), "watch", "process \(pid)"))
    }

    /// Readable, as poll counts, once the process has ended.
    package var descriptor: Descriptor { handle }

    /// Sends a signal; a process that has ended already is fine.
    package func signal(_ number: Int32) { _ = cl_pidfd_send_signal(handle.number, number) }

    /// Waits for the end and lets the kernel forget the process.
    ///
    /// Blocks. To be called once.
    package func wait() throws(SystemCallError) -> Exit {
        var code: CInt = 0
        var status: CInt = 0
        try check(
            unsafe cl_waitid_pidfd(handle.number, 0, &code, &status),
            "wait for",
            "process \(pid)"
        )
        return code == CLD_EXITED ? .exited(status) : .signalled(status)
    }
}

/// Becomes another program, with this process's environment.
///
/// Returns only by throwing.
package func replaceProcess(
    by program: FilePath,
    arguments: [String]
) throws(SystemCallError) -> Never {
    _ = unsafe withCStrings(arguments) { argv in
        unsafe program.withPlatformString { unsafe execv($0, argv) }
    }
    throw SystemCallError("run", program.string, .last)
}

/// Lends a null-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    var pointers = unsafe strings.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else {
            preconditionFailure("the array holds at least the terminator")
        }
        return unsafe body(base)
    }
}
