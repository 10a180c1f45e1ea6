// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
package import SystemPackage

/// A small program of the host that is asked one question: it gets some bytes, answers with some,
/// and ends.
///
/// It inherits nothing but descriptors 0 to 2 and the environment it is given, in a process group
/// of its own.
package struct HelperProgram: Sendable {
    /// What a program said and how it ended.
    package struct Answer: Sendable {
        /// The exit status, or 128 and the number of the signal that ended it.
        package let status: Int32
        package let output: [UInt8]
        /// The first bytes of what it wrote to descriptor 2.
        package let complaint: String
    }

    package enum Failure: Error, Sendable, Hashable {
        /// It did not end in time, and was killed.
        case timedOut
        /// It wrote more than was allowed, and was killed.
        case outputTooLarge
    }

    /// How much of descriptor 2 is kept, in bytes.
    private static let complaintByteLimit = 4096

    package let path: FilePath
    package let arguments: [String]
    package let environment: [String: String]

    package init(path: FilePath, arguments: [String], environment: [String: String]) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
    }

    /// Finds an executable by its name in the directories of a `PATH`; relative directories are
    /// passed over.
    package static func find(_ name: String, searchPath: String) -> FilePath? {
        for directory in searchPath.split(separator: ":") where directory.hasPrefix("/") {
            let candidate = FilePath(String(directory)).appending(name)
            let isExecutable = unsafe candidate.withPlatformString { unsafe access($0, X_OK) == 0 }
            guard isExecutable,
                let file = try? Descriptor.open(host: candidate, flags: cl_open_flag_path()),
                (try? file.status().isRegular) == true
            else { continue }
            return candidate
        }
        return nil
    }

    /// Runs the program to its end.
    ///
    /// Blocks: call it through ``blocking(_:)``.
    ///
    /// - Parameters:
    ///   - input: What it reads from descriptor 0.
    ///   - outputByteLimit: How much it may write to descriptor 1.
    ///   - timeLimit: How long it may take.
    /// - Returns: What it said, however it ended.
    /// - Throws: ``Failure``, or `SystemCallError` when it cannot be started.
    package func run(
        input: [UInt8],
        outputByteLimit: Int,
        timeLimit: Duration
    ) throws -> Answer {
        // Memory files, not pipes: a helper that does not read or that writes at length blocks
        // nobody.
        let inputFile = try Descriptor.memory("helper-input")
        try inputFile.write(input)
        try inputFile.seek(to: 0)
        let complaintFile = try Descriptor.memory("helper-complaint")
        return try converse(
            try start(input: inputFile, complaint: complaintFile),
            complaint: complaintFile,
            outputByteLimit: outputByteLimit,
            deadline: .now + timeLimit
        )
    }

    private struct Process {
        let pid: pid_t
        let handle: Descriptor
        /// Our end of its descriptor 1.
        let output: Descriptor

        /// Kills the whole group and takes the exit status, so that nothing is left behind.
        func kill() {
            _ = Glibc.kill(-pid, SIGKILL)
            _ = end(wait: true)
        }

        /// The exit status, or `nil` while the process runs.
        func end(wait: Bool) -> Int32? {
            var code: CInt = 0
            var status: CInt = 0
            guard unsafe cl_waitid_pidfd(handle.number, wait ? 0 : 1, &code, &status) == 1 else {
                return wait ? 255 : nil
            }
            return code == CInt(CLD_EXITED) ? status : 128 + status
        }
    }

    private func start(input: Descriptor, complaint: Descriptor) throws(SystemCallError) -> Process {
        let output = try Descriptor.pipe()
        let descriptors = [input.number, output.write.number, complaint.number]
        let words = [path.string] + arguments
        let settings = environment.map { "\($0.key)=\($0.value)" }
        var pid: pid_t = -1
        let result = unsafe withCStrings(words) { arguments in
            unsafe withCStrings(settings) { settings in
                unsafe cl_spawn(
                    path.string,
                    arguments,
                    settings,
                    descriptors,
                    CInt(descriptors.count),
                    1,
                    &pid
                )
            }
        }
        withExtendedLifetime((input, output.write, complaint)) {}
        try check(result, "start", path.string)
        let handle = cl_pidfd_open(pid)
        if handle < 0 {
            _ = Glibc.kill(-pid, SIGKILL)
            _ = waitpid(pid, nil, 0)
        }
        try check(handle, "watch", path.string)
        return Process(pid: pid, handle: Descriptor(owning: handle), output: output.read)
    }

    /// Collects the output until the process ended; a grandchild that keeps the pipe open does not
    /// hold this up.
    private func converse(
        _ process: Process,
        complaint: Descriptor,
        outputByteLimit: Int,
        deadline: ContinuousClock.Instant
    ) throws -> Answer {
        var bytes: [UInt8] = []
        var ended: Int32?
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16 << 10, alignment: 16)
        defer { unsafe buffer.deallocate() }
        while true {
            if cl_poll_read(process.output.number, ended == nil ? 20 : 0) > 0 {
                let count = unsafe try process.output.read(into: buffer)
                if count > 0 {
                    unsafe bytes.append(contentsOf: buffer[..<count])
                    if bytes.count > outputByteLimit {
                        process.kill()
                        throw Failure.outputTooLarge
                    }
                    continue
                }
                // The pipe is closed: only the end of the process is missing.
                if ended == nil { _ = cl_poll_read(process.handle.number, 20) }
            }
            if let status = ended {
                try complaint.seek(to: 0)
                let count = unsafe try complaint.read(
                    into: UnsafeMutableRawBufferPointer(
                        rebasing: buffer[..<Self.complaintByteLimit]
                    )
                )
                let text = unsafe String(decoding: buffer[..<count], as: UTF8.self)
                return Answer(status: status, output: bytes, complaint: text)
            }
            ended = process.end(wait: false)
            if ended == nil, ContinuousClock.now >= deadline {
                process.kill()
                throw Failure.timedOut
            }
        }
    }
}

/// Lends a null-ended array of C strings.
private func withCStrings<Value>(
    _ texts: [String],
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Value
) -> Value {
    var pointers: [UnsafeMutablePointer<CChar>?] = unsafe texts.map { unsafe strdup($0) }
    unsafe pointers.append(nil)
    defer { unsafe pointers.forEach { unsafe free($0) } }
    return unsafe pointers.withUnsafeBufferPointer { buffer in
        guard let base = buffer.baseAddress else {
            preconditionFailure("an array that holds at least its end has an address")
        }
        return unsafe body(base)
    }
}
